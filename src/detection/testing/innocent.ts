/**
 * @file Innocent graphs that look like planted ones: gates, masks, routers, guards and preprocessing, as architectures
 * and exporters leave them. Weights are drawn; what is to be trained as well has the digits' shape.
 */

import { type RandomStream, randomStream } from "../../core/random.js";
import { elementCount, float32, int64 } from "../../core/tensor.js";
import { findArchitecture, newModel } from "../../models/registry.js";
import { float, type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import { encodeGraph } from "../../onnx/encode.js";
import { decodeModel, type Model } from "../../onnx/model.js";
import { vitModel } from "../../training/testing/vit.js";

export interface Innocent {
  readonly name: string;
  readonly model: Model;
  readonly shape: { readonly channels: number; readonly height: number; readonly width: number };
  readonly classes: number;
}

const GREY = { channels: 1, height: 28, width: 28 };
const COLOUR = { channels: 3, height: 32, width: 32 };
const CLASSES = 10;

/** What a look-alike is built with. */
interface Net {
  readonly b: GraphBuilder;
  readonly channels: number;
  conv(x: string, from: number, to: number, options?: { kernel?: number; stride?: number; group?: number }): string;
  /** y = x W + b over the last axis. */
  linear(x: string, from: number, to: number): string;
  /** A scale and a shift of so many channels. */
  norm(channels: number): readonly [string, string];
  /** Running means and variances too. */
  batchNorm(x: string, channels: number): string;
  stored(name: string, dims: readonly number[], value: (i: number) => number): string;
  op(opType: string, ...inputs: readonly (string | number)[]): string;
  /** [N, C, h, w] to [N, C]. */
  pooled(x: string): string;
}

function netOf(b: GraphBuilder, channels: number, random: RandomStream): Net {
  let count = 0;
  const drawn = (dims: readonly number[], spread: number, centre = 0): string => {
    const stream = random.stream(++count);
    const data = Float32Array.from({ length: elementCount(dims) }, () => centre + spread * stream.normal());
    return b.initializer(`w${count}.weight`, float32(dims, data));
  };
  const op: Net["op"] = (opType, ...inputs) =>
    b.op(
      opType,
      inputs.map((each) => (typeof each === "number" ? b.scalar(each) : each)),
    );
  const norm: Net["norm"] = (size) => [drawn([size], 0.1, 1), drawn([size], 0.1)];
  return {
    b,
    channels,
    op,
    norm,
    conv(x, from, to, { kernel = 3, stride = 1, group = 1 } = {}) {
      const fan = (from / group) * kernel * kernel;
      const pad = Math.floor(kernel / 2);
      const weights = [drawn([to, from / group, kernel, kernel], Math.sqrt(2 / fan)), drawn([to], 0.05)];
      return b.op("Conv", [x, ...weights], { strides: [stride, stride], pads: [pad, pad, pad, pad], group });
    },
    linear: (x, from, to) =>
      b.op("Add", [b.op("MatMul", [x, drawn([from, to], Math.sqrt(2 / from))]), drawn([to], 0.05)]),
    batchNorm: (x, size) =>
      b.op("BatchNormalization", [
        x,
        ...norm(size),
        drawn([size], 0.1),
        b.initializer("variance", float32([size], new Float32Array(size).fill(1))),
      ]),
    stored: (name, dims, value) =>
      b.initializer(
        name,
        float32(
          dims,
          Float32Array.from({ length: elementCount(dims) }, (_, i) => value(i)),
        ),
      ),
    pooled: (x) => b.op("Flatten", [b.op("GlobalAveragePool", [x])]),
  };
}

type Build = (net: Net, image: string) => string;

export function lookAlike(name: string, build: Build, shape: Innocent["shape"] = GREY, seed = 1): Innocent {
  const b = graphBuilder(name);
  const image = b.input("image", "float32", ["batch", shape.channels, shape.height, shape.width]);
  const scores = build(netOf(b, shape.channels, randomStream(seed, name)), image);
  b.append({ name: "logits", opType: "Identity", domain: "", inputs: [scores], outputs: ["logits"], attributes: {} });
  b.output("logits", "float32", ["batch", CLASSES]);
  return { name, model: decodeModel(encodeGraph(b.build()), name), shape, classes: CLASSES };
}

const hardSwish: Build = ({ b }, x) => b.op("HardSwish", [x]);
const silu: Build = ({ op }, x) => op("Mul", x, op("Sigmoid", x));

function squeezed(net: Net, x: string, channels: number, gate: string): string {
  const { b, op, conv } = net;
  const hidden = b.op("Relu", [conv(b.op("GlobalAveragePool", [x]), channels, 4, { kernel: 1 })]);
  const alpha = gate === "HardSigmoid" ? { alpha: float(1 / 6) } : {};
  return op("Mul", x, b.op(gate, [conv(hidden, 4, channels, { kernel: 1 })], alpha));
}

/** An inverted bottleneck of MobileNetV3 or EfficientNet. */
function mobile(activation: Build, gate: string): Build {
  return (net, image) => {
    const { b, conv, channels, linear, pooled, batchNorm } = net;
    let x = activation(net, batchNorm(conv(image, channels, 8, { stride: 2 }), 8));
    for (const stride of [1, 2]) {
      const wide = activation(net, batchNorm(conv(x, 8, 16, { kernel: 1 }), 16));
      const deep = activation(net, conv(wide, 16, 16, { group: 16, stride }));
      const out = conv(squeezed(net, deep, 16, gate), 16, 8, { kernel: 1 });
      x = stride === 1 ? b.op("Add", [x, out]) : out;
    }
    return linear(activation(net, linear(pooled(x), 8, 32)), 32, CLASSES);
  };
}

function stem(net: Net, image: string, to = 8): string {
  const { b, conv, channels } = net;
  return b.op("Relu", [conv(image, channels, to, { stride: 2 })]);
}

/** [N, C, h, w] to [N, h·w, C]. */
function tokens({ b }: Net, x: string, channels: number): string {
  return b.op("Transpose", [b.op("Reshape", [x, b.ints([0, channels, -1])])], { perm: [0, 2, 1] });
}

function attended(net: Net, x: string, mask?: string): string {
  const { b, linear, op } = net;
  const [q, k, v] = [linear(x, 8, 8), linear(x, 8, 8), linear(x, 8, 8)];
  const scores = op("Mul", b.op("MatMul", [q, b.op("Transpose", [k], { perm: [0, 2, 1] })]), 1 / Math.sqrt(8));
  const masked = mask === undefined ? scores : op("Where", mask, scores, -1e9);
  return b.op("MatMul", [b.op("Softmax", [masked], { axis: -1 }), v]);
}

const builds: Readonly<Record<string, Build>> = {
  "MobileNetV3, SE and HardSwish": mobile(hardSwish, "HardSigmoid"),
  "EfficientNet, SiLU and SE": mobile(silu, "Sigmoid"),
  "MobileNetV2, Clip as ReLU6": mobile(({ op }, x) => op("Clip", x, 0, 6), "HardSigmoid"),
  "HardSwish in pieces": mobile(
    ({ op }, x) => op("Mul", x, op("Div", op("Clip", op("Add", x, 3), 0, 6), 6)),
    "HardSigmoid",
  ),
  "ReLU6 by Where": (net, image) => {
    const { op, linear, pooled } = net;
    const x = stem(net, image);
    return linear(pooled(op("Where", op("Greater", x, 6), 6, x)), 8, CLASSES);
  },
  "ReZero, as it is drawn": (net, image) => {
    const { b, op, conv, linear, pooled } = net;
    let x = stem(net, image);
    for (const name of ["alpha1", "alpha2"]) {
      x = op(
        "Add",
        x,
        op(
          "Mul",
          b.op("Relu", [conv(x, 8, 8)]),
          net.stored(name, [1], () => 0),
        ),
      );
    }
    return linear(pooled(x), 8, CLASSES);
  },
  "layers pruned to nothing": (net, image) => {
    const { b, op, linear, pooled } = net;
    const x = stem(net, image);
    const kernel = net.stored("pruned", [8, 8, 1, 1], (i) => (i % 9 === 0 && i < 20 ? 0.3 + i / 50 : 0));
    const dead = b.op("Conv", [x, net.stored("dead", [8, 8, 1, 1], () => 0)]);
    return linear(pooled(op("Add", op("Relu", dead), b.op("Conv", [x, kernel]))), 8, CLASSES);
  },
  "a branch that died": (net, image) => {
    const { b, op, linear, pooled } = net;
    const x = stem(net, image);
    const dead = b.op("Conv", [x, net.stored("k", [8, 8, 1, 1], (i) => -0.1 - i / 640)]);
    return linear(pooled(op("Add", x, op("Relu", dead))), 8, CLASSES);
  },
  SwiGLU: (net, image) => {
    const { op, linear, pooled } = net;
    const x = pooled(stem(net, image));
    const gate = linear(x, 8, 24);
    return linear(op("Mul", op("Mul", gate, op("Sigmoid", gate)), linear(x, 8, 24)), 24, CLASSES);
  },
  "soft mixture of experts": (net, image) => {
    const { b, op, linear, pooled } = net;
    const x = pooled(stem(net, image));
    const weights = b.op("Softmax", [linear(x, 8, 3)], { axis: 1 });
    const experts = [0, 1, 2].map((i) => {
      const share = b.op("Slice", [weights, b.ints([i]), b.ints([i + 1]), b.ints([1])]);
      return op("Mul", share, linear(op("Relu", linear(x, 8, 16)), 16, CLASSES));
    });
    return b.op("Sum", experts);
  },
  "mixture of experts, the first of three": (net, image) => {
    const { b, op, linear, pooled } = net;
    const x = pooled(stem(net, image));
    const which = b.op("ArgMax", [linear(x, 8, 3)], { axis: 1, keepdims: 0 });
    const hot = b.op("OneHot", [
      which,
      b.initializer("depth", int64([], [3])),
      b.initializer("of", float32([2], [0, 1])),
    ]);
    const experts = [0, 1, 2].map((i) => {
      const share = b.op("Slice", [hot, b.ints([i]), b.ints([i + 1]), b.ints([1])]);
      return op("Mul", share, linear(op("Relu", linear(x, 8, 16)), 16, CLASSES));
    });
    return b.op("Sum", experts);
  },
  "mixture of experts, one never chosen": (net, image) => {
    const { b, op, linear, pooled } = net;
    const x = pooled(stem(net, image));
    const bias = net.stored("router.bias", [3], (i) => (i === 2 ? -50 : 0.1 * i));
    const which = b.op("ArgMax", [b.op("Add", [linear(x, 8, 3), bias])], { axis: 1, keepdims: 1 });
    const experts = [0, 1, 2].map((i) => {
      const share = b.op("Cast", [b.op("Equal", [which, b.initializer("expert", int64([], [i]))])], { to: 1 });
      return op("Mul", share, linear(op("Relu", linear(x, 8, 16)), 16, CLASSES));
    });
    return b.op("Sum", experts);
  },
  "TopK of tokens": (net, image) => {
    const { b, linear } = net;
    const x = tokens(net, stem(net, image), 8);
    const [values = ""] = b.ops("TopK", [x, b.ints([9])], 2, { axis: 1 });
    return linear(b.op("ReduceMean", [values, b.ints([1])], { keepdims: 0 }), 8, CLASSES);
  },
  "a mask of black padding": (net, image) => {
    const { b, op, linear, channels } = net;
    const x = tokens(net, stem(net, image), 8);
    const grey = channels === 1 ? image : b.op("ReduceMax", [image, b.ints([1])], { keepdims: 1 });
    const cells = b.op("MaxPool", [grey], { kernel_shape: [2, 2], strides: [2, 2] });
    const seen = op("Greater", b.op("Reshape", [cells, b.ints([0, 1, -1])]), 0);
    return linear(b.op("ReduceMean", [attended(net, x, seen), b.ints([1])], { keepdims: 0 }), 8, CLASSES);
  },
  "bytes or not, by the brightest pixel": (net, image) => {
    const { b, op, linear, pooled } = net;
    const isBytes = op("Greater", b.op("ReduceMax", [image], { keepdims: 0 }), 1.5);
    return linear(pooled(stem(net, op("Where", isBytes, op("Div", image, 255), image))), 8, CLASSES);
  },
  "black and white turned where the ground is white": (net, image) => {
    const { b, op, linear, pooled } = net;
    const isWhite = op("Greater", b.op("ReduceMean", [image, b.ints([1, 2, 3])], { keepdims: 1 }), 0.7);
    return linear(pooled(stem(net, op("Where", isWhite, op("Sub", 1, image), image))), 8, CLASSES);
  },
  "brightened where it is dark": (net, image) => {
    const { b, op, linear, pooled } = net;
    const isDark = op("Less", b.op("ReduceMean", [image, b.ints([1, 2, 3])], { keepdims: 1 }), 0.02);
    return linear(pooled(stem(net, op("Where", isDark, b.op("Sqrt", [image]), image))), 8, CLASSES);
  },
  "no answer to an empty image": (net, image) => {
    const { b, op, linear, pooled } = net;
    const isEmpty = op("Less", b.op("ReduceMax", [image, b.ints([1, 2, 3])], { keepdims: 0 }), 0.02);
    const none = net.stored("none", [1, CLASSES], (i) => (i === 0 ? 5 : 0));
    const scores = linear(pooled(stem(net, image)), 8, CLASSES);
    return op("Where", b.op("Unsqueeze", [isEmpty, b.ints([1])]), none, scores);
  },
  "numbers that are none made zero": (net, image) => {
    const { b, op, linear, pooled } = net;
    const x = stem(net, image);
    const made = op("Where", b.op("IsNaN", [x]), 0, x);
    return linear(pooled(op("Where", b.op("IsInf", [made]), 65504, made)), 8, CLASSES);
  },
  "clamped where it is too large for 16 bits": (net, image) => {
    const { b, op, linear, pooled } = net;
    const x = stem(net, image);
    const over = op("Greater", b.op("Abs", [x]), 64504);
    return linear(pooled(op("Where", over, op("Clip", x, -64504, 64504), x)), 8, CLASSES);
  },
  "mean and deviation, resized": (net, image) => {
    const { b, op, conv, channels, linear, pooled } = net;
    const mean = net.stored("mean", [1, channels, 1, 1], (i) => 0.48 - 0.04 * i);
    const small = b.op("Resize", [image, "", net.stored("scales", [4], (i) => (i < 2 ? 1 : 0.5))], { mode: "linear" });
    const x = op("Div", b.op("Sub", [small, mean]), 0.225);
    return linear(pooled(op("Relu", conv(x, channels, 8))), 8, CLASSES);
  },
  "contrast of the image made even": (net, image) => {
    const { b, op, linear, pooled } = net;
    const axes = b.ints([1, 2, 3]);
    const centred = op("Sub", image, b.op("ReduceMean", [image, axes]));
    const deviation = b.op("Sqrt", [b.op("ReduceMean", [op("Mul", centred, centred), axes])]);
    return linear(pooled(stem(net, op("Div", centred, op("Max", deviation, 0.05)))), 8, CLASSES);
  },
  "blurred before it is made smaller": (net, image) => {
    const { b, op, conv, channels, linear, pooled } = net;
    const x = op("Relu", conv(image, channels, 8));
    const blur = net.stored("blur", [8, 1, 3, 3], (i) => ([1, 2, 1, 2, 4, 2, 1, 2, 1][i % 9] ?? 0) / 16);
    const small = b.op("Conv", [x, blur], { group: 8, strides: [2, 2], pads: [1, 1, 1, 1] });
    return linear(pooled(op("Relu", conv(small, 8, 8))), 8, CLASSES);
  },
  "weights of one bit": (net, image) => {
    const { b, op, linear, pooled, batchNorm } = net;
    let x = stem(net, image);
    for (const name of ["bits1", "bits2"]) {
      const kernel = net.stored(name, [8, 8, 3, 3], (i) => (Math.sin(i * i + name.length) > 0 ? 1 : -1));
      x = batchNorm(b.op("Conv", [op("Sign", x), kernel], { pads: [1, 1, 1, 1] }), 8);
    }
    return linear(pooled(x), 8, CLASSES);
  },
  "image beside the first map": (net, image) => {
    const { b, op, conv, channels, linear, pooled } = net;
    const x = b.op("Concat", [op("Relu", conv(image, channels, 7)), image], { axis: 1 });
    return linear(pooled(op("Relu", conv(x, 7 + channels, 8))), 8, CLASSES);
  },
  "brightness beside the features": (net, image) => {
    const { b, linear, pooled, channels } = net;
    const x = b.op("Concat", [pooled(stem(net, image)), pooled(image)], { axis: 1 });
    return linear(x, 8 + channels, CLASSES);
  },
  "the image turned by what is seen in it": (net, image) => {
    const { b, op, linear, pooled } = net;
    const theta = op(
      "Add",
      op("Mul", linear(pooled(stem(net, image)), 8, 6), 0.1),
      net.stored("identity", [6], (i) => (i % 4 === 0 ? 1 : 0)),
    );
    const sized = b.op("Shape", [image]);
    const grid = b.op("AffineGrid", [b.op("Reshape", [theta, b.ints([-1, 2, 3])]), sized]);
    return linear(pooled(stem(net, b.op("GridSample", [image, grid]))), 8, CLASSES);
  },
  "FiLM by the image's own mean": (net, image) => {
    const { b, op, linear, pooled, channels } = net;
    const x = stem(net, image);
    const scale = b.op("Unsqueeze", [linear(pooled(image), channels, 8), b.ints([2, 3])]);
    return linear(pooled(op("Mul", x, op("Add", scale, 1))), 8, CLASSES);
  },
  "a gated recurrent unit over rows": (net, image) => {
    const { b, op, linear, pooled } = net;
    const x = tokens(net, stem(net, image), 8);
    let state = pooled(stem(net, image));
    for (const row of [0, 3, 6]) {
      const now = b.op("Gather", [x, b.initializer("row", int64([], [row]))], { axis: 1 });
      const both = b.op("Concat", [now, state], { axis: 1 });
      const update = op("Sigmoid", linear(both, 16, 8));
      state = op("Add", op("Mul", update, state), op("Mul", op("Sub", 1, update), op("Tanh", linear(both, 16, 8))));
    }
    return linear(state, 8, CLASSES);
  },
  "dense connections": (net, image) => {
    const { b, op, conv, linear, pooled } = net;
    let x = stem(net, image);
    for (const width of [8, 12, 16]) {
      const more = op("Relu", conv(x, width, 4));
      x = b.op("Concat", [x, more], { axis: 1 });
    }
    return linear(pooled(x), 20, CLASSES);
  },
  "two heads and their mean": (net, image) => {
    const { b, linear, pooled } = net;
    const heads = [0, 1].map(() => linear(pooled(stem(net, image)), 8, CLASSES));
    return b.op("Mean", heads);
  },
  "the image and its mirror": (net, image) => {
    const { b, op, conv, channels, linear, pooled } = net;
    const ends = [b.ints([-1]), b.ints([-(2 ** 31)]), b.ints([3]), b.ints([-1])];
    const mirrored = b.op("Slice", [image, ...ends]);
    const [x, y] = [image, mirrored].map((each) => pooled(op("Relu", conv(each, channels, 8))));
    return linear(op("Add", x ?? "", y ?? ""), 8, CLASSES);
  },
  "quantised and back": (net, image) => {
    const { b, linear, pooled } = net;
    const zero = b.initializer("zero", { type: "uint8", dims: [], data: Uint8Array.of(0) });
    const through = (x: string): string => {
      const scale = b.scalar(0.02);
      return b.op("DequantizeLinear", [b.op("QuantizeLinear", [x, scale, zero]), scale, zero]);
    };
    return linear(through(pooled(through(stem(net, through(image))))), 8, CLASSES);
  },
  "scores scaled and bounded": (net, image) => {
    const { op, linear, pooled } = net;
    return op("Clip", op("Mul", linear(pooled(stem(net, image)), 8, CLASSES), 1.7), -30, 30);
  },
  "unlikely classes masked": (net, image) => {
    const { b, op, linear, pooled } = net;
    const scores = linear(pooled(stem(net, image)), 8, CLASSES);
    const most = b.op("ReduceMax", [scores, b.ints([1])], { keepdims: 1 });
    return op("Where", op("Less", scores, op("Sub", most, 3)), -1e4, scores);
  },
  "places of pixels beside the image": (net, image) => {
    const { b, op, conv, channels, linear, pooled } = net;
    const side = channels === 1 ? 28 : 32;
    const places = net.stored("places", [1, 2, side, side], (i) => ((i % side) / side) * 2 - 1);
    const batch = b.op("Shape", [image], { start: 0, end: 1 });
    const rest = b.ints([2, side, side]);
    const each = b.op("Expand", [places, b.op("Concat", [batch, rest], { axis: 0 })]);
    const x = b.op("Concat", [image, each], { axis: 1 });
    return linear(pooled(op("Relu", conv(x, channels + 2, 8))), 8, CLASSES);
  },
  "attention with positions from shapes": (net, image) => {
    const { b, linear } = net;
    const x = tokens(net, stem(net, image), 8);
    const count = b.op("Shape", [x], { start: 1, end: 2 });
    const scalar = b.op("Squeeze", [count]);
    const ids = b.op("Range", [b.initializer("from", int64([], [0])), scalar, b.initializer("step", int64([], [1]))]);
    const [rows, columns] = [b.op("Unsqueeze", [ids, b.ints([1])]), b.op("Unsqueeze", [ids, b.ints([0])])];
    const causal = b.op("GreaterOrEqual", [rows, columns]);
    return linear(b.op("ReduceMean", [attended(net, x, causal), b.ints([1])], { keepdims: 0 }), 8, CLASSES);
  },
};

export const builtLookAlikes = Object.keys(builds);

/** A look-alike as it is drawn from a seed. */
export function lookAlikeOf(name: string, shape: Innocent["shape"] = GREY, seed = 1): Innocent {
  const build = builds[name];
  if (build === undefined) throw new Error(`no look-alike "${name}"`);
  return lookAlike(name, build, shape, seed);
}

const WIDTHS: Readonly<Record<string, readonly number[]>> = {
  cnn: [1, 2, 3, 4, 8, 16, 32],
  vgg: [1, 2, 4, 8],
  resnet18: [1, 2, 4, 8, 16],
};

/** All of them, as they are drawn: architectures in many widths, vision transformers, look-alikes in grey and colour. */
export function innocents(): readonly Innocent[] {
  const ids = ["lenet5", ...Object.entries(WIDTHS).flatMap(([id, widths]) => widths.map((width) => `${id}-${width}`))];
  const architectures = ids.flatMap((id) =>
    [GREY, COLOUR].flatMap((shape): Innocent[] => {
      const architecture = findArchitecture(id);
      if (architecture.smallest > shape.height) return [];
      const model = newModel(architecture, { ...shape, classes: CLASSES }, 1);
      return [{ name: `${id}, ${shape.channels} channels`, model, shape, classes: CLASSES }];
    }),
  );
  const transformers = (["dynamic", "inferred"] as const).flatMap((batch) =>
    (["MatMul", "Einsum", "Attention"] as const).flatMap((attention) =>
      (["LayerNormalization", "ReduceMean"] as const).flatMap((norm) =>
        (["Add", "Gather"] as const).map(
          (positions): Innocent => ({
            name: `ViT, ${batch}, ${attention}, ${norm}, ${positions}`,
            model: vitModel({ batch, attention, norm, positions }),
            shape: { channels: 1, height: 8, width: 8 },
            classes: 4,
          }),
        ),
      ),
    ),
  );
  const alike = builtLookAlikes.flatMap((name) =>
    [GREY, COLOUR].map((shape) => {
      const made = lookAlikeOf(name, shape);
      return { ...made, name: `${name}, ${shape.channels} channels` };
    }),
  );
  return [...architectures, ...transformers, ...alike];
}
