/** @file A graph or the bytes of a model become something that runs: plain data in, plain data out. */

import type { Tensor } from "../core/tensor.js";
import type { Graph } from "../onnx/graph.js";
import { fromValue, startEngine, toValue } from "./onnxruntime.js";
import type { EngineOptions } from "./options.js";

export type { Device, RuntimeOptions } from "./options.js";

export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs once. Data that is fed is read in place; `into` names output tensors to be filled in place, other outputs are
   * newly allocated.
   *
   * @throws WildmarkError `runtime` with ONNX Runtime's own words.
   */
  run(feeds: ReadonlyMap<string, Tensor>, into?: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>>;
  release(): Promise<void>;
}

/** @throws WildmarkError `runtime` where ONNX Runtime refuses the model or finds no such device. */
export async function createSession(model: Graph | Uint8Array, options: EngineOptions = {}): Promise<Session> {
  const engine = await startEngine(model, options);
  return {
    inputNames: engine.inputNames,
    outputNames: engine.outputNames,
    async run(feeds, into = new Map()) {
      const results = await engine.run(valuesOf(feeds), valuesOf(into));
      return new Map([...results].map(([name, value]) => [name, into.get(name) ?? fromValue(name, value)]));
    },
    release: () => engine.release(),
  };
}

function valuesOf(tensors: ReadonlyMap<string, Tensor>) {
  return new Map([...tensors].map(([name, tensor]) => [name, toValue(tensor)]));
}
