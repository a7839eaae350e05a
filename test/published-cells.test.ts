/**
 * @file The published benches' cells are found again: what defines each (its name and the JSON that is hashed, order of
 * keys included) is pinned, with the versions taken out.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { attackCell } from "../src/experiments/cells/attack.js";
import { keyCheckCell } from "../src/experiments/cells/key-check.js";
import { markedModelCell } from "../src/experiments/cells/marked-model.js";
import { nullModelCell } from "../src/experiments/cells/null-model.js";
import { type CellAddress, planCells } from "../src/experiments/plan.js";
import type { KnownSpec } from "../src/experiments/spec.js";
import { benchSpec } from "../src/experiments/statements/bench.js";
import { parseBenchFile } from "../src/experiments/statements/bench-file.js";

const root = new URL("../", import.meta.url);

/** What the published document says of the data: all that defines a cell. */
const mnist = {
  id: "mnist",
  title: "MNIST",
  sha256: "a2be7b939fbc4a3dd9224a83982c069a737c71d004f139ae74ec64f518d8e46c",
  train: {
    shape: { channels: 1, height: 28, width: 28 },
    classes: 10,
    count: 60_000,
    labels: Uint16Array.from({ length: 60_000 }, (_, i) => i % 10),
  },
  test: { count: 10_000 },
};
const owner = { result: { modelSha256: "11".repeat(32), keySha256: "22".repeat(32) }, paths: {} };

function definitionOf(spec: KnownSpec, address: CellAddress): { readonly name: string; readonly spec: unknown } {
  const run = {};
  switch (address.kind) {
    case "null-model":
      return nullModelCell(spec, address.seed, run);
    case "marked-model":
      return markedModelCell(spec, address, run);
    case "key-check": {
      const nullModels = spec.nullModels.map((seed) => ({ seed, result: { modelSha256: `${seed}` }, paths: {} }));
      return keyCheckCell(spec, address, owner, nullModels, run);
    }
    case "attack":
      return attackCell(spec, address, owner, run);
  }
}

/** One hash over all cells' names and definitions, versions apart. */
function definitions(path: string): { readonly cells: number; readonly sha256: string } {
  const file = parseBenchFile(readFileSync(new URL(path, root), "utf8"), path);
  const spec = benchSpec(file, { dataset: mnist, unrelated: { sha256: "33".repeat(32) } });
  const lines = planCells(spec).cells.map(({ address }) => {
    const { name, spec: definition } = definitionOf(spec, address);
    return `${name} ${JSON.stringify(definition).replace(/"versions":\{[^}]*\}/, '"versions":{}')}\n`;
  });
  // The order in which they are computed may change.
  return { cells: lines.length, sha256: createHash("sha256").update(lines.sort().join("")).digest("hex") };
}

test.each([
  ["bench-specs/mnist-one-seed.yaml", 1692, "455802170aaad1aa23c340404686db1a6e86ce5c3eff59c6263aaabfca722a2d"],
  ["bench-specs/mnist-little-data.yaml", 1040, "c3558a6540556636ce83da576ff6542a0374aa5dff3d3b6133ce8a2822c2340e"],
  ["bench-specs/mnist-labelled.yaml", 395, "322f761995ad60aecc1357435f903ad535c8fabca0c9e59862d7deaa9fdadb8e"],
  ["bench-specs/ablation/lambda.yaml", 119, "c82636bc3e32a1c684e273bd11647750bcdc2701f7b538f8974bd1a36b8d070f"],
  ["bench-specs/ablation/layer.yaml", 83, "6c0180d133554667b5f3b4538c41600fe1df5268c55c694fa356e872b1d38d70"],
])("no cell of %s changes its definition", (path, cells, sha256) => {
  expect(definitions(path)).toEqual({ cells, sha256 });
});
