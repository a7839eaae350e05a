/** @file The cache lies where the XDG specification says. */

import { expect, test } from "vitest";
import { defaultCacheDir } from "./cache-dir.js";

test.each([
  [{ XDG_CACHE_HOME: "/x" }, "/x/wildmark"],
  [{ XDG_CACHE_HOME: "relative", HOME: "/home/a" }, "/home/a/.cache/wildmark"],
  [{ HOME: "/home/a" }, "/home/a/.cache/wildmark"],
])("with %o it is %s", (environment, expected) => {
  expect(defaultCacheDir(environment)).toBe(expected);
});
