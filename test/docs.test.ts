/** @file Documents that list what the code holds say the truth. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { gradientRules } from "../src/autodiff/rules/index.js";
import { removalMethods } from "../src/removal/registry.js";
import { markSchemes } from "../src/watermarks/registry.js";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

test("docs/operators.md lists exactly the operators that have a gradient rule", () => {
  const listed = [...read("docs/operators.md").matchAll(/`([A-Za-z0-9.]+)`/g)].map(([, name]) => name ?? "");
  expect(listed.toSorted()).toEqual(Object.keys(gradientRules).toSorted());
});

test("docs/methods.md names every method and every mark", () => {
  const text = read("docs/methods.md");
  for (const { id } of [...removalMethods, ...markSchemes]) expect(text).toContain(`\`${id}\``);
});

test("README links to files that exist", () => {
  const targets = [...read("README.md").matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => target ?? "");
  expect(targets.length).toBeGreaterThan(4);
  for (const target of targets) expect(() => read(target), target).not.toThrow();
});
