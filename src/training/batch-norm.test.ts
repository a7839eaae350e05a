/** @file The rewriting of batch normalisation; what a step makes of it is tested in step.test.ts. */

import { expect, test } from "vitest";
import { canonicalGraph } from "../onnx/canonical.js";
import { batchNormForTraining } from "./batch-norm.js";
import { MOMENTUM, tinyModel } from "./testing/tiny.js";

const graph = canonicalGraph(tinyModel({ batchNorm: true }).graph);
const normalisations = (nodes: typeof graph.nodes) => nodes.filter((node) => node.opType === "BatchNormalization");

test("frozen leaves the graph as it is", () => {
  const frozen = batchNormForTraining(graph, "frozen");
  expect(frozen.graph).toBe(graph);
  expect(frozen.statistics).toEqual([]);
});

test("train asks for training mode and for the new statistics, and keeps everything else", () => {
  const { graph: training, statistics } = batchNormForTraining(graph, "train");
  const [before] = normalisations(graph.nodes);
  const [after] = normalisations(training.nodes);
  expect(after?.inputs).toEqual(before?.inputs);
  expect(after?.outputs[0]).toBe(before?.outputs[0]);
  expect(after?.attributes).toEqual({ ...before?.attributes, training_mode: { kind: "int", value: 1 } });
  expect(statistics).toEqual([
    { initializer: "bn.mean", updated: after?.outputs[1], kept: MOMENTUM },
    { initializer: "bn.variance", updated: after?.outputs[2], kept: MOMENTUM },
  ]);
  expect(training.nodes.length).toBe(graph.nodes.length);
});

test("a normalisation whose statistics are computed, not stored, is left alone", () => {
  const { "bn.mean": _, ...initializers } = Object.fromEntries(graph.initializers);
  const computed = { ...graph, initializers: new Map(Object.entries(initializers)) };
  const { graph: training, statistics } = batchNormForTraining(computed, "train");
  expect(normalisations(training.nodes)).toEqual(normalisations(graph.nodes));
  expect(statistics).toEqual([]);
});
