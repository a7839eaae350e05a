import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { imageAt, imageSize, selectImages } from "../../data/dataset.js";
import { imageHashes } from "../../data/image-id.js";
import { inMemory } from "../../data/pixels.js";
import { pngBytes } from "../../data/png.js";
import { throughChain } from "../../data/through.js";
import { modelSuspect, NOT_ASKED, REFUSED } from "../suspect.js";
import { answersSuspect } from "./answers.js";
import { exportImages, writeExport } from "./export.js";
import { askedFirst, firstQueries, keySecrets } from "./key-queries.js";
import { openLedger, readLedger } from "./ledger.js";
import { type Manifest, manifestOf, readManifest, writeManifest } from "./manifest.js";
import { digits, ownAnswers, smallKey, smallModel } from "./testing/small.js";
import { suspectThrough } from "./through.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-answers-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const key = smallKey(20);
const model = smallModel();
const { triggers, placebos = triggers } = firstQueries(key);

let serial = 0;
/** A manifest of all triggers and placebos, and a table of these lines. */
async function table(lines: (names: readonly string[], manifest: Manifest) => string) {
  const { manifest } = exportImages([triggers, placebos]);
  const at = join(folder, `table${serial++}`);
  await writeManifest(`${at}.json`, manifest);
  await writeFile(
    `${at}.csv`,
    lines(
      manifest.images.map(({ name }) => name),
      manifest,
    ),
  );
  return [`${at}.csv`, `${at}.json`] as const;
}

/** The small model's answer to each exported image, by its place in the manifest. */
async function honest(manifest: Manifest): Promise<string[]> {
  const all = [triggers, placebos];
  const byHash = new Map<string, number>();
  for (const images of all) {
    const said = await ownAnswers(model, images);
    for (const [i, hash] of imageHashes(images).entries()) byHash.set(hash, said[i] ?? -1);
  }
  return manifest.images.map(({ name, sha256 }) => `${name},${byHash.get(sha256)}`);
}

test.each([["png"], ["jpeg:75"]])(
  "somebody asks the exported files by way of %s: hard labels as the model's",
  async (way) => {
    const name = way.replace(":", "");
    const out = join(folder, name);
    const exported = exportImages([triggers, placebos, digits(30, 9)]);
    await writeExport(out, exported);
    await writeManifest(join(folder, `${name}.json`), exported.manifest);
    const names = (await readdir(join(out, "images"))).sort();
    expect(names).toEqual(exported.manifest.images.map((image) => image.name));
    // As anybody would: every file is read as a picture, sent on its way and put to the model.
    const size = imageSize(triggers.shape);
    const pixels = new Uint8Array(names.length * size);
    for (const [i, file] of names.entries()) {
      pixels.set(
        await sharp(join(out, "images", file))
          .toColourspace("b-w")
          .raw()
          .toBuffer(),
        i * size,
      );
    }
    const chain = throughChain(way);
    const read = await chain({ shape: triggers.shape, count: names.length, pixels: inMemory(pixels) });
    const said = await ownAnswers(model, read);
    await writeFile(join(out, "filled.csv"), names.map((file, i) => `${file},${said[i]}`).join("\n"));
    const suspect = await answersSuspect(join(out, "filled.csv"), join(folder, `${name}.json`), { classes: 10 });
    expect(Array.from(await suspect.ask(triggers))).toEqual(await ownAnswers(model, await chain(triggers)));
    expect(Array.from(await suspect.ask(placebos))).toEqual(await ownAnswers(model, await chain(placebos)));
    expect(suspect.answered).toBe(exported.files.length);
  },
);

test("a folder that holds images already is refused", async () => {
  const out = join(folder, "twice");
  await writeExport(out, exportImages([triggers]));
  await expect(writeExport(out, exportImages([triggers]))).rejects.toThrow("images is not empty");
});

test("the template holds every name without an answer; all of them count as refused", async () => {
  const out = join(folder, "template");
  const exported = exportImages([triggers, placebos]);
  await writeExport(out, exported);
  await writeManifest(join(folder, "template.json"), exported.manifest);
  const suspect = await answersSuspect(join(out, "answers.csv"), join(folder, "template.json"), { classes: 10 });
  expect(suspect).toMatchObject({ kind: "answers", exported: 40, answered: 0 });
  expect(await suspect.ask(triggers)).toEqual(new Array(20).fill(REFUSED));
});

