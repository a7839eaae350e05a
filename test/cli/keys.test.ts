/** @file The commands that make, look at, check and open keys, as people run them. */

import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { wildmark, workFolder } from "./command-line.js";
import { writeFixtures } from "./fixtures.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const TRIGGERS = 60;

beforeAll(async () => {
  await writeFixtures(folder);
  for (const [place, first] of [
    ["mine", 0],
    ["alike", 1000],
  ] as const) {
    await mkdir(join(folder, place));
    for (let i = 0; i < TRIGGERS; i++) {
      // Stripes of a width and a phase of their own: no two alike.
      const pixels = Buffer.from(
        Array.from({ length: 784 }, (_, at) => (Math.sin((at * (first + i + 3)) / 97) > 0 ? 255 : (i * 4) % 200)),
      );
      const raw = { width: 28, height: 28, channels: 1 } as const;
      const path = join(folder, place, `${String(i).padStart(3, "0")}.png`);
      await sharp(pixels, { raw }).toColourspace("b-w").png().toFile(path);
    }
  }
  const line = "key make --images mine --classes 10 --out drawn.key --list train.csv --model model.onnx";
  expect((await wildmark(folder, line)).status).toBe(0);
}, 60_000);

const json = async (line: string): Promise<unknown> => {
  const { status, stdout, stderr } = await wildmark(folder, `${line} --json --quiet`);
  expect({ line, status, stderr }).toEqual({ line, status: 0, stderr: "" });
  return JSON.parse(stdout);
};

test("key make draws labels, writes them down for training, and keeps the key private", async () => {
  const lines = (await readFile(join(folder, "train.csv"), "utf8")).trim().split("\n");
  expect(lines[0]).toBe("name,label");
  expect(lines).toHaveLength(TRIGGERS + 1);
  for (const line of lines.slice(1)) expect(line).toMatch(/^mine\/\d{3}\.png,\d$/);
  expect((await stat(join(folder, "drawn.key"))).mode & 0o777).toBe(0o600);
  expect(await json("key show drawn.key")).toMatchObject({
    scheme: "made-elsewhere",
    provenance: "drawn",
    labelling: "uniform",
    triggers: TRIGGERS,
    distinct: TRIGGERS,
  });
});

test("key make takes labels that somebody chose, by the names of the classes", async () => {
  const rows = Array.from({ length: TRIGGERS }, (_, i) => `${String(i).padStart(3, "0")}.png,c${i % 10}`);
  await writeFile(join(folder, "labels.csv"), `name,label\n${rows.join("\n")}\n`);
  const names = Array.from({ length: 10 }, (_, i) => `c${i}`).join(",");
  const made = await json(`key make --images mine --labels labels.csv --class-names ${names} --out chosen.key`);
  expect(made).toMatchObject({ provenance: "chosen", classes: 10 });
  const { triggers } = z.object({ triggers: z.array(z.object({ label: z.int(), className: z.string() })) }).parse(made);
  expect(triggers.map(({ label }) => label)).toEqual(Array.from({ length: TRIGGERS }, (_, i) => i % 10));
  expect(triggers[3]?.className).toBe("c3");
  const shown = await wildmark(folder, "key show chosen.key");
  expect(shown.stdout).toContain("chosen by somebody");
  expect(shown.stdout).toContain('"c0", "c1"');
});

test(
  "key make lets coins fall where placebos were made alike: the list names the images that are " + "triggers now",
  async () => {
    const made = await json("key make --images mine --placebos alike --exchangeable --classes 10 --out coins.key");
    expect(made).toMatchObject({ exchangeable: true, placebos: TRIGGERS });
    const { triggers } = z.object({ triggers: z.array(z.object({ image: z.string() })) }).parse(made);
    const taken = triggers.filter(({ image }) => image.startsWith("alike/")).length;
    expect(taken).toBeGreaterThan(10);
    expect(taken).toBeLessThan(50);
  },
);

