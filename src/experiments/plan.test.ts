import { expect, test } from "vitest";
import { findArchitecture } from "../models/registry.js";
import { packSpec, unpackSpec } from "./packed.js";
import { paperSpec } from "./paper.js";
import { planCells } from "./plan.js";
import { tinySpec } from "./testing/tiny.js";

test("every cell stands once in the plan, behind what it stands on", () => {
  const plan = planCells(tinySpec({ seeds: [0, 5] }));
  expect(plan.map(({ position }) => position)).toEqual(plan.map((_, i) => i));
  const keys = plan.map(({ address }) => Object.values(address).join(" "));
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.slice(0, 5)).toEqual(["unmarked 0", "marked 0 0", "innocent 0 0", "removal 0 0 0", "removal 0 0 1"]);
  expect(keys.length).toBe(2 * (1 + 2 * (1 + 1 + 2)));
  for (const { position, needs } of plan) for (const need of needs) expect(need).toBeLessThan(position);
  expect(plan.slice(0, 5).map(({ needs }) => needs)).toEqual([[], [], [0, 1], [1], [1]]);
});

test("steps are those that the cells take: epochs times batches", () => {
  const steps = planCells(tinySpec()).map(({ address, steps }) => `${address.kind} ${steps}`);
  // 240 images in batches of 32, 2 epochs; the attacker's 60 in batches of 16, 2 epochs of WILD and 1 of fine-tuning.
  expect(steps.slice(0, 5)).toEqual(["unmarked 16", "marked 16", "innocent 0", "removal 8", "removal 4"]);
});

test("a spec of the registries passes to another process and back", () => {
  const { dataset } = tinySpec();
  const spec = paperSpec({
    dataset,
    architecture: findArchitecture("lenet5"),
    marks: ["content", "noise"],
    metrics: ["ce", "js"],
    controls: true,
    fraction: 0.1,
    seeds: [1, 2],
  });
  const there = unpackSpec(structuredClone(packSpec(spec)));
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  expect(plain(there)).toEqual(plain(spec));
  expect(there.removals.map(({ label }) => label)).toEqual(spec.removals.map(({ label }) => label));
});
