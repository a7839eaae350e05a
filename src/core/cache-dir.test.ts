/** @file The cache lies where the XDG specification says, and never in the working folder. */

import { isAbsolute } from "node:path";
import { describe, expect, test } from "vitest";
import { cacheNote, defaultCacheDir } from "./cache-dir.js";

test.each([
  [{ XDG_CACHE_HOME: "/x" }, "/x/wildmark"],
  [{ XDG_CACHE_HOME: "relative", HOME: "/home/a" }, "/home/a/.cache/wildmark"],
  [{ HOME: "/home/a" }, "/home/a/.cache/wildmark"],
  [{ XDG_CACHE_HOME: "/x", HOME: "" }, "/x/wildmark"],
])("with %o it is %s, and nothing need be said", (environment, expected) => {
  expect(defaultCacheDir(environment)).toBe(expected);
  expect(cacheNote(environment)).toBe(undefined);
});

describe("where the environment names no home", () => {
  test.each([{}, { HOME: "" }, { HOME: "relative" }, { HOME: "", XDG_CACHE_HOME: "" }])("%o", (environment) => {
    const folder = defaultCacheDir(environment);
    expect(isAbsolute(folder)).toBe(true);
    expect(cacheNote(environment)).toContain(folder);
    expect(cacheNote(environment)).toMatch(/^note: HOME is (not set|"(|relative)", which names no folder); /);
  });
});
