/**
 * @file ONNX Runtime itself: sessions and tensors in its own types, errors in Wildmark's words.
 *
 * The only file that knows ONNX Runtime's types; `session.ts` and `state.ts` make of it what the rest of Wildmark uses.
 */

import "./no-telemetry.js"; // first: it must be there when ONNX Runtime starts
import * as ort from "onnxruntime-node";
import { WildmarkError } from "../core/errors.js";
import { type ElementType, elementCount, type Tensor } from "../core/tensor.js";
import { encodeGraph } from "../onnx/encode.js";
import type { Graph } from "../onnx/graph.js";
import { type Device, type EngineOptions, threadsFromEnvironment } from "./options.js";
import { defined } from "../core/defined.js";

/** A tensor of ONNX Runtime's: in main memory, or on the device where an output was told to stay. */
export type Value = ort.Tensor;

export interface Engine {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Of its outputs, in their order; undefined where one is no tensor of a type that we know. */
  readonly outputTypes: readonly (ElementType | undefined)[];
  /**
   * Runs once.
   *
   * @param targets outputs to be filled in place, others are newly allocated; none where outputs stay on the device.
   * @throws WildmarkError `runtime` with ONNX Runtime's own words.
   */
  run(feeds: ReadonlyMap<string, Value>, targets?: ReadonlyMap<string, Value>): Promise<ReadonlyMap<string, Value>>;
  release(): Promise<void>;
}

/**
 * Images stay as they are stored: with its own choice, NHWC, the WebGPU provider of 1.30 gives wrong sums for
 * convolutions that read 6, 9, 15, … channels (multiples of 3 that are none of 4) and write a multiple of 4
 * (microsoft/onnxruntime #29651).
 */
const WEBGPU = { name: "webgpu", preferredLayout: "NCHW" } as const;

/** @throws WildmarkError `runtime` where ONNX Runtime refuses the model or finds no such device. */
export async function startEngine(model: Graph | Uint8Array, options: EngineOptions): Promise<Engine> {
  const { onDevice = [], asWritten = false } = options;
  const bytes = model instanceof Uint8Array ? model : encodeGraph(model);
  const device = options.device ?? "cpu";
  const threads = options.threads ?? threadsFromEnvironment();
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, {
      executionProviders: [device === "webgpu" ? WEBGPU : device],
      graphOptimizationLevel: asWritten ? "disabled" : "all",
      logSeverityLevel: 4, // what fails is thrown, and then said once, in Wildmark's words, or tried in another way
      ...defined({ intraOpNumThreads: threads }),
      interOpNumThreads: 1,
      executionMode: "sequential",
      // A block for all tensors of a run, planned after the first, comes beside what the first run reserved: half as
      // much memory again, and steps take as long without it (docs/performance.md).
      enableMemPattern: false,
      ...(onDevice.length === 0
        ? {}
        : { preferredOutputLocation: Object.fromEntries(onDevice.map((name) => [name, "gpu-buffer" as const])) }),
    });
  } catch (cause) {
    throw refusal(device, cause);
  }
  const { outputNames } = session;
  return {
    inputNames: session.inputNames,
    outputNames,
    outputTypes: session.outputMetadata.map(elementType),
    async run(feeds, targets = new Map()) {
      const fetches = Object.fromEntries(outputNames.map((name) => [name, targets.get(name) ?? null]));
      let results: ort.InferenceSession.OnnxValueMapType;
      try {
        results = await session.run(Object.fromEntries(feeds), fetches);
      } catch (cause) {
        throw failure(device, cause);
      }
      return new Map(outputNames.map((name) => [name, targets.get(name) ?? tensorOf(name, results[name])]));
    },
    release: () => session.release(),
  };
}

/** The ONNX Runtime in use, such as "1.30.0". */
export function runtimeVersion(): string {
  return ort.env.versions.node ?? ort.env.versions.common;
}

function elementType(output: ort.InferenceSession.ValueMetadata): ElementType | undefined {
  if (!output.isTensor || output.type === "string" || output.type === "int4" || output.type === "uint4")
    return undefined;
  return output.type;
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

/** Shares the data. */
export function toValue(tensor: Tensor): Value {
  const type = RUNTIME_TYPES[tensor.type];
  if (type === undefined) throw new WildmarkError("runtime", `ONNX Runtime takes no ${tensor.type} tensors from here.`);
  return new ort.Tensor(type, tensor.data, tensor.dims);
}

/** @param name of the output that this is, for messages. */
export function fromValue(name: string, value: Value): Tensor {
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

function tensorOf(name: string, value: ort.OnnxValue | undefined): Value {
  if (value instanceof ort.Tensor) return value;
  throw new WildmarkError("bad-model", `Output "${name}" is not a tensor; Wildmark takes models that answer tensors.`);
}

/** How ONNX Runtime and its devices say that memory is used up. */
const OUT_OF_MEMORY =
  /bad.?alloc|failed to allocate|out of memory|not enough memory|OutOfMemory|Array buffer allocation/i;

/** Whether an error says that there is not enough memory, of this machine or of a device. */
export function isOutOfMemory(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) if (OUT_OF_MEMORY.test(each.message)) return true;
  return false;
}

function failure(device: Device, cause: unknown): WildmarkError {
  if (!isOutOfMemory(cause)) {
    return new WildmarkError("runtime", `ONNX Runtime (${device}) failed: ${messageOf(cause)}`, { cause });
  }
  return new WildmarkError("runtime", `There is not enough memory for this run (${device}): ${messageOf(cause)}`, {
    hint: "Give a smaller --batch, or let fewer models run at once (--jobs).",
    cause,
  });
}

function refusal(device: Device, cause: unknown): WildmarkError {
  const words = messageOf(cause);
  if (words.includes("WebGPU adapter")) {
    return new WildmarkError("runtime", "ONNX Runtime finds no WebGPU adapter on this machine.", {
      hint: "Compute on the CPU (--device cpu), or install a driver for Vulkan, Metal or Direct3D 12.",
      cause,
    });
  }
  if (device === "cuda" && /CUDA|provider/i.test(words)) {
    return new WildmarkError("runtime", "ONNX Runtime has no CUDA provider on this machine.", {
      hint:
        "Install it with onnxruntime-node's own script (`node " +
        "node_modules/onnxruntime-node/script/install`), or compute on the CPU (--device cpu).",
      cause,
    });
  }
  return new WildmarkError("runtime", `ONNX Runtime (${device}) refused the model: ${words}`, { cause });
}

function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0] ?? "";
}
