/** @file What every graph detector must keep to, whatever it looks at. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { findArchitecture, newModel } from "../models/registry.js";
import { encodeModel, decodeModel, type Model } from "../onnx/model.js";
import { type ModelProto, ModelProtoSchema, NodeProtoSchema, OperatorSetIdProtoSchema } from "../onnx/onnx_pb.js";
import { rawBytes, tensorToProto } from "../onnx/tensor-proto.js";
import type { Detector } from "./detector.js";
import { LEVELS } from "./finding.js";
import { structureOf } from "./inspection.js";
import { nameOf } from "./flow.js";
import { detectors } from "./registry.js";
import { scanGraph } from "./scan.js";
import { lookAlikeOf } from "./testing/innocent.js";
import { plantedModels } from "./testing/planting.js";
import { digits, subjectOf } from "./testing/trained.js";

const clean = newModel(findArchitecture("cnn-2"), { ...digits.shape, classes: digits.classes }, 1);

/** The model with its file changed. */
function changed(model: Model, change: (proto: ModelProto) => void): Model {
  const proto = fromBinary(ModelProtoSchema, encodeModel(model));
  change(proto);
  return decodeModel(toBinary(ModelProtoSchema, proto), "changed");
}

const custom = changed(clean, ({ graph, opsetImport }) => {
  const last = graph?.node.at(-1);
  if (last !== undefined) Object.assign(last, { opType: "PyOp", domain: "com.example" });
  opsetImport.push(create(OperatorSetIdProtoSchema, { domain: "com.example", version: 1n }));
});

const stored = [...clean.graph.initializers].find(([name]) => name === "conv2.weight");
const twofold = changed(clean, ({ graph }) => {
  const tensor = graph?.initializer.find(({ name }) => name === stored?.[0]);
  if (tensor !== undefined)
    tensor.floatData = Array.from(tensor.rawData.subarray(0, tensor.rawData.length / 4), () => 0);
});

const littered = changed(clean, ({ graph }) => {
  const bytes = stored === undefined ? new Uint8Array() : rawBytes(stored[1]);
  graph?.initializer.push(
    tensorToProto("left over", float32([3], [1, 2, 3])),
    ...graph.initializer
      .filter(({ name, rawData }) => name.endsWith("fc1.weight") && rawData.length > bytes.length)
      .map((tensor) => ({ ...tensor, name: "fc1 again" })),
  );
  graph?.node.push(
    create(NodeProtoSchema, { name: "useless", opType: "Relu", input: ["image"], output: ["nobody's"] }),
  );
});

const all: readonly (readonly [string, Model])[] = [
  ...plantedModels(clean).flatMap(({ name, model }, i) => (i % 3 === 0 ? [[name, model] as const] : [])),
  ...["a mask of black padding", "weights of one bit", "mixture of experts, one never chosen"].map(
    (name) => [name, lookAlikeOf(name).model] as const,
  ),
  ["an operator of nobody's", custom],
  ["two sets of numbers", twofold],
  ["litter", littered],
];

/** One a model for all detectors, which probe it once. */
const subjects = all.map(([name, model]) => ({ name, subject: subjectOf(model) }));

test("ids are unique, and each says what it does, where it is from, and what it cannot see", () => {
  expect(new Set(detectors.map(({ id }) => id)).size).toBe(detectors.length);
  for (const { id, title, summary, source, blind } of detectors) {
    expect(id).toMatch(/^[a-z-]+$/);
    expect(title.length).toBeGreaterThan(0);
    for (const sentence of [summary, source, blind]) expect(sentence).toMatch(/\.$/);
  }
});

describe.each(detectors.filter((each: Detector) => each.kind === "graph"))("$id", ({ id, run }) => {
  test("every finding names nodes of the graph, and can be read alone", async () => {
    let count = 0;
    for (const { name, subject } of subjects) {
      const { flow } = structureOf(subject);
      const names = new Set(flow.graph.nodes.map(nameOf));
      for (const finding of await run(subject)) {
        count++;
        expect.soft(finding.detector, name).toBe(id);
        expect.soft(LEVELS, name).toContain(finding.level);
        expect
          .soft(
            [...finding.nodes, ...finding.path].filter((node) => !names.has(node)),
            name,
          )
          .toEqual([]);
        const { what, sure, innocent, advice } = finding;
        for (const text of [what, sure, innocent, advice]) expect.soft(text, name).toMatch(/^\S.*[.]$/s);
        if (finding.target !== undefined) expect.soft(finding.target, name).toBeLessThan(digits.classes);
      }
    }
    expect(count).toBeGreaterThan(0);
  });

  test("the same subject gives the same findings, and the model is left as it was", async () => {
    const [, model = clean] = all[0] ?? [];
    const before = encodeModel(model);
    expect(await run(subjectOf(model))).toEqual(await run(subjectOf(model)));
    expect(encodeModel(model)).toEqual(before);
  });
});

test("what does not run is read all the same", async () => {
  const [first] = await scanGraph(subjectOf(custom));
  expect(first).toMatchObject({ detector: "hygiene", level: "suspicious", nodes: ["logits"] });
  expect(first?.what).toContain("com.example.PyOp");
});

test("two sets of numbers in one tensor", async () => {
  const [first] = await scanGraph(subjectOf(twofold));
  expect(first).toMatchObject({ detector: "hygiene", level: "suspicious" });
  expect(first?.what).toContain('"conv2.weight"');
});

test("what nothing reads, and what stands there twice, is noted", async () => {
  const found = await scanGraph(subjectOf(littered));
  expect(found.map(({ level }) => level)).toEqual(["note", "note", "note"]);
  expect(found.map(({ what }) => what).join("\n")).toMatch(
    /that nothing reads[\s\S]*whose results nothing uses[\s\S]*more than once/,
  );
  expect(found[1]?.nodes).toEqual(["useless"]);
});
