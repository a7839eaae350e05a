/** @file Documents of version 1 told in the terms of version 2: the published ones, whole, with what they said. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { z } from "zod";
import type { ExperimentDocument } from "./document.js";
import { isV1, parseV1 } from "./document-v1.js";

const results = fileURLToPath(new URL("../../docs/results", import.meta.url));
const published = readdirSync(results, { recursive: true, encoding: "utf8" }).filter(
  (path) => path.endsWith("result.json") && readFileSync(join(results, path), "utf8").includes('"version": 1'),
);
const read = (path: string): unknown => JSON.parse(readFileSync(join(results, path), "utf8"));

function upgraded(path: string): ExperimentDocument {
  const parsed = parseV1(read(path));
  if (!parsed.success) throw parsed.error;
  return parsed.data;
}

test.each(published)("%s is a document of version 2 once it is upgraded", (path) => {
  expect(isV1(read(path))).toBe(true);
  const { attacks, marked } = upgraded(path);
  expect(attacks.length).toBeGreaterThan(0);
  expect(marked.length).toBeGreaterThan(0);
});

const outcomesBefore = z.object({
  kind: z.literal("bench"),
  cells: z.array(z.object({ status: z.string(), outcome: z.string().optional() })),
});

test("no published outcome changes by the one rule", () => {
  const benches = published.filter((path) => outcomesBefore.safeParse(read(path)).success);
  expect(benches.length).toBeGreaterThan(0);
  for (const path of benches) {
    const before = outcomesBefore.parse(read(path)).cells.map(({ outcome }) => outcome);
    const after = upgraded(path).attacks.map((cell) => (cell.status === "done" ? cell.outcome : undefined));
    expect(after).toEqual(before);
  }
});

test("a document of version 1 that lacks something says where", () => {
  const [path = ""] = published;
  const lacking = { ...z.looseObject({}).parse(read(path)), marked: [{}] };
  const parsed = parseV1(lacking);
  expect(parsed.success).toBe(false);
  expect(parsed.error?.issues.map(({ path }) => path.slice(0, 2).join("."))).toContain("marked.0");
});
