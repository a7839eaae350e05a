/** @file Result documents that cannot be read; those that can, and whose they are: `experiment.test.ts`. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readDocument } from "./documents.js";

describe("a result document that cannot be read", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "wildmark-result-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([
    ["no JSON", "{ not json", "found no JSON"],
    ["an empty file", "", "found no JSON"],
    ["another format", '{"kind":"experiment","format":"other"}', "format"],
    ["a later version", '{"format":"wildmark-result","kind":"experiment","version":3}', "version"],
    ["a list", "[]", "no result document of a known version"],
  ])("%s: bad-file, naming the file", async (_, text, says) => {
    const path = join(folder, "result.json");
    await writeFile(path, text);
    await expect(readDocument(path)).rejects.toMatchObject({
      code: "bad-file",
      message: expect.stringMatching(new RegExp(`result\\.json.*${says}`)),
    });
  });

  test("a missing one: bad-file", async () => {
    await expect(readDocument(join(folder, "nowhere.json"))).rejects.toMatchObject({ code: "bad-file" });
  });
});
