/** @file wildmark key export as people run it. */

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { wildmark, workFolder } from "./command-line.js";
import { writeFixtures } from "./fixtures.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);
beforeAll(() => writeFixtures(folder));

test(
  "images under names that tell nothing, with a table; manifest and ledger beside the key, for the " + "owner alone",
  async () => {
    const { status, stdout, stderr } = await wildmark(
      folder,
      "key export model.key --out ask --decoys 5 --dataset digits --to somebody --json --quiet",
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    // The key's four triggers are one image.
    expect(JSON.parse(stdout)).toMatchObject({ command: "key export", count: 6, triggers: 4, placebos: 0, decoys: 5 });
    expect((await readdir(join(folder, "ask"))).sort()).toEqual(["answers.csv", "images"]);
    const names = (await readdir(join(folder, "ask/images"))).sort();
    expect(names).toHaveLength(6);
    for (const name of names) expect(name).toMatch(/^[0-9a-f]{64}\.png$/);
    expect(await readFile(join(folder, "ask/answers.csv"), "utf8")).toBe(
      `name,label\n${names.map((name) => `${name},\n`).join("")}`,
    );
    for (const name of ["model.key.manifest.json", "model.key.ledger.jsonl"]) {
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    }
    const ledger = await readFile(join(folder, "model.key.ledger.jsonl"), "utf8");
    expect(z.object({ what: z.string(), to: z.string() }).parse(JSON.parse(ledger))).toEqual({
      what: "trigger",
      to: "somebody",
    });
  },
);

test.each([
  ["key export model.key --out two --manifest two/m.json", "--manifest two/m.json lies in two, which is given away."],
  ["key export model.key --out two --manifest new.json --queries 5", "--queries 5: the key holds 4 triggers."],
  ["key export model.key --out two --manifest new.json --decoys 3", "--decoys 3: of which data set?"],
  ["key export model.key --out two --manifest new.json --dataset digits", "--dataset speaks of decoys"],
  [
    "key export colour.key --out two --decoys 3 --dataset digits",
    "the images of digits are 1×28×28, the key's 3×32×32.",
  ],
  ["key export model.onnx --out two", "model.onnx"],
])("%s is refused, and discloses nothing", async (line, message) => {
  const { status, stderr } = await wildmark(folder, line);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
  await expect(stat(join(folder, "two"))).rejects.toThrow();
  await expect(stat(join(folder, "colour.key.ledger.jsonl"))).rejects.toThrow();
});
