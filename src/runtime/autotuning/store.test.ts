/** @file Choices on disk: kept once, read back as they were, and never trusted when damaged. */

import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { identityKey, identityOf } from "./identity.js";
import { findChoice, type KeptChoice, keepChoice } from "./store.js";
import { nodeOf } from "./testing/nodes.js";

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "wildmark-choices-")), "lowerings");
});
afterEach(() => rm(join(folder, ".."), { recursive: true, force: true }));

const identity = identityOf(nodeOf("ConvGradInput"), ["transposed", "rotated"], { device: "cpu", threads: 1 });
const choice: KeptChoice = {
  identity,
  measured: [
    { lowering: "transposed", turns: [2, 2.5] },
    { lowering: "rotated", turns: [1, 1.25] },
  ],
  lowering: "rotated",
  at: "2026-01-02T03:04:05.000Z",
};
const file = (): string => join(folder, `${identityKey(identity)}.json`);

test("what is kept is found again, by its identity only", async () => {
  expect(await findChoice(folder, identity)).toEqual({ kind: "absent" });
  expect(await keepChoice(folder, choice)).toEqual(choice);
  expect(await findChoice(folder, identity)).toEqual({ kind: "found", choice });
  expect(await findChoice(folder, { ...identity, threads: 2 })).toEqual({ kind: "absent" });
});

test("the first to keep a choice decides; nothing is left beside it", async () => {
  const others = ["transposed", "rotated"].flatMap((lowering) =>
    Array.from({ length: 8 }, () => keepChoice(folder, { ...choice, lowering })),
  );
  const kept = await Promise.all(others);
  const found = await findChoice(folder, identity);
  expect(found).toMatchObject({ kind: "found", choice: kept[0] });
  for (const each of kept) expect(each).toEqual(kept[0]);
  expect(await readdir(folder)).toHaveLength(1);
});

test.each([
  ["no JSON", () => "{", /it is no JSON/],
  ["empty", () => "", /it is no JSON/],
  ["another version", (text: string) => text.replace('"version": 1', '"version": 2'), /no measured lowering/],
  [
    "a choice that is no candidate",
    (text: string) => text.replace('"lowering": "rotated",\n "at"', '"lowering": "x",\n "at"'),
    /no measured lowering/,
  ],
  ["something added", (text: string) => text.replace("{", '{ "more": 1,'), /no measured lowering/],
  ["another's choice", (text: string) => text.replace('"threads": 1', '"threads": 7'), /something else/],
])("a file with %s is not used, and gives way to the next choice", async (_, damage, why) => {
  await keepChoice(folder, choice);
  const text = await readFile(file(), "utf8");
  expect(damage(text)).not.toBe(text);
  await writeFile(file(), damage(text));
  const found = await findChoice(folder, identity);
  expect(found).toEqual({ kind: "damaged", why: expect.stringMatching(why) });
  expect(found).toEqual({ kind: "damaged", why: expect.stringContaining(file()) });

  await keepChoice(folder, { ...choice, lowering: "transposed" });
  expect(await findChoice(folder, identity)).toMatchObject({ kind: "found", choice: { lowering: "transposed" } });
});

test("a folder that cannot be made is a foreseen error", async () => {
  await writeFile(join(folder, "..", "file"), "");
  await expect(keepChoice(join(folder, "..", "file", "x"), choice)).rejects.toMatchObject({ code: "cannot-write" });
});

test.skipIf(process.getuid?.() === 0)("a file that may not be read is not used", async () => {
  await keepChoice(folder, choice);
  await chmod(file(), 0);
  expect(await findChoice(folder, identity)).toMatchObject({ kind: "damaged" });
});
