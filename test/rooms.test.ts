/**
 * @file The table of rooms, enforced: a room imports only from rooms above it, no files import each other in a circle,
 * and removal/ never reaches a key.
 *
 * The wall between attacker and owner is what makes the results mean something; it must not erode.
 */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const source = fileURLToPath(new URL("../src", import.meta.url));

/** Ground floor first. */
const rooms = [
  "core",
  "onnx",
  "autodiff",
  "runtime",
  "training",
  "models",
  "data",
  "watermarks",
  "ownership",
  "removal",
  "detection",
  "tasks",
  "experiments",
  "report",
  "cli",
];

/** Rooms that must not be imported although they stand above. */
const forbidden: Readonly<Record<string, readonly string[]>> = {
  removal: ["watermarks", "ownership"],
  detection: ["watermarks", "ownership", "removal"],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => file.split(sep).join("/"))
    .filter((file) => file.endsWith(".ts"));
}

/** Every relative import, static or dynamic, as paths within src. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(source, file), "utf8");
  return [...text.matchAll(/(?:from\s+|import\s*\(\s*|import\s+)["'](\.[^"']+)["']/g)].map(([, target = ""]) => ({
    from: file,
    to: posix.normalize(posix.join(dirname(file), target)),
  }));
}

/**
 * The strongly connected components of more than one file, or of one that imports itself: files that reach each other.
 * Each sorted, and sorted by their first file.
 */
function circlesOf(nodes: readonly string[], edges: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of edges) targets.set(from, [...(targets.get(from) ?? []), to.replace(/\.js$/, ".ts")]);
  /** What a file imports, directly or by way of others; itself only where it stands in a circle. */
  const reached = new Map(
    nodes.map((node) => {
      const seen = new Set(targets.get(node));
      for (const each of seen) for (const next of targets.get(each) ?? []) seen.add(next);
      return [node, seen] as const;
    }),
  );
  const reaches = (from: string, to: string): boolean => reached.get(from)?.has(to) ?? false;
  const circles = nodes
    .filter((node) => reaches(node, node))
    .map((node) =>
      nodes
        .filter((other) => reaches(node, other) && reaches(other, node))
        .toSorted()
        .join("\n"),
    );
  return [...new Set(circles)].toSorted().map((circle) => circle.split("\n"));
}

const roomOf = (file: string): string => (file.includes("/") ? (file.split("/")[0] ?? "") : "");

/** Tests and their helpers may look anywhere; the package's face (src/index.ts) gathers all rooms. */
const isChecked = (file: string): boolean =>
  !file.endsWith(".test.ts") && !file.includes("/testing/") && roomOf(file) !== "";

const files = filesOf(source).filter(isChecked);
const imports = files.flatMap(importsOf);

test("every file lies in a known room", () => {
  expect(files.length).toBeGreaterThan(50);
  expect([...new Set(files.map(roomOf))].filter((room) => !rooms.includes(room))).toEqual([]);
});

test("a room imports only from itself and the rooms above it", () => {
  const wrong = imports.filter(({ from, to }) => rooms.indexOf(roomOf(to)) > rooms.indexOf(roomOf(from)));
  expect(wrong).toEqual([]);
});

test("no files import each other in a circle, types included", () => {
  expect(circlesOf(files, imports)).toEqual([]);
});

test("a circle is found with all its files, and what only leads to it or away from it is not part of it", () => {
  const edges: readonly Import[] = [
    ["a", "b"],
    ["b", "c"],
    ["c", "d"],
    ["d", "b"],
    ["d", "e"],
    ["e", "f"],
    ["f", "e"],
    ["g", "g"],
  ].map(([from = "", to = ""]) => ({ from: `${from}.ts`, to: `${to}.js` }));
  const all = [..."gfedcba"].map((name) => `${name}.ts`);
  expect(circlesOf(all, edges)).toEqual([["b.ts", "c.ts", "d.ts"], ["e.ts", "f.ts"], ["g.ts"]]);
});

test("no file imports the package's face or a test helper", () => {
  expect(imports.filter(({ to }) => roomOf(to) === "" || to.includes("/testing/"))).toEqual([]);
});

test("the attacker reaches no key and no trigger, directly or by way of other rooms", () => {
  for (const [room, hidden] of Object.entries(forbidden)) {
    const start = files.filter((file) => roomOf(file) === room);
    expect(start.length).toBeGreaterThan(0);
    const reached = new Set(start);
    for (const file of reached) {
      for (const { to } of imports.filter((each) => each.from === file)) reached.add(to.replace(/\.js$/, ".ts"));
    }
    expect([...reached].filter((file) => hidden.includes(roomOf(file)))).toEqual([]);
    // The walk follows imports for real: it gets from removal/ down to the data room's dataset.
    expect(reached).toContain("data/dataset.ts");
  }
});

test("imports resolve to files of this tree", () => {
  const known = new Set(filesOf(source));
  expect(imports.map(({ to }) => to.replace(/\.js$/, ".ts")).filter((to) => !known.has(to))).toEqual([]);
});
