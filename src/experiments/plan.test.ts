/** @file What an experiment plans, in which order, what stands on what; and parts of it for several machines. */

import { describe, expect, test } from "vitest";
import { findArchitecture } from "../models/registry.js";
import { findMethod } from "../removal/registry.js";
import { packSpec, unpackSpec } from "./packed.js";
import { addressKey, type CellAddress, planCells, shardOf } from "./plan.js";
import { reproduceSpec } from "./statements/reproduce.js";
import { tinySpec } from "./testing/tiny.js";

const said = (address: CellAddress): string => Object.values(address).join(" ");

test("every cell stands once in the plan, behind what it stands on", () => {
  const { cells, skipped } = planCells(tinySpec({ seeds: [0, 5] }));
  expect(skipped).toEqual([]);
  expect(cells.map(({ position }) => position)).toEqual(cells.map((_, i) => i));
  const keys = cells.map(({ address }) => addressKey(address));
  expect(new Set(keys).size).toBe(keys.length);
  expect(cells.slice(0, 6).map(({ address }) => said(address))).toEqual([
    ...["null-model 0", "null-model 5", "marked-model 0 0", "key-check 0 0"],
    ...["attack 0 0 0 0", "attack 0 0 1 0"],
  ]);
  expect(keys.length).toBe(2 + 2 * 2 * (1 + 1 + 2));
  for (const { position, needs } of cells) for (const need of needs) expect(need).toBeLessThan(position);
  expect(cells.slice(0, 6).map(({ needs }) => needs)).toEqual([[], [], [], [2, 0, 1], [2], [2]]);
});

test("steps are those that the cells take: epochs times batches", () => {
  const steps = planCells(tinySpec()).cells.map(({ address, steps }) => `${address.kind} ${steps}`);
  // 240 images in batches of 32, 2 epochs; the attacker's 60 in batches of 16, 2 epochs of WILD and 1 of fine-tuning.
  expect(steps.slice(0, 5)).toEqual(["null-model 16", "marked-model 16", "key-check 0", "attack 8", "attack 4"]);
});

test("what cannot be tried is set apart with the reason", () => {
  const extraction = findMethod("model-extraction").choose({ epochs: 1 });
  const removers = [...tinySpec().removers, { name: extraction.label, chosen: extraction }];
  const { cells, skipped } = planCells(tinySpec({ removers, budgets: [0.01, 0.25, 1] }));
  const reasons = skipped.map(({ address, reason }) => [address.remover, address.budget, reason]);
  // 1 % leaves classes empty for all; of the whole nothing is left that has no label.
  expect(reasons.filter(([, budget]) => budget === 0).length).toBe(2 * 3);
  expect(reasons.filter(([, budget]) => budget === 2)).toEqual(
    [0, 1].map(() => [2, 2, expect.stringMatching(/leave none/)]),
  );
  expect(cells.filter(({ address }) => address.kind === "attack").length).toBe(2 * (3 + 2));
});

describe("shards", () => {
  const { cells } = planCells(tinySpec({ seeds: [0, 1, 2] }));

  test.each([1, 2, 3, 7, 100])("%i parts hold every cell, and each leaf once", (count) => {
    const parts = Array.from({ length: count }, (_, i) => shardOf(cells, { index: i + 1, count }));
    const all = parts.flat().map(({ position }) => position);
    expect([...new Set(all)].sort((a, b) => a - b)).toEqual(cells.map(({ position }) => position));
    const needed = new Set(cells.flatMap(({ needs }) => needs));
    const leaves = all.filter((position) => !needed.has(position));
    expect(leaves.length).toBe(new Set(leaves).size);
    for (const part of parts) {
      const own = new Set(part.map(({ position }) => position));
      for (const { needs } of part) for (const need of needs) expect(own.has(need)).toBe(true);
    }
  });
});

test("a spec of the registries passes to another process and back", () => {
  const { dataset } = tinySpec();
  const spec = reproduceSpec({
    dataset,
    architecture: findArchitecture("lenet5"),
    marks: ["content", "noise"],
    metrics: ["ce", "js"],
    baselines: true,
    seeds: [1, 2],
  });
  const there = unpackSpec(structuredClone(packSpec(spec)));
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  expect(plain(there)).toEqual(plain(spec));
  expect(there.removers.map(({ chosen }) => chosen.label)).toEqual(spec.removers.map(({ chosen }) => chosen.label));
});
