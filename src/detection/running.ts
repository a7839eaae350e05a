/**
 * @file Runs a model's file as it stands, one image at a time, looks at any values within it, and holds some of them at
 * what they are told to be.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import type { ImageShape } from "../core/image.js";
import { elementCount, type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../onnx/onnx_pb.js";
import { ownInput } from "../onnx/own-input.js";
import type { Model } from "../onnx/model.js";
import { dataTypeOf } from "../onnx/tensor-proto.js";
import { readBy } from "../onnx/whole.js";
import { createSession, type RuntimeOptions, type Session } from "../runtime/session.js";

/** Makes of an image what a model's input takes. */
export interface Front {
  /**
   * @param image [1, C, H, W] in [0, 1]
   * @returns of as many equal images as the file fixes, else of one.
   */
  feed(image: FloatTensor): Promise<Tensor>;
  release(): Promise<void>;
}

export async function openFront(model: Model, shape: ImageShape, options: RuntimeOptions = {}): Promise<Front> {
  const own = ownInput(model, shape);
  const session = await createSession(own.graph, { ...options, device: "cpu" });
  const fixed = own.input.dims?.[0];
  const rows = typeof fixed === "number" ? fixed : 1;
  return {
    async feed(image) {
      const size = elementCount(image.dims);
      const data = new Float32Array(rows * size);
      for (let row = 0; row < rows; row++) data.set(image.data, row * size);
      const images = float32([rows, ...image.dims.slice(1)], data);
      const fed = (await session.run(new Map([["wildmark/image", images]]))).get("wildmark/input");
      if (fed === undefined) throw new Error("the front makes no input");
      return fed;
    },
    release: () => session.release(),
  };
}

export interface Opened {
  /** The values asked for. */
  run(fed: Tensor, held?: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>>;
  release(): Promise<void>;
}

/**
 * @param input name of the image's value.
 * @param wanted values to be looked at; outputs of the model, or within it.
 * @param held what is fed in place of what the model computes, each with an example of it.
 * @throws WildmarkError `runtime` where ONNX Runtime refuses that.
 */
export async function openValues(
  proto: ModelProto,
  input: string,
  wanted: readonly string[],
  held: ReadonlyMap<string, Tensor> = new Map(),
  options: RuntimeOptions = {},
): Promise<Opened> {
  const session: Session = await createSession(withValues(proto, wanted, held), { ...options, device: "cpu" });
  return {
    run: (fed, given = held) => session.run(new Map([[input, fed], ...given])),
    release: () => session.release(),
  };
}

function withValues(proto: ModelProto, wanted: readonly string[], held: ReadonlyMap<string, Tensor>): Uint8Array {
  const { graph } = proto;
  if (graph === undefined) throw new Error("no graph");
  const needed = leadingTo(graph, wanted, held);
  const node = needed.map((each) =>
    each.output.some((name) => held.has(name))
      ? { ...each, output: each.output.map((name) => (held.has(name) ? `${name}/as computed` : name)) }
      : each,
  );
  const inputs = [...held].map(([name, { type }]) => valueInfo(name, dataTypeOf(type)));
  const declared = new Map(graph.output.map((each) => [each.name, each]));
  const read = new Set([...wanted, ...needed.flatMap(readBy)]);
  const changed: GraphProto = {
    ...graph,
    node,
    initializer: graph.initializer.filter(({ name }) => read.has(name)),
    input: [...graph.input, ...inputs],
    output: wanted.map((name) => declared.get(name) ?? create(ValueInfoProtoSchema, { name })),
  };
  return toBinary(ModelProtoSchema, { ...proto, graph: changed });
}

/** The nodes that what is wanted is computed by, where what is held is not computed. */
function leadingTo(graph: GraphProto, wanted: readonly string[], held: ReadonlyMap<string, Tensor>): NodeProto[] {
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const needed = new Set<NodeProto>();
  const names = new Set(wanted);
  for (const name of names) {
    const maker = held.has(name) ? undefined : makers.get(name);
    if (maker === undefined || needed.has(maker)) continue;
    needed.add(maker);
    for (const read of readBy(maker)) names.add(read);
  }
  return graph.node.filter((node) => needed.has(node));
}

function valueInfo(name: string, elemType: number): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType } } },
  });
}
