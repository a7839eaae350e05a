/** @file Folders of class folders, made here: what is taken, what is passed over, what is refused. */

import { mkdir, mkdtemp, readdir, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { silent } from "../core/progress.js";
import { imageAt } from "./dataset.js";
import { loadPath } from "./path.js";

let root: string;
let env: Record<string, string>;
const load = (options = {}) => loadPath(join(root, "pets"), { env, ...options });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "wildmark-folder-"));
  env = { XDG_CACHE_HOME: join(root, "cache") };
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function picture(name: string, colour = "#c81e1e", width = 6, height = 4): Promise<string> {
  const path = join(root, "pets", name);
  await mkdir(dirname(path), { recursive: true });
  await sharp({ create: { width, height, channels: 3, background: colour } }).toFile(path);
  return path;
}

async function grey(name: string, level: number): Promise<void> {
  const path = join(root, "pets", name);
  await mkdir(dirname(path), { recursive: true });
  const raw = { width: 6, height: 4, channels: 1 } as const;
  await sharp(Buffer.alloc(24, level), { raw }).toColourspace("b-w").png().toFile(path);
}

describe("a sound folder", () => {
  it("is read with its own test split, planes apart, and says what it was taken for", async () => {
    for (const split of ["train", "val"]) {
      await picture(`${split}/dog/a.png`, "#0a141e");
      await picture(`${split}/cat/b.png`, "#ff0080");
    }
    await picture("train/cat/deep/c.png", "#ff0080");
    const { train, test, classNames, warnings } = await load();
    expect(classNames).toEqual(["cat", "dog"]);
    expect(train).toMatchObject({ classes: 2, count: 3, shape: { channels: 3, height: 4, width: 6 } });
    expect([...train.labels, ...test.labels]).toEqual([0, 0, 1, 0, 1]);
    const planes = (...levels: number[]) => levels.flatMap((level) => new Array(24).fill(level));
    expect([...imageAt(test, 0)]).toEqual(planes(255, 0, 128));
    expect([...imageAt(test, 1)]).toEqual(planes(10, 20, 30));
    expect(warnings[0]).toContain("class-folders: 2 classes, 3 + 2 images, colour, 4x6");
    expect(warnings.slice(1)).toEqual(['classes: 0 "cat", 1 "dog"', 'no test folder: "val" is the test set']);
  });

  it("stays grey where all images are, and is split by class where it has no test images", async () => {
    for (let i = 0; i < 12; i++) for (const name of ["a", "<script>", "猫 😀"]) await grey(`${name}/${i}.png`, 20 * i);
    const [one, again, other] = [await load(), await load(), await load({ seed: 1 })];
    expect(one.train.shape.channels).toBe(1);
    expect([one.train.count, one.test.count]).toEqual([30, 6]);
    expect([...one.test.labels]).toEqual([0, 0, 1, 1, 2, 2]);
    expect(again.sha256).toBe(one.sha256);
    expect(other.sha256).not.toBe(one.sha256);
    expect(one.warnings[1]).toBe('classes: 0 "<script>", 1 "a", 2 "猫 😀"');
    expect(one.warnings[2]).toMatch(/^no test folder: 6 of 36 images/);
  });

  it("is decoded once while it stays the same, and leaves no other file", async () => {
    for (const name of ["a/1.png", "a/2.png", "b/1.jpg", "b/2.webp"]) await picture(name);
    const cached = async () => (await readdir(join(root, "cache/wildmark/folders"))).sort();
    const first = await load();
    const before = await cached();
    const looked: string[] = [];
    const progress = { ...silent, update: (what: string) => looked.push(what) };
    const second = await load({ progress });
    expect([second.sha256, looked]).toEqual([first.sha256, []]);
    expect(await cached()).toEqual(before);
    await utimes(join(root, "pets/a/1.png"), 1, 1);
    await load();
    expect((await cached()).length).toBe(2);
    expect((await cached()).every((name) => name.endsWith(".raw"))).toBe(true);
  });

  it("clears away what a killed process left, but not what another one writes", async () => {
    for (const name of ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]) await picture(name);
    const cache = join(root, "cache/wildmark/folders");
    await mkdir(cache, { recursive: true });
    for (const name of ["old.raw.1.part", "new.raw.2.part"]) await writeFile(join(cache, name), "x");
    await utimes(join(cache, "old.raw.1.part"), 1, 1);
    await load();
    const left = (await readdir(cache)).filter((name) => !name.endsWith(".raw"));
    expect(left).toEqual(["new.raw.2.part"]);
  });

  it("passes over hidden files, other files, and links that lead out", async () => {
    for (const name of ["a/1.png", "a/2.png", "b/1.png", "b/2.png", "a/.hidden.png", ".git/x.png"]) await picture(name);
    await writeFile(join(root, "pets/a/notes.txt"), "x");
    await writeFile(join(root, "secret.png"), "x");
    await symlink(join(root, "secret.png"), join(root, "pets/b/out.png"));
    const { train, test, warnings } = await load();
    expect([train.count, test.count]).toEqual([2, 2]);
    expect(warnings.at(-1)).toMatch(/2 files are passed over/);
  });
});

