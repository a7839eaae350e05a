/** @file One key, one model, asked in every way there is: the same answers, and so the same verdict. */

import { createHash } from "node:crypto";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decode } from "fast-png";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { answers } from "../../src/data/answers.js";
import { imageHashes } from "../../src/data/image-id.js";
import { inMemory } from "../../src/data/pixels.js";
import type { Model } from "../../src/onnx/model.js";
import { readModelFile } from "../../src/onnx/model-file.js";
import { decodeKey, encodeKey } from "../../src/ownership/key-file.js";
import { readEndpoint } from "../../src/ownership/suspects/endpoint/config.js";
import { openTranscript } from "../../src/ownership/suspects/endpoint/transcript.js";
import { startServer, WORDS } from "../../src/ownership/suspects/testing/servers.js";
import { smallModel } from "../../src/ownership/suspects/testing/small.js";
import { wildmark, workFolder } from "./command-line.js";
import { modelBytes } from "./fixtures.js";

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

const sha256Of = (text: string): string => createHash("sha256").update(text).digest("hex");
const firstOf = async (path: string): Promise<string> => (await readdir(join(folder, path))).sort().at(0) ?? "";
const lastOf = async (path: string): Promise<string> => (await readdir(join(folder, path))).sort().at(-1) ?? "";

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

test(
  "a table of answers, by numbers and by words, gives the file's tests; a fifth refused still shows " + "the mark",
  async () => {
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
  },
);

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

test(
  "a manifest of the first form, which whoever saw the answers can write, shows nothing; other images " + "are refused",
  async () => {
    // An innocent suspect: it answers as it likes, and the forger says which answer was which image's.
    const key = decodeKey(await readFile(join(folder, "mark.key")), "mark.key");
    const hashes = imageHashes({ ...key, count: TRIGGERS, pixels: inMemory(key.triggers.images) });
    const nameOf = (i: number): string => `${String(i).padStart(16, "0")}.png`;
    const innocent = Array.from({ length: 10 * TRIGGERS }, (_, i) => i % 10);
    await writeFile(join(folder, "lie.csv"), innocent.map((label, i) => `${nameOf(i)},${label}`).join("\n"));
    const images = hashes.map((sha256, i) => ({ name: nameOf(10 * i + (key.triggers.labels[i] ?? 0)), sha256 }));
    const others = innocent.flatMap((_, i) =>
      images.some(({ name }) => name === nameOf(i)) ? [] : [{ name: nameOf(i), sha256: sha256Of(`${i}`) }],
    );
    const { shape } = key;
    await writeFile(
      join(folder, "lie.json"),
      JSON.stringify({ form: "wildmark manifest 1", shape, images: [...images, ...others] }),
    );
    const lie = await wildmark(folder, "verify --answers lie.csv --manifest lie.json --key mark.key --quiet");
    expect(lie.stdout).toMatch(/^Ownership is not shown: nothing can be, .* without a manifest whose names follow/);
    expect(lie.stdout).toContain(`${TRIGGERS} of ${TRIGGERS} triggers answered`);
    const named = await wildmark(folder, "verify --answers numbers.csv --key mark.key --images asked/images --quiet");
    expect(named.stdout).toContain("all exported images were looked at");
    await copyFile(
      join(folder, "asked/images", await lastOf("asked/images")),
      join(folder, "asked/images", await firstOf("asked/images")),
    );
    const swapped = await wildmark(folder, "verify --answers numbers.csv --key mark.key --images asked/images --quiet");
    expect(swapped.status).toBe(2);
    expect(swapped.stderr).toContain("is not the image that was exported under this name");
  },
);

