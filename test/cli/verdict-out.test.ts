/**
 * @file verify --out: the document is written in the forms asked for, drawn again to the same bytes, and refused
 * otherwise.
 */

import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { wildmark, workFolder } from "./command-line.js";
import { writeFixtures } from "./fixtures.js";

const work = await workFolder();
const { folder } = work;
const read = (name: string): Promise<string> => readFile(join(folder, name), "utf8");

beforeAll(() => writeFixtures(folder));
afterAll(work.remove);

test("writes page and data; report draws the same page from the data, and refuses data that were changed", async () => {
  const asked = await wildmark(folder, "verify model.onnx --key model.key --out verdict.html,verdict.json");
  expect(asked.status, asked.stderr).toBe(0);
  expect(asked.stdout).toContain("Document: verdict.html, verdict.json");
  const drawn = await wildmark(folder, "report verdict.json --out again.html");
  expect(drawn.status, drawn.stderr).toBe(0);
  const page = await read("again.html");
  expect(page).toBe(await read("verdict.html"));
  expect(page).toContain("Does model.onnx carry the mark of model.key?");
  expect(page).not.toContain("<img");
  const document = await read("verdict.json");
  expect(JSON.parse(document)).toMatchObject({
    kind: "verdict",
    command: "wildmark verify model.onnx --key model.key --out verdict.html,verdict.json",
    verdict: { owned: false },
  });

  await writeFile(join(folder, "forged.json"), document.replace('"owned": false', '"owned": true'));
  const forged = await wildmark(folder, "report forged.json --out forged.html");
  expect(forged.status).toBe(2);
  expect(forged.stderr).toContain("forged.json contradicts itself: verdict: ownership is called shown with p = 1 at");
  await expect(stat(join(folder, "forged.html"))).rejects.toThrow();

  // Neither is replaced unasked.
  const twice = await wildmark(folder, "verify model.onnx --key model.key --out verdict.html");
  expect(twice.stderr).toContain("verdict.html already exists");
  const forced = await wildmark(
    folder,
    "verify model.onnx --key model.key --out verdict.html --pictures --force --json",
  );
  expect(JSON.parse(forced.stdout)).toMatchObject({ out: ["verdict.html"] });
  expect(await read("verdict.html")).toContain('<img src="data:image/png;base64,');
});

test.each([
  ["--out verdict.pdf", /--out verdict\.pdf: the verdict is written as \.html or \.json/],
  ["--out verdict", /written as \.html or \.json/],
  ["--out a.html,a.html", /a\.html is named twice/],
  ["--out nowhere/a.html", /nowhere/],
  ["--pictures", /--pictures shows triggers in a document, and none is written/],
])("%s is refused before anything is asked", async (flags, says) => {
  const { status, stderr } = await wildmark(folder, `verify missing.onnx --key model.key ${flags}`);
  expect(status).toBe(2);
  expect(stderr).toMatch(says);
  expect(stderr).not.toContain("missing.onnx");
});