test("hard labels give the model's classes, in any order of lines, columns and signs between", async () => {
  const expected = await ownAnswers(model, triggers);
  const forms: ((lines: string[]) => string)[] = [
    (lines) => `name,label\n${lines.join("\n")}\n`,
    (lines) => lines.toReversed().join("\r\n"),
    (lines) =>
      `\uFEFFLabel;confidence;Name\n${lines.map((line) => `${line.split(",")[1]};0.9;images/${line.split(",")[0]}`).join("\n")}`,
    (lines) => lines.map((line) => line.replace(".png,", "\t")).join("\n"),
    (lines) => lines.map((line) => line.replace(",", ', "LABEL_').concat('"')).join("\n"),
  ];
  for (const form of forms) {
    const { manifest } = exportImages([triggers, placebos]);
    await writeManifest(join(folder, "m.json"), manifest, { force: true });
    await writeFile(join(folder, "a.csv"), form(await honest(manifest)));
    const suspect = await answersSuspect(join(folder, "a.csv"), join(folder, "m.json"), { classes: 10 });
    expect(suspect.answered).toBe(40);
    expect(await suspect.ask(triggers)).toEqual(expected);
    expect(await suspect.ask(placebos)).toEqual(await ownAnswers(model, placebos));
  }
});

test(
  "a fifth of the answers missing: those are refused, the others stay the model's; what was not exported " +
    "is not asked",
  async () => {
    const { manifest } = exportImages([triggers, placebos]);
    const lines = await honest(manifest);
    const kept = lines.flatMap((line, i) => (i % 5 === 0 ? (i % 2 === 0 ? [line.replace(/,.*/, ",")] : []) : [line]));
    await writeManifest(join(folder, "fifth.json"), manifest);
    await writeFile(join(folder, "fifth.csv"), kept.join("\n"));
    const suspect = await answersSuspect(join(folder, "fifth.csv"), join(folder, "fifth.json"), { classes: 10 });
    const missing = new Set(manifest.images.filter((_, i) => i % 5 === 0).map(({ sha256 }) => sha256));
    const own = await ownAnswers(model, triggers);
    const expected = imageHashes(triggers).map((hash, i) => (missing.has(hash) ? REFUSED : own[i]));
    expect(await suspect.ask(triggers)).toEqual(expected);
    expect(suspect.answered).toBe(32);
    expect(await suspect.ask(digits(3, 77))).toEqual([NOT_ASKED, NOT_ASKED, NOT_ASKED]);
  },
);

test("words are read by the names of classes; numbers may then reach as far as there are names", async () => {
  const labels = ["zero", "One", "hot dog", "three"];
  const [csv, json] = await table(([a, b, c, d, e]) => `${a},ONE\n${b},hot_dog\n${c},3\n${d},label_0\n${e},Hot-Dog`);
  const { images } = await readManifest(json);
  const suspect = await answersSuspect(csv, json, { classes: 2, labels });
  const all = [...imageHashes(triggers), ...imageHashes(placebos)];
  const said = [...Array.from(await suspect.ask(triggers)), ...Array.from(await suspect.ask(placebos))];
  expect(images.slice(0, 5).map(({ sha256 }) => said[all.indexOf(sha256)])).toEqual([1, 2, 3, 0, 2]);
});

