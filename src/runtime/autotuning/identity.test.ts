/** @file Two choices have the same key exactly where one measurement holds for both. */

import { expect, test } from "vitest";
import { identityKey, identityOf, type Target } from "./identity.js";
import { nodeOf } from "./testing/nodes.js";

const node = nodeOf("ConvGradWeight");
const names = ["conv", "columns"];
const target: Target = { device: "cpu", block: 16, threads: 2 };
const key = identityKey(identityOf(node, names, target));

test("names of the node and its values, and the order of attributes, do not matter", () => {
  const attributes = Object.fromEntries(Object.entries(node.attributes).reverse());
  const same = { ...node, name: "n", inputs: ["a", "b"], outputs: ["c"], attributes };
  expect(Object.keys(attributes)).not.toEqual(Object.keys(node.attributes));
  expect(identityKey(identityOf(same, names, target))).toBe(key);
});

test("operator, shapes, candidates and their order, device, block and threads do", () => {
  const { strides: _, ...fewer } = node.attributes;
  const wider = { ...node.attributes, strides: { kind: "ints", value: [2, 2] } } as const;
  const others = [
    identityOf(nodeOf("ConvGradInput"), names, target),
    identityOf({ ...node, attributes: wider }, names, target),
    identityOf({ ...node, attributes: fewer }, names, target),
    identityOf(node, ["columns", "conv"], target),
    identityOf(node, ["conv", "columns", "nchwc"], target),
    identityOf(node, names, { ...target, device: "webgpu" }),
    identityOf(node, names, { ...target, block: 8 }),
    identityOf(node, names, { device: "cpu", threads: 2 }),
    identityOf(node, names, { ...target, threads: 1 }),
  ];
  expect(new Set([key, ...others.map(identityKey)]).size).toBe(others.length + 1);
});

test("machine and versions do, too", () => {
  const identity = identityOf(node, names, target);
  for (const field of ["cpu", "platform", "onnxruntime", "wildmark"] as const) {
    expect(identity[field]).not.toBe("");
    expect(identityKey({ ...identity, [field]: "another" })).not.toBe(key);
  }
  expect(identityKey({ ...identity, cores: identity.cores + 1 })).not.toBe(key);
});

test("threads that are not given are those of WILDMARK_THREADS", () => {
  expect(identityOf(node, names, { device: "cpu" }).threads).toBe(Number(process.env.WILDMARK_THREADS));
});

test("a primitive with other attributes than whole numbers is a mistake", () => {
  const odd = { ...node, attributes: { alpha: { kind: "float", value: 0.5 } } } as const;
  expect(() => identityOf(odd, names, target)).toThrow(/alpha/);
});
