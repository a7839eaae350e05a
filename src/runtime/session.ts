/**
 * @file ONNX Runtime behind one small interface: a graph or the bytes of a model become something that runs.
 *
 * The only file that knows ONNX Runtime's types. Float, integer and boolean tensors go in and come out as plain data.
 */

import "./no-telemetry.js"; // first: it must be there when ONNX Runtime starts
import * as ort from "onnxruntime-node";
import { WildmarkError } from "../core/errors.js";
import { type ElementType, elementCount, type Tensor } from "../core/tensor.js";
import { encodeGraph } from "../onnx/encode.js";
import type { Graph } from "../onnx/graph.js";
import type { Tuning } from "./tuning/mode.js";

/** Where graphs run. `webgpu` uses the first adapter that ONNX Runtime finds. */
export type Device = "cpu" | "webgpu";

export interface RuntimeOptions {
  readonly device?: Device;
  /** Threads of one operator; default `WILDMARK_THREADS`, else ONNX Runtime's choice (the physical cores). */
  readonly threads?: number;
  /** How the lowerings of training graphs are chosen; default `WILDMARK_TUNING`, else `off` (`tuningOf`). */
  readonly tuning?: Tuning;
}

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

export async function createSession(model: Graph | Uint8Array, options: RuntimeOptions = {}): Promise<Session> {
  const bytes = model instanceof Uint8Array ? model : encodeGraph(model);
  const device = options.device ?? "cpu";
  const threads = options.threads ?? threadsFromEnvironment();
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, {
      executionProviders: [device],
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      interOpNumThreads: 1,
      executionMode: "sequential",
    });
  } catch (cause) {
    const noAdapter = messageOf(cause).includes("WebGPU adapter");
    throw noAdapter
      ? new WildmarkError("runtime", "ONNX Runtime finds no WebGPU adapter on this machine.", {
          hint: "Compute on the CPU (--device cpu), or install a driver for Vulkan, Metal or Direct3D 12.",
          cause,
        })
      : new WildmarkError("runtime", `ONNX Runtime (${device}) refused the model: ${messageOf(cause)}`, { cause });
  }
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(feeds, into = new Map()) {
      const fed = Object.fromEntries([...feeds].map(([name, tensor]) => [name, toRuntime(tensor)]));
      const fetches = Object.fromEntries(
        session.outputNames.map((name) => {
          const target = into.get(name);
          return [name, target === undefined ? null : toRuntime(target)];
        }),
      );
      let results: ort.InferenceSession.OnnxValueMapType;
      try {
        results = await session.run(fed, fetches);
      } catch (cause) {
        throw new WildmarkError("runtime", `ONNX Runtime (${device}) failed: ${messageOf(cause)}`, { cause });
      }
      return new Map(session.outputNames.map((name) => [name, into.get(name) ?? fromRuntime(name, results[name])]));
    },
    release: () => session.release(),
  };
}

/** The ONNX Runtime in use, such as "1.30.0". */
export function runtimeVersion(): string {
  return ort.env.versions.node ?? ort.env.versions.common;
}

/** `WILDMARK_THREADS` as a number, or undefined where it is not set. */
export function threadsFromEnvironment(): number | undefined {
  const text = process.env.WILDMARK_THREADS;
  if (text === undefined || text === "") return undefined;
  const threads = Number(text);
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new WildmarkError("usage", `WILDMARK_THREADS is "${text}"; expected a whole number from 1 to 1024.`);
  }
  return threads;
}

const RUNTIME_TYPES = {
  float32: "float32",
  float64: "float64",
  float16: "float16",
  bfloat16: undefined,
  int8: "int8",
  int16: "int16",
  int32: "int32",
  int64: "int64",
  uint8: "uint8",
  uint16: "uint16",
  uint32: "uint32",
  uint64: "uint64",
  bool: "bool",
} as const satisfies Record<ElementType, ort.Tensor.Type | undefined>;

function toRuntime(tensor: Tensor): ort.Tensor {
  const type = RUNTIME_TYPES[tensor.type];
  if (type === undefined) throw new WildmarkError("runtime", `ONNX Runtime takes no ${tensor.type} tensors from here.`);
  return new ort.Tensor(type, tensor.data, tensor.dims);
}

function fromRuntime(name: string, value: ort.OnnxValue | undefined): Tensor {
  if (!(value instanceof ort.Tensor)) {
    throw new WildmarkError(
      "bad-model",
      `Output "${name}" is not a tensor; Wildmark takes models that answer tensors.`,
    );
  }
  const type = value.type;
  if (type === "string" || type === "int4" || type === "uint4") {
    throw new WildmarkError("bad-model", `Output "${name}" holds ${type} elements; Wildmark takes numbers.`);
  }
  const tensor = { type, dims: [...value.dims], data: value.data } as Tensor;
  if (tensor.data.length !== elementCount(tensor.dims)) {
    throw new WildmarkError("runtime", `Output "${name}" has ${tensor.data.length} elements for [${tensor.dims}].`);
  }
  return tensor;
}

function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0] ?? "";
}
