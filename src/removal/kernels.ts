/**
 * @file Gives the kernels of a model other values, once: what rounding and pruning weights have in common.
 *
 * Kernels are what layers multiply by (convolutions, dense layers). Biases and normalisations, a small part of the
 * weights, stay as they are.
 */

import { performance } from "node:perf_hooks";
import { WildmarkError } from "../core/errors.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { canonicalGraph } from "../onnx/canonical.js";
import { findClassifier } from "../onnx/classifier.js";
import { layersOf } from "../onnx/layers.js";
import { withWeights } from "../onnx/model.js";
import { storedBefore } from "../onnx/train-from.js";
import { storedTensors } from "../onnx/traverse.js";
import { throwIfAborted } from "../training/epochs.js";
import type { Attack, Stage } from "./method.js";

export interface Kernel {
  readonly name: string;
  readonly tensor: FloatTensor;
  /** Axis of the output units; undefined where the graph hides it. */
  readonly unitAxis: number | undefined;
}

/**
 * One stage: the model with each kernel's data replaced by what `change` makes of all of them, in their order. What
 * lies before `trainFrom` is not among them.
 *
 * @throws WildmarkError `bad-model` where no layer has a kernel that may change.
 */
export async function* changeKernels(
  { model, trainFrom, signal }: Attack,
  change: (kernels: readonly Kernel[]) => readonly Float32Array[],
): AsyncGenerator<Stage, void, undefined> {
  throwIfAborted(signal);
  const start = performance.now();
  const graph = canonicalGraph(model.graph);
  const trainable = new Set(findClassifier(model.graph, model.head).trainable);
  const frozen = storedBefore(graph, trainFrom);
  const stored = storedTensors(model.graph);
  const kernels = new Map<string, Kernel>();
  for (const { kernel: name, unitAxis } of layersOf(graph)) {
    const tensor = stored.get(name);
    if (tensor?.type === "float32" && trainable.has(name) && !frozen.has(name)) {
      kernels.set(name, { name, tensor, unitAxis });
    }
  }
  if (kernels.size === 0) {
    throw new WildmarkError("bad-model", "The model has no layer with a kernel that may change.", {
      hint: "wildmark info MODEL lists its weights; leave --train-from away where it freezes them all.",
    });
  }
  const list = [...kernels.values()];
  const changed = change(list);
  const weights = new Map(
    list.map(({ name, tensor }, i) => [name, float32(tensor.dims, changed[i] ?? tensor.data)] as const),
  );
  const next = withWeights(model, weights);
  yield { epoch: 1, seconds: (performance.now() - start) / 1000, model: () => next };
}