describe("splits", () => {
  it.each([
    ["Train", "Test"],
    ["TRAINING", "testing"],
    ["train", "Validation"],
    ["Training", "VAL"],
    ["train", "valid"],
  ])("are %s and %s, never classes", async (first, second) => {
    for (const split of [first, second]) for (const name of ["cat", "dog"]) await picture(`${split}/${name}/1.png`);
    const { train, test, classNames } = await load();
    expect([classNames, train.count, test.count]).toEqual([["cat", "dog"], 2, 2]);
  });

  it("that are not used are said, with how much lies there, and folders that are none too", async () => {
    for (const split of ["Train", "test", "val", "extra"]) {
      for (const name of ["cat", "dog"]) await picture(`${split}/${name}/1.png`);
    }
    expect((await load()).warnings.slice(1)).toEqual([
      'classes: 0 "cat", 1 "dog"',
      '"extra" (2 images) is not used: it is no split',
      '"val" (2 images) is not used: "test" is the test set',
    ]);
  });

  it("may lack a test part: then one is held back", async () => {
    for (const image of ["1.png", "2.png"])
      for (const name of ["cat", "dog"]) await picture(`Training/${name}/${image}`);
    const { classNames, train, test, warnings } = await load();
    expect([classNames, train.count, test.count]).toEqual([["cat", "dog"], 2, 2]);
    expect(warnings[2]).toMatch(/^no test folder: 2 of 4 images/);
  });

  it.each<[string, string[], RegExp]>([
    ["test beside classes", ["cat/1.png", "dog/1.png", "Test/1.png"], /holds "Test", which is a split and no class/],
    ["train as a class", ["bus/1.png", "train/1.png", "tram/1.png"], /train holds images and no class folders/],
    ["two of a kind", ["Train/a/1.png", "training/a/1.png", "test/a/1.png"], /both "Train" and "training": two train/],
    ["splits with other classes", ["train/a/1.png", "train/b/1.png", "val/a/1.png", "val/c/1.png"], /such as "b"/],
    [
      "a folder around",
      ["all/train/a/1.png", "all/test/a/1.png"],
      /all is no class: .* only folders: "test", "train"$/,
    ],
    [
      "folds",
      ["a/1/x.png", "a/2/x.png", "a/3/x.png", "a/4/x.png", "b/1.png"],
      /only folders: "1", "2", "3" and 1 more/,
    ],
  ])("%s is refused with what was found", async (_, names, message) => {
    for (const name of names) await picture(name);
    await expect(load()).rejects.toMatchObject({ code: "bad-data", message: expect.stringMatching(message) });
  });

  it("of a folder around are named: that folder is to be given", async () => {
    for (const name of ["all/train/a/1.png", "all/test/a/1.png"]) await picture(name);
    await expect(load()).rejects.toMatchObject({ hint: expect.stringMatching(/^name that folder: .*pets\/all$/) });
  });
});

