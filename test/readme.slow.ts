/** @file README's TypeScript, run as it stands but for the seed of the mark, which the example leaves to chance. */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("the example marks a model, cleans it, and finds the mark no longer shown", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  const built = new URL("../dist/index.js", import.meta.url).href;
  expect(example).toContain('from "wildmark"');
  const folder = await mkdtemp(join(tmpdir(), "wildmark-readme-"));
  try {
    const file = join(folder, "example.mjs");
    const seeded = example.replace('scheme: "content"', 'scheme: "content", seed: 0');
    expect(seeded).not.toBe(example);
    await writeFile(file, seeded.replace('"wildmark"', JSON.stringify(built)));
    const { stdout } = await promisify(execFile)(process.execPath, [file]);
    const [accuracy, owned, pValue] = stdout.trim().split(" ");
    expect(Number(accuracy)).toBeGreaterThan(0.9);
    expect(owned).toBe("false");
    expect(Number(pValue)).toBeGreaterThan(0.05);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
