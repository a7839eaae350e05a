/**
 * @file A session with a memory: tensors that one run leaves and the next one reads, such as weights and optimiser
 * state.
 *
 * On the CPU each lives in two buffers that swap roles with each run, so that a run allocates nothing of their size; in
 * one, where what a run leaves may be written over what it read (`in-place.ts`). On WebGPU they stay in the device's
 * memory: each run reads the buffers that the last one left. ONNX Runtime cannot fetch such a buffer by itself in Node
 * (`getData` ends the process), so a session of `Identity` nodes brings the state back. For CUDA ONNX Runtime's Node
 * binding keeps no buffers: there the state travels with each run, as on the CPU.
 */

import { type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { mayReplace } from "./in-place.js";
import { fromValue, startEngine, toValue, type Value } from "./onnxruntime.js";
import type { RuntimeOptions } from "./options.js";
import { createSession } from "./session.js";
import { at } from "../core/lists.js";

/** A tensor that a graph reads under one name and writes, in the same dimensions, under another or the same. */
export interface StateTensor {
  readonly input: string;
  readonly output: string;
  /** What the first run reads; copied. */
  readonly initial: FloatTensor;
}

export interface StatefulSession {
  /**
   * Runs once on `feeds` and the state that the last run left. `into` as for a `Session`, for outputs that are no
   * state.
   */
  run(feeds: ReadonlyMap<string, Tensor>, into: ReadonlyMap<string, Tensor>): Promise<void>;
  /** Copies of the state as the last run left it, in the order of its tensors. */
  state(): Promise<readonly FloatTensor[]>;
  /** Other values for some of the state, by the name that it is read under; in its own dimensions, and copied. */
  replace(values: ReadonlyMap<string, FloatTensor>): void;
  release(): Promise<void>;
}

/** A session whose state lies in main memory. */
export interface MemorySession extends StatefulSession {
  /** The state itself, in the order of its tensors: to be read before the next run, and left as it is. */
  current(): readonly FloatTensor[];
}

/** @throws WildmarkError `runtime` where ONNX Runtime refuses the graph or finds no such device. */
export function createStatefulSession(
  graph: Graph,
  state: readonly StateTensor[],
  options: RuntimeOptions = {},
): Promise<StatefulSession> {
  return options.device === "webgpu"
    ? stateOnDevice(graph, state, options)
    : createMemorySession(graph, state, options);
}

/** @throws WildmarkError as `createStatefulSession` does. */
export async function createMemorySession(
  graph: Graph,
  state: readonly StateTensor[],
  options: RuntimeOptions = {},
): Promise<MemorySession> {
  const session = await createSession(graph, options);
  // Names alone are kept, so that what the first run reads does not stay in memory for good.
  const inputs = state.map(({ input }) => input);
  const outputs = state.map(({ output }) => output);
  let current = state.map(({ initial }) => copyOf(initial));
  let next = state.map(({ input, output, initial }, i) =>
    mayReplace(graph, input, output) ? at(current, i) : copyOf(initial),
  );
  return {
    async run(feeds, into) {
      const read = inputs.map((input, i) => [input, at(current, i)] as const);
      const written = outputs.map((output, i) => [output, at(next, i)] as const);
      await session.run(new Map<string, Tensor>([...feeds, ...read]), new Map<string, Tensor>([...into, ...written]));
      [current, next] = [next, current];
    },
    state: async () => current.map(copyOf),
    current: () => current,
    replace(values) {
      inputs.forEach((input, i) => {
        const value = values.get(input);
        if (value !== undefined) fill(at(current, i), value);
      });
    },
    release: () => session.release(),
  };
}

async function stateOnDevice(
  graph: Graph,
  state: readonly StateTensor[],
  options: RuntimeOptions,
): Promise<StatefulSession> {
  // What is read and written under one name never changes: there is nothing to keep, nor to replace.
  const moving = state.filter(({ input, output }) => input !== output);
  const engine = await startEngine(graph, { ...options, onDevice: moving.map(({ output }) => output) });
  const values = new Map<string, Value>(state.map(({ input, initial }) => [input, toValue(copyOf(initial))]));
  const fetched = await startEngine(copyingGraph(state), options);
  return {
    async run(feeds, into) {
      const fed = [...feeds].map(([name, tensor]) => [name, toValue(tensor)] as const);
      const results = await engine.run(new Map([...fed, ...values]));
      // Where outputs stay on the device, ONNX Runtime fills no tensor in place, and does not say so.
      for (const [name, target] of into) fill(target, fromValue(name, resultOf(results, name)));
      for (const { input, output } of moving) {
        values.get(input)?.dispose();
        values.set(input, resultOf(results, output));
      }
    },
    async state() {
      const results = await fetched.run(values);
      return state.map(({ input, initial }) => {
        const copy = copyOf(initial);
        fill(copy, fromValue(input, resultOf(results, copyName(input))));
        return copy;
      });
    },
    replace(given) {
      for (const { input } of moving) {
        const value = given.get(input);
        if (value === undefined) continue;
        values.get(input)?.dispose();
        values.set(input, toValue(copyOf(value)));
      }
    },
    async release() {
      for (const value of values.values()) value.dispose();
      await fetched.release();
      await engine.release();
    },
  };
}

const copyName = (input: string): string => `${input}/copy`;

/** Brings what it is fed, wherever it lies, to main memory. */
function copyingGraph(state: readonly StateTensor[]): Graph {
  const b = graphBuilder("copies");
  for (const { input, initial } of state) {
    b.input(input, "float32", initial.dims);
    b.op("Identity", [input], {}, { name: copyName(input) });
    b.output(copyName(input));
  }
  return b.build();
}

function resultOf(results: ReadonlyMap<string, Value>, name: string): Value {
  const value = results.get(name);
  if (value === undefined) throw new Error(`the graph has no output "${name}"`);
  return value;
}

function fill(target: Tensor, { type, data }: Tensor): void {
  if (target.type !== "float32" || type !== "float32") throw new Error("only float32 outputs are filled in place");
  target.data.set(data);
}

const copyOf = (tensor: FloatTensor): FloatTensor => float32(tensor.dims, tensor.data.slice());
