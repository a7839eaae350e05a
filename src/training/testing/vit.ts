/**
 * @file A small Vision Transformer as PyTorch exports one, in the forms that its exporters have used over the years.
 *
 * Dosovitskiy et al., "An Image is Worth 16x16 Words" (2021): patches, a class token, positions, one encoder block.
 */

import { randomStream } from "../../core/random.js";
import { elementCount, float32, int64 } from "../../core/tensor.js";
import { float, type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import { encodeGraph } from "../../onnx/encode.js";
import { decodeModel, type Model } from "../../onnx/model.js";

export interface VitOptions {
  /** The batch size read off the input by Shape and Gather, or left to Reshape and Expand. */
  readonly batch: "dynamic" | "inferred";
  readonly attention: "MatMul" | "Einsum" | "Attention";
  readonly norm: "LayerNormalization" | "ReduceMean";
  /** Positions stored as they are added, or looked up in a table. */
  readonly positions: "Add" | "Gather";
}

const WIDTH = 16;
const HEADS = 2;
const TOKENS = 5;
const CLASSES = 4;
/** "As it is" to Reshape, Expand and Slice. */
const SAME = -1;

/** Images [N,1,8,8], patches of 4 × 4, four classes; names of weights as timm has them. */
export function vitModel(options: VitOptions): Model {
  const b = graphBuilder("vit", { opset: options.attention === "Attention" ? 23 : 21 });
  const random = randomStream(0, "vit");
  const weight = (name: string, dims: readonly number[], spread: number, centre = 0): string => {
    const stream = random.stream(name);
    const data = Float32Array.from({ length: elementCount(dims) }, () => centre + spread * stream.normal());
    return b.initializer(name, float32(dims, data));
  };
  const linear = (name: string, x: string, from: number, to: number): string => {
    const product = b.op("MatMul", [x, weight(`${name}.weight`, [from, to], 1 / Math.sqrt(from))]);
    return b.op("Add", [weight(`${name}.bias`, [to], 0.01), product]);
  };
  const normalised = (name: string, x: string): string =>
    layerNorm(b, options.norm, x, weight(`${name}.weight`, [WIDTH], 0.1, 1), weight(`${name}.bias`, [WIDTH], 0.1));

  const image = b.input("image", "float32", ["batch", 1, 8, 8]);
  const embedding = [weight("patch_embed.weight", [WIDTH, 1, 4, 4], 0.25), weight("patch_embed.bias", [WIDTH], 0.01)];
  const patches = b.op("Conv", [image, ...embedding], { kernel_shape: [4, 4], strides: [4, 4] });
  const shapeOf = (x: string): Shaped => shaped(b, options.batch, x);
  let x = b.op("Transpose", [shapeOf(patches)(WIDTH, TOKENS - 1)], { perm: [0, 2, 1] });
  x = b.op("Concat", [classToken(b, options.batch, weight("cls_token", [1, 1, WIDTH], 0.02), x), x], { axis: 1 });
  x = b.op("Add", [x, positions(b, options.positions, weight)]);

  const heads = shapeOf(linear("qkv", normalised("norm1", x), WIDTH, 3 * WIDTH))(TOKENS, 3, HEADS, WIDTH / HEADS);
  const qkv = b.op("Transpose", [heads], { perm: [2, 0, 3, 1, 4] });
  const [q = "", k = "", v = ""] = [0, 1, 2].map((i) => b.op("Gather", [qkv, index(b, i)], { axis: 0 }));
  const attended = attention(b, options.attention, q, k, v);
  x = b.op("Add", [x, linear("proj", shapeOf(attended)(TOKENS, WIDTH), WIDTH, WIDTH)]);
  const hidden = gelu(b, linear("fc1", normalised("norm2", x), WIDTH, 2 * WIDTH));
  x = b.op("Add", [x, linear("fc2", hidden, 2 * WIDTH, WIDTH)]);

  const token = b.op("Gather", [normalised("norm", x), index(b, 0)], { axis: 1 });
  const head = [weight("head.weight", [CLASSES, WIDTH], 0.25), weight("head.bias", [CLASSES], 0.01)];
  b.output(b.op("Gemm", [token, ...head], { transB: 1 }, { name: "logits" }), "float32", ["batch", CLASSES]);
  return decodeModel(encodeGraph(b.build()), "vit");
}

/** Reshapes to the value's own batch and the sizes given. */
type Shaped = (...sizes: readonly number[]) => string;

function shaped(b: GraphBuilder, batch: VitOptions["batch"], x: string): Shaped {
  return (...sizes) => {
    if (batch === "inferred") return b.op("Reshape", [x, b.ints([SAME, ...sizes])]);
    return b.op("Reshape", [x, b.op("Concat", [batchOf(b, x), ...sizes.map((size) => b.ints([size]))], { axis: 0 })]);
  };
}

function batchOf(b: GraphBuilder, x: string): string {
  return b.op("Unsqueeze", [b.op("Gather", [b.op("Shape", [x]), index(b, 0)], { axis: 0 }), b.ints([0])]);
}

/** `cls_token.expand(x.shape[0], -1, -1)`: the exporter replaces each −1 by 1 when it runs. */
function classToken(b: GraphBuilder, batch: VitOptions["batch"], token: string, x: string): string {
  if (batch === "inferred") {
    const sizes = b.op("Mul", [b.op("Shape", [x]), b.ints([1, 0, 0])]);
    return b.op("Expand", [token, b.op("Add", [sizes, b.ints([0, 1, 1])])]);
  }
  const sizes = b.op("Concat", [batchOf(b, x), b.ints([SAME]), b.ints([SAME])], { axis: 0 });
  const ones = b.op("ConstantOfShape", [b.ints([3])], { value: { kind: "tensor", value: int64([1], [1]) } });
  const unknown = b.op("Equal", [sizes, b.op("Mul", [ones, b.initializer("minus", int64([], [-1]))])]);
  return b.op("Expand", [token, b.op("Where", [unknown, ones, sizes])]);
}

function positions(
  b: GraphBuilder,
  how: VitOptions["positions"],
  weight: (name: string, dims: readonly number[], spread: number) => string,
): string {
  if (how === "Add") return weight("pos_embed", [1, TOKENS, WIDTH], 0.02);
  const table = weight("pos_embed", [TOKENS + 2, WIDTH], 0.02);
  return b.op("Gather", [table, b.initializer("position_ids", int64([1, TOKENS], [0, 1, 2, 3, 4]))], { axis: 0 });
}

/** softmax(q kᵀ / √d) v of [N, heads, T, d], as [N, T, heads, d]. */
function attention(b: GraphBuilder, how: VitOptions["attention"], q: string, k: string, v: string): string {
  const back = { perm: [0, 2, 1, 3] };
  if (how === "Attention") return b.op("Transpose", [b.op("Attention", [q, k, v])], back);
  const scaled = b.op("Mul", [q, b.scalar(1 / Math.sqrt(WIDTH / HEADS))]);
  if (how === "Einsum") {
    const scores = b.op("Einsum", [scaled, k], { equation: "bhqd,bhkd->bhqk" });
    return b.op("Einsum", [b.op("Softmax", [scores], { axis: -1 }), v], { equation: "bhqk,bhkd->bqhd" });
  }
  const scores = b.op("MatMul", [scaled, b.op("Transpose", [k], { perm: [0, 1, 3, 2] })]);
  return b.op("Transpose", [b.op("MatMul", [b.op("Softmax", [scores], { axis: -1 }), v])], back);
}

/** One operator since opset 17, its definition before. */
function layerNorm(b: GraphBuilder, how: VitOptions["norm"], x: string, scale: string, shift: string): string {
  if (how === "LayerNormalization") return b.op(how, [x, scale, shift], { axis: -1, epsilon: float(1e-6) });
  const centred = b.op("Sub", [x, b.op("ReduceMean", [x, b.ints([-1])])]);
  const variance = b.op("ReduceMean", [b.op("Pow", [centred, b.scalar(2)]), b.ints([-1])]);
  const standard = b.op("Div", [centred, b.op("Sqrt", [b.op("Add", [variance, b.scalar(1e-6)])])]);
  return b.op("Add", [b.op("Mul", [standard, scale]), shift]);
}

function gelu(b: GraphBuilder, x: string): string {
  const erf = b.op("Erf", [b.op("Div", [x, b.scalar(Math.SQRT2)])]);
  return b.op("Mul", [b.op("Mul", [x, b.op("Add", [erf, b.scalar(1)])]), b.scalar(0.5)]);
}

function index(b: GraphBuilder, i: number): string {
  return b.initializer("index", int64([], [i]));
}