test(
  "a transcript that nobody heard does not show a mark; what was read and not heard stands in " + "the verdict",
  async () => {
    const key = decodeKey(await readFile(join(folder, "mark.key")), "mark.key");
    const server = await startServer("raw", smallModel());
    try {
      await writeFile(join(folder, "innocent.yaml"), `preset: raw\nurl: ${server.url}\n`);
      const { name, asking } = await readEndpoint(join(folder, "innocent.yaml"));
      const path = join(folder, "mark.key.innocent.transcript.jsonl");
      const transcript = await openTranscript(path, { to: name, asking });
      const [triggers, placebos] = [key.triggers, key.placebos].map((held) =>
        imageHashes({ ...key, count: TRIGGERS, pixels: inMemory(held?.images ?? new Uint8Array(0)) }),
      );
      const answer = (image: string, label: number): Promise<void> =>
        transcript.append({
          outcome: "answer",
          image,
          status: 200,
          tries: 1,
          raw: `[{"label":"LABEL_${label}","score":1}]`,
        });
      for (const [i, image] of (triggers ?? []).entries()) await answer(image, key.triggers.labels[i] ?? 0);
      for (const [i, image] of (placebos ?? []).entries())
        await answer(image, ((key.triggers.labels[i] ?? 0) + 1) % 10);
      await transcript.close();
      const believed = await wildmark(folder, "verify --endpoint innocent.yaml --key mark.key --quiet");
      expect([believed.status, believed.stdout]).toEqual([2, ""]);
      expect(believed.stderr).toMatch(/answers that were asked for again, \d+ are others now/);
      const fresh = await verdictOf("verify --endpoint innocent.yaml --fresh");
      expect(fresh).toMatchObject({ owned: false, n: TRIGGERS });
      const again = await wildmark(folder, "verify --endpoint innocent.yaml --key mark.key --quiet");
      expect(again.stdout).toMatch(/^\d+ of \d+ answers were read from a transcript and not heard by this command/m);
    } finally {
      await server.close();
    }
  },
);

test("a dry run counts the null models that stand beside", async () => {
  await writeFile(join(folder, "dry.yaml"), "preset: raw\nurl: http://127.0.0.1:1\n");
  const made = await wildmark(folder, "key commit mark.key --json");
  const { commitment, salt } = z.object({ commitment: z.string(), salt: z.string() }).parse(JSON.parse(made.stdout));
  const line =
    `verify --endpoint dry.yaml --key mark.key --queries 20 --commitment ${commitment} --salt ` +
    `${salt} --dry-run --json --quiet`;
  const least = async (more: string): Promise<number> => {
    const { stdout, stderr } = await wildmark(folder, line + more);
    expect(stderr).toBe("");
    return z.object({ smallestPValue: z.number() }).parse(JSON.parse(stdout)).smallestPValue;
  };
  expect(await least("")).toBeGreaterThan(0.05);
  await writeFile(join(folder, "null.onnx"), modelBytes({ channels: 1, height: 28, width: 28 }, 10));
  expect(await least(" --null-models null.onnx")).toBeLessThan(0.05);
  // With data beside, it is found to be no model of the task.
  const stray = await wildmark(
    folder,
    "verify marked.onnx --key mark.key --null-models null.onnx --dataset digits --limit 1500 --strangers 0 --quiet",
  );
  expect([stray.status, stray.stdout]).toEqual([2, ""]);
  expect(stray.stderr).toMatch(/null\.onnx cannot be a null model: it answers \d+ of 500 images of the data rightly/);
});

test("keys that differ in words only are one claim", async () => {
  const key = decodeKey(await readFile(join(folder, "mark.key")), "mark.key");
  await writeFile(join(folder, "words.key"), encodeKey({ ...key, createdBy: "another program" }));
  for (const name of ["mark", "words"]) {
    const made = await wildmark(folder, `verify marked.onnx --key ${name}.key --out ${name}.json --quiet`);
    expect(made.status, made.stderr).toBe(0);
  }
  const joint = await wildmark(folder, "combine --verdicts mark.json,words.json");
  expect([joint.status, joint.stdout]).toEqual([2, ""]);
  expect(joint.stderr).toContain("are about one key and one suspect");
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
