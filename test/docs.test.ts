/** @file Documents that list what the code holds say the truth. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";
import { expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { gradientRules } from "../src/autodiff/rules/index.js";
import { statistics } from "../src/detection/statistics.js";
import { removalMethods } from "../src/removal/registry.js";
import { markSchemes } from "../src/watermarks/registry.js";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

test("docs/operators.md lists exactly the operators that have a gradient rule", () => {
  const listed = [...read("docs/operators.md").matchAll(/`([A-Za-z0-9.]+)`/g)].map(([, name]) => name ?? "");
  expect(listed.toSorted()).toEqual(Object.keys(gradientRules).toSorted());
});

test("docs/methods.md names every method, every mark and every statistic", () => {
  const text = read("docs/methods.md");
  for (const { id } of [...removalMethods, ...markSchemes, ...statistics]) expect(text).toContain(`\`${id}\``);
});

test("what the package's documents link to is in the package", () => {
  // As npm reads `files`; what it really packs, test/package.slow.ts asks it.
  const wanted = manifest.files.map((pattern) => {
    const parts = pattern
      .replaceAll(".", "\\.")
      .replaceAll("**/", "<")
      .replaceAll("*", "[^/]*")
      .replaceAll("<", "(.*/)?");
    return new RegExp(`^${parts}(/|$)`);
  });
  const paths = [...filesBelow("docs"), "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"].filter((path) =>
    wanted.some((pattern) => pattern.test(path)),
  );
  const documents = paths.filter((path) => path.endsWith(".md"));
  expect(documents).toEqual(expect.arrayContaining(["README.md", "docs/ownership.md", "docs/results/README.md"]));
  const links = documents.flatMap((document) => linksOf(document));
  expect(links.length).toBeGreaterThan(30);
  const dead = links.filter(({ target }) => !paths.some((path) => path === target || path.startsWith(`${target}/`)));
  expect(dead).toEqual([]);
});

function filesBelow(folder: string): string[] {
  const entries = readdirSync(new URL(`../${folder}/`, import.meta.url), { recursive: true, encoding: "utf8" });
  return entries.map((entry) => `${folder}/${entry.replaceAll("\\", "/")}`);
}

/** Where the relative links and pictures of a document lead, from the root on. */
function linksOf(document: string): { readonly document: string; readonly target: string }[] {
  return [...read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/i.test(target))
    .map((target) => ({ document, target: normalize(join(dirname(document), target)).replace(/\/$/, "") }));
}

test("README links to files that exist", () => {
  const targets = [...read("README.md").matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => target ?? "");
  expect(targets.length).toBeGreaterThan(4);
  for (const target of targets) expect(() => read(target), target).not.toThrow();
});