describe("what is odd is said, and stays with the data:", () => {
  it("a class folder without images", async () => {
    for (const name of ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]) await picture(name);
    await mkdir(join(root, "pets/c"));
    const { classNames, doubts, warnings } = await load();
    expect(classNames).toEqual(["a", "b"]);
    expect(doubts).toEqual([expect.stringMatching(/^empty class: ".*pets\/c" holds no images/)]);
    expect(warnings).toContain(doubts?.[0]);
  });

  it("images of 0 and 1, all or some; a limit loses no doubt", async () => {
    for (const name of ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]) await grey(name, 1);
    expect((await load()).doubts).toEqual([expect.stringMatching(/^0\/1 bytes: no pixel of 4 images/)]);
    await grey("b/2.png", 200);
    const mixed = [expect.stringMatching(/^mixed scales: 3 of 4 images/)];
    expect((await load()).doubts).toEqual(mixed);
    expect((await load({ limits: { train: 1 } })).doubts).toEqual(mixed);
  });
});

describe("is refused:", () => {
  it("sizes that differ, naming two files; --resize brings them together", async () => {
    for (const name of ["a/1.png", "a/2.png", "b/1.png"]) await picture(name);
    await picture("b/2.png", "#ffffff", 9, 9);
    await expect(load()).rejects.toMatchObject({
      code: "bad-data",
      message: expect.stringMatching(/\.png is (4x6|9x9), .*\.png is (4x6|9x9)/),
      hint: expect.stringContaining("--resize"),
    });
    expect((await load({ resize: { height: 5, width: 3 } })).train.shape).toEqual({ channels: 3, height: 5, width: 3 });
  });

  it.each(["png", "jpg", "webp"])("a truncated %s, which is named", async (kind) => {
    for (const name of ["a/1", "a/2", "b/1"]) await picture(`${name}.png`, "#123456", 64, 64);
    const noise = Buffer.from(Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i * 31) >> 3));
    const path = join(root, `pets/b/2.${kind}`);
    const { size } = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } }).toFile(path);
    await truncate(path, size >> 1);
    await expect(load()).rejects.toMatchObject({ code: "bad-file", message: expect.stringContaining(path) });
    expect((await readdir(join(root, "cache/wildmark/folders")).catch(() => [])).length).toBe(0);
  });

  it.each(["png", "jpg", "webp"] as const)(
    "damaged %s, or it is read; never a hang, never another error",
    async (kind) => {
      for (const name of ["a/1", "a/2", "b/1"]) await picture(`${name}.${kind}`, "#123456", 16, 16);
      const path = await picture(`b/2.${kind}`, "#654321", 16, 16);
      const noise = Buffer.from(Uint8Array.from({ length: 768 }, (_, i) => (i * i * 31) >> 3));
      const good = await sharp(noise, { raw: { width: 16, height: 16, channels: 3 } })
        .toFormat(kind === "jpg" ? "jpeg" : kind)
        .toBuffer();
      let refused = 0;
      const attempt = async (bytes: Uint8Array): Promise<void> => {
        await writeFile(path, bytes);
        const error: unknown = await load().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (error === undefined) return;
        if (!(error instanceof WildmarkError)) throw error;
        expect(error.message).toContain(path);
        expect(error.message).not.toContain("\n");
        refused++;
      };
      const cuts = fc.nat(good.length - 1).map((length) => good.subarray(0, length));
      const flips = fc.array(fc.nat(good.length * 8 - 1), { minLength: 1, maxLength: 4 }).map((bits) => {
        const bytes = Buffer.from(good);
        for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        return bytes;
      });
      await fc.assert(fc.asyncProperty(fc.oneof(cuts, flips), attempt), { numRuns: 60, seed: 1 });
      expect(refused).toBeGreaterThan(20);
    },
  );

  it("one class, a class of one image, no images, no folders", async () => {
    await picture("a/1.png");
    await picture("a/2.png");
    await expect(load()).rejects.toThrow(/images of one class only, "a"/);
    await picture("b/1.png");
    await expect(load()).rejects.toThrow(/class "b" has a single image/);
    await rm(join(root, "pets"), { recursive: true });
    await mkdir(join(root, "pets/empty"), { recursive: true });
    await expect(load()).rejects.toThrow(/no images; expected at least two folders/);
    await rm(join(root, "pets/empty"), { recursive: true });
    await expect(load()).rejects.toMatchObject({ code: "bad-file", hint: expect.stringContaining("for each class") });
  });
});
