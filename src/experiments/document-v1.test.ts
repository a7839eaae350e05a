/** @file Documents of version 1 told in the terms of version 2: the published ones, whole, with what they said. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type ExperimentDocument, experimentSchema } from "./document.js";
import { documentV1Schema, upgradeV1 } from "./document-v1.js";

const results = fileURLToPath(new URL("../../docs/results", import.meta.url));
const published = readdirSync(results, { recursive: true, encoding: "utf8" }).filter(
  (path) => path.endsWith("result.json") && readFileSync(join(results, path), "utf8").includes('"version": 1'),
);
const read = (path: string) => documentV1Schema.parse(JSON.parse(readFileSync(join(results, path), "utf8")));

/** Without what a schema's defaults add. */
const asJson = (document: ExperimentDocument): unknown => JSON.parse(JSON.stringify(document));

test.each(published)("%s is a document of version 2 once it is upgraded", (path) => {
  const upgraded = upgradeV1(read(path));
  expect(asJson(experimentSchema.parse(asJson(upgraded)))).toEqual(asJson(upgraded));
  expect(upgraded.attacks.length).toBeGreaterThan(0);
});

test("no published outcome changes by the one rule", () => {
  const changed = published.flatMap((path) => {
    const before = read(path);
    if (before.kind !== "bench") return [];
    const after = upgradeV1(before);
    return before.cells.filter((cell, i) => {
      const now = after.attacks[i];
      return cell.status === "done" && now?.status === "done" && now.outcome !== cell.outcome;
    });
  });
  expect(changed).toEqual([]);
});