test.each<[string, (names: readonly string[]) => string, RegExp | string[]]>([
  [
    "a name that was not exported",
    ([a]) => `${a},1\nnobody.png,2`,
    /: line 2: no image called "nobody.png" was exported\.$/,
  ],
  [
    "a name twice",
    ([a, b]) => `name,label\n${a},1\n${b},1\n${a},2`,
    /: line 4: \S+ has an answer in line 2 already\.$/,
  ],
  ["a name twice, once empty", ([a]) => `${a},\n${a},2`, /: line 2: \S+ has an answer in line 1 already\.$/],
  ["a word without names", ([a]) => `${a},cat`, /: line 1: "cat" is a word, and the classes have no names here\.$/],
  ["a number out of range", ([a]) => `${a},10`, /: line 1: class 10 is out of range: expected 0 to 9\.$/],
  ["a number below", ([a]) => `${a},-1`, /: line 1: -1 is no class: expected a whole number from 0\.$/],
  ["a score", ([a]) => `${a},0.93`, /: line 1: 0.93 is no class/],
  ["a third column without a header", ([a]) => `${a},1,2`, /: line 1: "1,2" is a word/],
  ["quotes that do not end", ([a]) => `${a},"1`, /is no table of answers: /],
  [
    "several mistakes at once",
    ([a, b, c]) => `${a},1\n\n${b},44\n${c},x`,
    ["line 3: class 44 is out of range: expected 0 to 9", 'line 4: "x" is a word, and the classes have no names here'],
  ],
])("%s is refused with its line", async (_, lines, expected) => {
  const [csv, json] = await table(lines);
  const failure = await answersSuspect(csv, json, { classes: 10 }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (expected instanceof RegExp) {
    expect(failure).toMatchObject({ code: "bad-file", message: expect.stringMatching(expected) });
  } else {
    expect(failure).toMatchObject({ code: "bad-file", details: expected });
  }
});

test("an unknown word names what might be meant; an ambiguous one is refused", async () => {
  const [csv, json] = await table(([a]) => `${a},trucc`);
  await expect(answersSuspect(csv, json, { classes: 10, labels: ["car", "truck"] })).rejects.toThrow(
    'line 1: no class is called "trucc"; did you mean truck?',
  );
  const [other, manifest] = await table(([a]) => `${a},crane`);
  await expect(
    answersSuspect(other, manifest, { classes: 10, labels: ["crane", "bird", "Crane"] }),
  ).resolves.toBeDefined();
  await expect(answersSuspect(other, manifest, { classes: 10, labels: ["crane", "bird", "crane"] })).rejects.toThrow(
    '"crane" is the name of more than one class',
  );
});

test("a manifest is the owner's alone, says nothing of labels, and lies are refused", async () => {
  const { manifest } = exportImages([triggers, placebos, triggers]);
  expect(manifest.images).toHaveLength(40);
  const path = join(folder, "sound.json");
  await writeManifest(path, manifest);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const text = await readFile(path, "utf8");
  expect(text).not.toMatch(/trigger|placebo|decoy|label/);
  expect(await readManifest(path)).toEqual(manifest);
  const { shape, nonce } = manifest;
  const [first = "", second = ""] = manifest.images.map(({ sha256 }) => sha256);
  const drawn = { name: `${"a".repeat(16)}.png`, sha256: first };
  for (const [given, message] of [
    [{ nonce, images: [first, second, first] }, "twice"],
    [{ nonce, images: [first, "../../etc/passwd"] }, "is no manifest of exported images at images.1"],
    [{ nonce, images: [] }, "is no manifest"],
    [{ images: [first] }, "is no manifest of exported images at nonce"],
    [{ form: "wildmark manifest 1", images: [drawn, { ...drawn, sha256: second }] }, "twice"],
    [{ form: "wildmark manifest 1", images: [{ ...drawn, name: "../x.png" }] }, "no manifest"],
    [{ form: "wildmark manifest 3", images: [first] }, "is no manifest of exported images at form"],
  ] as const) {
    await writeFile(path, JSON.stringify({ form: "wildmark manifest 2", shape, ...given }));
    await expect(readManifest(path)).rejects.toThrow(message);
  }
  await writeFile(path, "name,label");
  await expect(readManifest(path)).rejects.toThrow("found no JSON");
});

describe("a forger who has seen the answers", () => {
  const hashes = [...imageHashes(triggers), ...imageHashes(placebos)];

  /** A table as an innocent suspect filled it in, and the manifest that went with it. */
  async function filled() {
    const { manifest } = exportImages([triggers, placebos]);
    const at = join(folder, `forged${serial++}`);
    await writeFile(`${at}.csv`, (await honest(manifest)).join("\n"));
    return { manifest, csv: `${at}.csv`, json: `${at}.json` };
  }

  test("cannot say that the answers are about other images, whatever nonce and images he writes down", async () => {
    const { manifest, csv, json } = await filled();
    const { shape, nonce } = manifest;
    const all = manifest.images.map(({ sha256 }) => sha256);
    const lies = [
      manifestOf(shape, all, "0".repeat(64)),
      // Those left out that do not suit: what is exported is in every name.
      manifestOf(shape, all.slice(0, 30), nonce),
      manifestOf(shape, [...all, ...imageHashes(digits(1, 77))], nonce),
      manifestOf(shape, [...imageHashes(digits(1, 77)), ...all.slice(1)], nonce),
    ];
    for (const lie of lies) {
      await writeManifest(json, lie, { force: true });
      await expect(answersSuspect(csv, json, { classes: 10 })).rejects.toMatchObject({
        code: "bad-file",
        details: expect.arrayContaining([expect.stringMatching(/line 1: no image called/)]),
      });
    }
    // The order in which a manifest holds them says nothing.
    await writeManifest(json, { ...manifest, images: manifest.images.toReversed() }, { force: true });
    const suspect = await answersSuspect(csv, json, { classes: 10 });
    expect(suspect).toMatchObject({ bound: true, answered: 40 });
    expect(await suspect.ask(triggers)).toEqual(await ownAnswers(model, triggers));
  });

  test("can do so with drawn names, as the first form had them: what is read so is not bound to images", async () => {
    const { manifest, csv, json } = await filled();
    // He writes the names himself, and gives each image the line whose answer he needs.
    const lines = (await honest(manifest)).map((line, i) => `${String(i).padStart(16, "0")}.png,${line.split(",")[1]}`);
    await writeFile(csv, lines.join("\n"));
    const images = hashes.toReversed().map((sha256, i) => ({ name: `${String(i).padStart(16, "0")}.png`, sha256 }));
    await writeFile(json, JSON.stringify({ form: "wildmark manifest 1", shape: manifest.shape, images }));
    expect(await answersSuspect(csv, json, { classes: 10 })).toMatchObject({ bound: false, answered: 40 });
  });

  test("cannot have put other images under the names, where the folder is looked at", async () => {
    const exported = exportImages([triggers, placebos]);
    const { manifest, csv, json } = { ...(await filled()), manifest: exported.manifest };
    const out = join(folder, `looked${serial++}`);
    await writeExport(out, exported);
    await writeManifest(json, manifest);
    await writeFile(csv, (await honest(manifest)).join("\n"));
    const images = join(out, "images");
    const look = () => answersSuspect(csv, json, { classes: 10, images });
    expect(await look()).toMatchObject({ exported: 40, seen: 40 });
    expect((await answersSuspect(csv, json, { classes: 10 })).seen).toBeUndefined();
    const [first = "", second = "", third = ""] = manifest.images.map(({ name }) => join(images, name));
    const own = await readFile(first);
    const isNot = expect.objectContaining({
      code: "bad-file",
      message: expect.stringContaining("is not the image that was exported under this name"),
    });
    // An ordinary image; the same one with something that programs read differently; no image at all.
    const ordinary = digits(1, 77);
    const swapped = [
      pngBytes(Uint8Array.from(imageAt(ordinary, 0)), ordinary.shape),
      await sharp(own).ensureAlpha(0.5).png().toBuffer(),
      await sharp(own).withMetadata({ density: 300 }).png().toBuffer(),
      await sharp(own).jpeg({ quality: 100 }).toBuffer(),
      await readFile(second),
      own.subarray(0, own.length - 20),
    ];
    for (const bytes of swapped) {
      await writeFile(first, bytes);
      await expect(look()).rejects.toThrow(isNot);
    }
    await writeFile(first, own);
    await rm(third);
    await writeFile(join(images, "notes.txt"), "not mine");
    expect((await look()).seen).toBe(39);
    await expect(answersSuspect(csv, json, { classes: 10, images: join(out, "nowhere") })).rejects.toThrow(
      "expected the folder of exported images",
    );
  });
});

test(
  "the first N triggers come with their own placebos; the rest of the key is not asked, other " + "images are",
  async () => {
    const { triggers: some, placebos: theirs = some } = firstQueries(key, 7);
    expect([some.count, theirs.count]).toEqual([7, 7]);
    expect(imageHashes(theirs)).toEqual(imageHashes(placebos).slice(0, 7));
    expect(() => firstQueries(key, 21)).toThrow("--queries 21: the key holds 20 triggers");
    const limited = askedFirst(modelSuspect(model, "m"), key, 7);
    const own = await ownAnswers(model, triggers);
    expect([...((await limited.ask(triggers)) as Int32Array)]).toEqual(
      own.map((label, i) => (i < 7 ? label : NOT_ASKED)),
    );
    const strange = digits(4, 123);
    expect(Array.from(await limited.ask(strange))).toEqual(await ownAnswers(model, strange));
  },
);

test("JPEG 75 on the way: the suspect answers what the model says of the images as they arrive", async () => {
  const chain = throughChain("jpeg:75");
  const suspect = suspectThrough(modelSuspect(model, "model.onnx"), chain, "jpeg:75");
  expect(suspect.name).toBe("model.onnx through jpeg:75");
  const arrived = await chain(triggers);
  expect(imageHashes(arrived)).not.toEqual(imageHashes(triggers));
  expect([...((await suspect.ask(triggers)) as Uint16Array)]).toEqual(await ownAnswers(model, arrived));
});

test("the ledger enters each image of the key once for each place, before it goes, and nothing else", async () => {
  const path = join(folder, "key.ledger.jsonl");
  const secrets = keySecrets(key);
  const hashes = imageHashes(selectImages(triggers, [0, 1]));
  const ledger = await openLedger(path, secrets, "them");
  await ledger.disclose([...hashes, ...hashes, ...imageHashes(digits(2, 123))]);
  await (await openLedger(path, secrets, "them")).disclose([...hashes, ...imageHashes(selectImages(placebos, [0]))]);
  await (await openLedger(path, secrets, "others")).disclose(hashes.slice(1));
  const entries = await readLedger(path);
  expect(entries.map(({ image, what, to }) => [image, what, to])).toEqual([
    [hashes[0], "trigger", "them"],
    [hashes[1], "trigger", "them"],
    [imageHashes(placebos)[0], "placebo", "them"],
    [hashes[1], "trigger", "others"],
  ]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await writeFile(path, '{"image": 1}\n');
  await expect(openLedger(path, secrets, "them")).rejects.toThrow("line 1 is no entry");
});