test("key show keeps secret and pictures to itself unless they are asked for", async () => {
  const plain = await wildmark(folder, "key show drawn.key");
  expect(plain.stdout).not.toMatch(/^secret/m);
  expect(await json("key show drawn.key")).not.toHaveProperty("secret");
  expect(await json("key show drawn.key --secret")).toMatchObject({ secret: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const { stdout } = await wildmark(folder, "key show drawn.key --pictures seen.png");
  expect(stdout).toContain("The triggers are in seen.png.");
  expect((await sharp(join(folder, "seen.png")).metadata()).width).toBe(8 * 30 + 2);
  expect((await wildmark(folder, "key show drawn.key --pictures seen.png")).stderr).toContain("already exists");
});

test(
  "key check says what a key can prove; a key that can prove nothing ends with 1 where that is " + "asked for",
  async () => {
    expect(await json("key check drawn.key")).toMatchObject({
      sound: true,
      distinct: TRIGGERS,
      committed: { needs: ["null models: 1 (1 of them assumed)"] },
    });
    const one = await wildmark(folder, "key check model.key --strict");
    expect(one.status).toBe(1);
    expect(one.stderr).toBe("");
    // Four triggers of one picture.
    expect(one.stdout).toMatch(/^Not sound: whatever a suspect answers, it shows nothing at 0.05/);
    expect((await wildmark(folder, "key check model.key")).status).toBe(0);
    const misfit = await wildmark(folder, "key check drawn.key --null-models five.onnx");
    expect(misfit.status).toBe(2);
    expect(misfit.stderr).toContain("five.onnx tells 5 classes apart");
  },
);

test("a committed key is opened trigger by trigger, and held against the commitment", async () => {
  const committed = z.object({ commitment: z.string(), salt: z.string() }).parse(await json("key commit drawn.key"));
  const { commitment, salt } = committed;
  expect(await json(`key open drawn.key --triggers 0-2,7 --salt ${salt} --out opened.json`)).toMatchObject({
    commitment,
    opened: [0, 1, 2, 7],
  });
  const asked = await json(`key check-opened opened.json --commitment ${commitment} --suspect model.onnx`);
  expect(asked).toMatchObject({ indices: [0, 1, 2, 7], evidence: { opened: 4, triggers: TRIGGERS } });
  const other = await wildmark(folder, `key check-opened opened.json --commitment ${"0".repeat(64)}`);
  expect(other.status).toBe(2);
  expect(other.stderr).toContain("not what was committed to");
  const verified = await wildmark(
    folder,
    `verify model.onnx --key drawn.key --commitment ${commitment} --salt ${salt}`,
  );
  expect(verified.status).toBe(0);
  const text = await wildmark(folder, `key check-opened opened.json --commitment ${commitment} --suspect model.onnx`);
  expect(text.stdout).toContain("Evidence of the weaker kind");
});

test.each([
  ["key make --images mine --out x.key", "how many classes"],
  ["key make --images mine --classes 3 --class-names a,b --out x.key", "--class-names are 2, --classes says 3"],
  ["key make --images mine --classes 3 --class-names none --out x.key", "--class-names none: there is no such file"],
  ["key make --images mine --exchangeable --classes 3 --out x.key", "--exchangeable needs --placebos"],
  ["key make --images mine --classes 10 --out drawn.key", "already exists"],
  ["key make --images mine --classes 5 --model model.onnx --out x.key", "tells 10 classes apart"],
  ["key make --images mine --classes 10 --labels train.csv --out x.key", "there is no image"],
  ["key open drawn.key --triggers 60 --salt 00 --out x.json", "triggers 0 to 59"],
  ["key open drawn.key --triggers 2-1 --salt 00 --out x.json", "expected numbers"],
  ["key open drawn.key --triggers 1 --salt 00 --out x.json", "A salt is 64 hexadecimal digits"],
  ["key open model.key --triggers 1 --salt 00 --out x.json", "drawn from a secret"],
])("%s is refused, and leaves nothing", async (line, message) => {
  const { status, stderr } = await wildmark(folder, line);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
  await expect(stat(join(folder, "x.key"))).rejects.toThrow();
  await expect(stat(join(folder, "x.json"))).rejects.toThrow();
});
