/**
 * @file The examples of docs/library.md, compiled as a strict consumer compiles them and run as they stand. README's is
 * compiled here and run in readme.slow.ts.
 */

import { readdirSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { afterAll, expect, test } from "vitest";
import * as face from "../src/index.js";
import { compile, consumerProject, examplesOf, root, run } from "./library.js";

const folder = await consumerProject();
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the examples compile and run, in order", async () => {
  const examples = await examplesOf("docs/library.md");
  expect(examples.length).toBeGreaterThan(5);
  for (const [i, code] of examples.entries()) await writeFile(join(folder, `example-${i}.ts`), code);
  await writeFile(join(folder, "readme.ts"), (await examplesOf("README.md")).join("\n"));
  await compile(folder);
  const said: string[] = [];
  for (const i of examples.keys()) {
    const { stdout, stderr } = await run(folder, process.execPath, [`example-${i}.js`]);
    expect(stderr, `example ${i}`).toBe("");
    expect(stdout, `example ${i}`).not.toBe("");
    said.push(stdout);
  }
  const [training = "", , verdicts = "", removal = "", , foreign = ""] = said;
  expect(training).toContain("guessing: false");
  // The marked model is told from the innocent one.
  expect(verdicts).toMatch(/^true /);
  expect(verdicts.trimEnd()).toMatch(/\nfalse\ntrue \S+$/);
  expect(removal.trimEnd().split("\n")).toHaveLength(6); // epochs 0 to 4, and the outcome
  expect(foreign).toContain("bad-file");
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(["marked.onnx", "cleaned.onnx", "audit.html"]));
}, 180_000);

test.each([
  [
    "docs/write-a-remover.md",
    "noise-tuning",
    /^Noise tuning \(σ 0.3\)\n$/,
    /^Noise tuning.*\naccuracy 0\.\d+ → 0\.\d+, retention 0?\.?\d+, shown (true|false)\n$/,
  ],
  [
    "docs/write-a-mark.md",
    "frame",
    /triggers: 100, heldOut: 100/,
    /\nretention (1|0\.9\d*), held-out \d.*, owned true, p \d/,
  ],
])(
  "%s: followed from nothing, it works",
  async (document, name, alone, together) => {
    const project = await consumerProject();
    try {
      const [record = "", attempt = ""] = await examplesOf(document);
      await writeFile(join(project, `${name}.ts`), record);
      await writeFile(join(project, "try-it.ts"), attempt);
      await compile(project);
      expect((await run(project, process.execPath, [`${name}.js`])).stdout).toMatch(alone);
      expect((await run(project, process.execPath, ["try-it.js"])).stdout).toMatch(together);
    } finally {
      await rm(project, { recursive: true, force: true });
    }
  },
  120_000,
);

test("the five names of the package's promise are there", () => {
  for (const name of ["loadModel", "embed", "verify", "remove", "audit"]) expect(face).toHaveProperty(name);
});

test(
  "importing the package loads no decoder of images and nothing that draws: they are imported where they " +
    "are needed",
  () => {
    const heavy = ["sharp", "@observablehq/plot", "linkedom", "commander"];
    const { files, packages } = loadedBy("index.ts");
    expect(files.size).toBeGreaterThan(100);
    expect(packages).toContain("onnxruntime-node");
    expect(heavy.filter((name) => packages.has(name))).toEqual([]);
    // The walk would find them: this is what the report loads once it is asked for.
    expect(loadedBy("report/report.ts").packages).toContain("@observablehq/plot");
  },
);

/** All that loading a file of src loads at once: static imports that leave something at run time, followed. */
function loadedBy(start: string): { readonly files: Set<string>; readonly packages: Set<string> } {
  const files = new Set([start]);
  const packages = new Set<string>();
  for (const file of files) {
    const text = readFileSync(join(root, "src", file), "utf8");
    for (const [, what = "", target = ""] of text.matchAll(/^(?:import|export)\s([^;]*?)from "([^"]+)";/gm)) {
      if (/^type\s/.test(what)) continue;
      if (target.startsWith(".")) files.add(posix.join(dirname(file), target).replace(/\.js$/, ".ts"));
      else if (!target.startsWith("node:")) packages.add(packageOf(target));
    }
  }
  return { files, packages };
}

function packageOf(target: string): string {
  return target
    .split("/")
    .slice(0, target.startsWith("@") ? 2 : 1)
    .join("/");
}
