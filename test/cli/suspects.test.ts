/** @file One key, one model, asked in every way there is: the same answers, and so the same verdict. */

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decode } from "fast-png";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { answers } from "../../src/data/answers.js";
import { inMemory } from "../../src/data/pixels.js";
import type { Model } from "../../src/onnx/model.js";
import { readModelFile } from "../../src/onnx/model-file.js";
import { startServer, WORDS } from "../../src/ownership/suspects/testing/servers.js";
import { wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

/** Enough where a fifth is refused, names are chosen for the words, and 2^64 secrets may have been tried. */
const TRIGGERS = 70;
const verdictSchema = z.object({
  owned: z.boolean(),
  n: z.number(),
  matches: z.number(),
  refused: z.number().optional(),
  tests: z.array(z.object({ id: z.string(), pValue: z.number() })),
});

let model: Model;
beforeAll(async () => {
  const made = await wildmark(
    folder,
    `embed --dataset digits --limit 1500 --test-limit 100 --triggers ${TRIGGERS} --held-out 5 --epochs 12 --batch 32 ` +
      "--seed 4 --out marked.onnx --key mark.key --quiet",
  );
  expect(made.status, made.stderr).toBe(0);
  model = await readModelFile(join(folder, "marked.onnx"));
}, 120_000);

async function verdictOf(line: string): Promise<z.infer<typeof verdictSchema>> {
  const { status, stdout, stderr } = await wildmark(folder, `${line} --key mark.key --json --quiet`);
  expect(status, stderr).toBe(0);
  return verdictSchema.parse(JSON.parse(stdout));
}

/** What the model answers to exported pictures, by name. */
async function answersByName(): Promise<ReadonlyMap<string, number>> {
  const names = await readdir(join(folder, "asked/images"));
  const pictures = await Promise.all(names.map((name) => readFile(join(folder, "asked/images", name))));
  const bytes = Buffer.concat(pictures.map((png) => Uint8Array.from(decode(png).data)));
  const shape = { channels: 1, height: 28, width: 28 };
  const found = await answers(model, { shape, count: names.length, pixels: inMemory(new Uint8Array(bytes)) });
  return new Map(names.map((name, i) => [name, found[i] ?? 0]));
}

test("a table of answers, by numbers and by words, gives the file's tests; a fifth refused still shows the mark", async () => {
  const exported = await wildmark(folder, "key export mark.key --out asked --dataset digits --decoys 20 --quiet");
  expect(exported.status, exported.stderr).toBe(0);
  const found = [...(await answersByName())];
  const write = (name: string, rows: readonly string[]) =>
    writeFile(join(folder, name), `name,label\n${rows.join("\n")}\n`);
  await write(
    "numbers.csv",
    found.map(([name, label]) => `${name},${label}`),
  );
  await write(
    "words.csv",
    found.map(([name, label]) => `${name},${WORDS[label]}`),
  );
  await write(
    "gaps.csv",
    found.map(([name, label], i) => `${name},${i % 5 === 0 ? "" : label}`),
  );
  const [file, numbers, words, gaps] = await Promise.all([
    verdictOf("verify marked.onnx"),
    verdictOf("verify --answers numbers.csv"),
    verdictOf(`verify --answers words.csv --labels ${WORDS.join(",")}`),
    verdictOf("verify --answers gaps.csv"),
  ]);
  expect(file).toMatchObject({ owned: true, n: TRIGGERS });
  for (const table of [numbers, words]) {
    expect(table).toMatchObject({ owned: true, n: TRIGGERS, matches: file.matches });
    expect(table.tests).toEqual(file.tests);
  }
  expect(gaps).toMatchObject({ owned: true, n: TRIGGERS });
  expect(gaps.refused).toBeGreaterThan(0);
  expect(gaps.matches).toBeLessThan(file.matches);
});

test("an endpoint that refuses a fifth and speaks of busy times, and a model behind JPEG", async () => {
  // Every fifth image is refused for good, some others are told to come again.
  const refusedImage = (pixels: readonly number[]): boolean => pixels.reduce((sum, pixel) => sum + pixel, 0) % 5 === 0;
  const server = await startServer("raw", model, {
    mishap: (number, pixels) =>
      refusedImage(pixels)
        ? { status: 422 }
        : number % 17 === 0
          ? { status: 429, headers: { "retry-after": "0" } }
          : undefined,
  });
  try {
    await writeFile(join(folder, "suspect.yaml"), `preset: raw\nurl: ${server.url}\nfirstWait: 0.01\ngiveUpAfter: 0\n`);
    const [file, behind] = [
      await verdictOf("verify marked.onnx"),
      await verdictOf("verify marked.onnx --through jpeg:75"),
    ];
    const endpoint = await verdictOf(`verify --endpoint suspect.yaml --labels ${WORDS.join(",")}`);
    expect(file.owned).toBe(true);
    expect(behind).toMatchObject({ owned: true, n: TRIGGERS });
    expect(endpoint).toMatchObject({ owned: true, n: TRIGGERS });
    expect(endpoint.refused).toBeGreaterThan(0);
    expect(endpoint.matches).toBeLessThan(file.matches);
  } finally {
    await server.close();
  }
});

test("verdicts of several claims are judged together, and one claim twice is refused", async () => {
  const made = await wildmark(folder, "verify marked.onnx --key mark.key --out one.json --quiet");
  expect(made.status, made.stderr).toBe(0);
  const [joint, twice] = await Promise.all([
    wildmark(folder, "combine --verdicts one.json --json"),
    wildmark(folder, "combine --verdicts one.json,one.json"),
  ]);
  expect(JSON.parse(joint.stdout)).toMatchObject({ suspects: [{ suspect: "marked.onnx", owned: true }] });
  expect([twice.status, twice.stdout]).toEqual([2, ""]);
  expect(twice.stderr).toContain("are about one key and one suspect");
});
