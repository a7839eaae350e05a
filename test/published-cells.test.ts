/**
 * @file The published benches' cells are found again: what defines each (its name and the JSON that is hashed, order of keys
 * included) is pinned, with the versions taken out.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { attackIdentity, innocentsIdentity } from "../src/experiments/bench-cells.js";
import { parseBenchFile } from "../src/experiments/bench-file.js";
import { planBench } from "../src/experiments/bench-plan.js";
import { benchSpec } from "../src/experiments/bench-spec.js";
import { markedIdentity, unmarkedIdentity } from "../src/experiments/cells.js";

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

/** One hash over all cells' names and definitions, versions apart. */
function definitions(path: string): { readonly cells: number; readonly sha256: string } {
  const file = parseBenchFile(readFileSync(new URL(path, root), "utf8"), path);
  const spec = benchSpec(file, { dataset: mnist, unrelated: { sha256: "33".repeat(32) } });
  const run = {};
  const nullModels = spec.unmarkedSeeds.map((seed) => ({ seed, result: { modelSha256: `${seed}` }, paths: {} }));
  const { cells } = planBench(spec);
  const lines = cells.map(({ address }) => {
    const { seed } = address;
    const mark = "mark" in address ? spec.marks[address.mark]?.chosen : undefined;
    const { name, spec: definition } =
      mark === undefined || address.kind === "unmarked"
        ? unmarkedIdentity(spec, seed, run)
        : address.kind === "marked"
          ? markedIdentity(spec, mark, seed, run)
          : address.kind === "innocents"
            ? innocentsIdentity(spec, address, owner, nullModels, run)
            : address.kind === "attack"
              ? attackIdentity(spec, address, owner, run)
              : unmarkedIdentity(spec, seed, run);
    const text = JSON.stringify(definition).replace(/"versions":\{[^}]*\}/, '"versions":{}');
    return `${name} ${text}\n`;
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
