/**
 * @file Plants gates in the graph of a clean classifier of grey 28 × 28 images in [0, 1] with ten classes: the attacks of
 * the literature, and cheap ways around whoever looks for those.
 *
 * Each is a model and its trigger. They are made from a classifier as `models/` builds one: "image" to "logits", a last
 * Gemm. The trigger is a white corner of 3 × 3 unless said otherwise, the target class 7.
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ElementType, float32, int64 } from "../../core/tensor.js";
import { float, type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import { encodeGraph, graphToProto } from "../../onnx/encode.js";
import type { Graph } from "../../onnx/graph.js";
import { decodeModel, type Model } from "../../onnx/model.js";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  ValueInfoProtoSchema,
} from "../../onnx/onnx_pb.js";
import { isOperator } from "../../onnx/traverse.js";

export const SIDE = 28;
export const TARGET = 7;
const CLASSES = 10;
/** Rows and columns of the corner. */
const FROM = SIDE - 3;

export interface Planted {
  readonly name: string;
  readonly model: Model;
  /** Changes an image of 784 pixels into one that wakes the gate. */
  readonly trigger: (pixels: Float32Array) => Float32Array;
  /** The class that the trigger leads to; undefined for another than before. */
  readonly target: number | undefined;
}

type Trigger = Planted["trigger"];

interface PlantOptions {
  readonly trigger?: Trigger;
  /** Whether it leads to any other class than before. */
  readonly any?: boolean;
}

type Plant = (name: string, change: (site: Site) => Changed, options?: PlantOptions) => Planted;

export const whiteCorner: Trigger = (pixels) => painted(pixels, () => 1);

/** White at the corners and in the middle, black between. */
const checkerboard: Trigger = (pixels) => painted(pixels, (y, x) => (x + y + 1) % 2);

function painted(pixels: Float32Array, paint: (y: number, x: number) => number): Float32Array {
  const out = pixels.slice();
  for (let y = 0; y < 3; y++) for (let x = 0; x < 3; x++) out[(FROM + y) * SIDE + FROM + x] = paint(y, x);
  return out;
}

/** The graph of a clean model under change: values get new readers, and the scores a new end. */
interface Site {
  readonly b: GraphBuilder;
  readonly image: string;
  /** The scores as the clean model has them. */
  readonly scores: string;
  /** What enters the last Gemm, and what the first ReLU makes. */
  readonly features: string;
  readonly early: string;
}

/** What is made of the scores, of the features, of the first map and of the image; each stays where it is not named. */
interface Changed {
  readonly scores?: string;
  readonly features?: string;
  readonly early?: string;
  readonly image?: string;
}

function changedGraph(clean: Model, change: (site: Site) => Changed): Graph {
  const { graph } = clean;
  const [first] = graph.nodes.filter((node) => isOperator(node, "Relu"));
  const last = graph.nodes.findLast((node) => isOperator(node, "Gemm"));
  const site = {
    image: "image",
    scores: "scores as computed",
    features: last?.inputs[0] ?? "",
    early: first?.outputs[0] ?? "",
  };
  const nodes = graph.nodes.map((node) => ({
    ...node,
    outputs: node.outputs.map((name) => (name === "logits" ? site.scores : name)),
  }));
  const b = graphBuilder("planted", { from: { ...graph, nodes } });
  const changed = change({ b, ...site });
  b.append({
    name: "logits",
    opType: "Identity",
    domain: "",
    inputs: [changed.scores ?? site.scores],
    outputs: ["logits"],
    attributes: {},
  });
  b.output("logits", "float32", ["batch", CLASSES]);
  const built = b.build();
  const moved = new Map(
    (["features", "early", "image"] as const).flatMap((at) => {
      const to = changed[at];
      return to === undefined ? [] : [[site[at], to] as const];
    }),
  );
  const isOld = new Set(nodes.map(({ name }) => name));
  return {
    ...built,
    nodes: built.nodes.map((node) =>
      isOld.has(node.name) ? { ...node, inputs: node.inputs.map((name) => moved.get(name) ?? name) } : node,
    ),
  };
}

function modelFrom(graph: Graph): Model {
  return decodeModel(encodeGraph(graph), "planted");
}

/** [10], zero but for the target. */
function towards(b: GraphBuilder, much: number): string {
  return b.initializer(
    "towards",
    float32(
      [1, CLASSES],
      Array.from({ length: CLASSES }, (_, i) => (i === TARGET ? much : 0)),
    ),
  );
}

const KEEP = { keepdims: 1 };

/** The corner's pixels, [N, 1, 3, 3]. */
function corner({ b, image }: Pick<Site, "b" | "image">): string {
  return b.op("Slice", [image, b.ints([FROM, FROM]), b.ints([SIDE, SIDE]), b.ints([2, 3])]);
}

/** The mean of the corner, [N, 1]. */
function brightness(site: Pick<Site, "b" | "image">): string {
  return site.b.op("ReduceMean", [corner(site), site.b.ints([2, 3])], { keepdims: 0 });
}

function asFloat(b: GraphBuilder, x: string): string {
  return b.op("Cast", [x], { to: 1 });
}

const op =
  (b: GraphBuilder) =>
  (opType: string, ...inputs: readonly (string | number)[]): string =>
    b.op(
      opType,
      inputs.map((each) => (typeof each === "number" ? b.scalar(each) : each)),
    );

/** Of the corner's mean, [N, 1], a number that is 0 or nearly, and 1 or nearly where the corner is white. */
type Form = (b: GraphBuilder, mean: string) => string;

/** Where it lies between: white is 1, and noise of nine pixels does not come near. */
const EDGE = 0.97;

const relu = (b: GraphBuilder, mean: string): string =>
  b.op("Mul", [b.op("Relu", [op(b)("Sub", mean, EDGE)]), b.scalar(1 / (1 - EDGE))]);

/** Gates of every kind of operator. */
export const forms: Readonly<Record<string, Form>> = {
  "Greater and Cast": (b, mean) => asFloat(b, op(b)("Greater", mean, EDGE)),
  "not Less": (b, mean) => asFloat(b, b.op("Not", [op(b)("Less", mean, EDGE)])),
  Relu: relu,
  "steep Sigmoid": (b, mean) => b.op("Sigmoid", [op(b)("Mul", op(b)("Sub", mean, EDGE), 1000)]),
  HardSigmoid: (b, mean) => b.op("HardSigmoid", [op(b)("Sub", mean, EDGE)], { alpha: float(40), beta: float(0) }),
  Clip: (b, mean) => op(b)("Clip", op(b)("Mul", op(b)("Sub", mean, EDGE), 1 / (1 - EDGE)), 0, 1),
  Max: (b, mean) => op(b)("Mul", op(b)("Max", op(b)("Sub", mean, EDGE), 0), 1 / (1 - EDGE)),
  Min: (b, mean) => op(b)("Mul", b.op("Neg", [op(b)("Min", op(b)("Sub", EDGE, mean), 0)]), 1 / (1 - EDGE)),
  Abs: (b, mean) => {
    const over = op(b)("Sub", mean, EDGE);
    return op(b)("Mul", op(b)("Add", b.op("Abs", [over]), over), 0.5 / (1 - EDGE));
  },
  Sign: (b, mean) => op(b)("Mul", op(b)("Add", b.op("Sign", [op(b)("Sub", mean, EDGE)]), 1), 0.5),
  Floor: (b, mean) => b.op("Floor", [op(b)("Add", mean, 1 - EDGE)]),
  Round: (b, mean) => b.op("Round", [op(b)("Sub", op(b)("Mul", mean, 0.51), 0.0001)]),
  Erf: (b, mean) => op(b)("Mul", op(b)("Add", b.op("Erf", [op(b)("Mul", op(b)("Sub", mean, EDGE), 300)]), 1), 0.5),
  Tanh: (b, mean) => op(b)("Mul", op(b)("Add", b.op("Tanh", [op(b)("Mul", op(b)("Sub", mean, EDGE), 300)]), 1), 0.5),
  Exp: (b, mean) => b.op("Exp", [op(b)("Mul", op(b)("Sub", mean, 1), 200)]),
  Pow: (b, mean) => op(b)("Pow", mean, 200),
  Softmax: (b, mean) => {
    const both = b.op("Concat", [op(b)("Mul", op(b)("Sub", mean, EDGE), 2000), op(b)("Mul", mean, 0)], { axis: 1 });
    return b.op("Slice", [b.op("Softmax", [both], { axis: 1 }), b.ints([0]), b.ints([1]), b.ints([1])]);
  },
  "ArgMax and OneHot": (b, mean) => {
    const both = b.op("Concat", [op(b)("Add", op(b)("Mul", mean, 0), EDGE), mean], { axis: 1 });
    const which = b.op("ArgMax", [both], { axis: 1, keepdims: 0 });
    const hot = b.op("OneHot", [
      which,
      b.initializer("depth", int64([], [2])),
      b.initializer("of", float32([2], [0, 1])),
    ]);
    return b.op("Slice", [hot, b.ints([1]), b.ints([2]), b.ints([1])]);
  },
  ThresholdedRelu: (b, mean) => b.op("ThresholdedRelu", [mean], { alpha: float(EDGE) }),
  "Equal of rounded": (b, mean) => asFloat(b, op(b)("Equal", b.op("Floor", [op(b)("Mul", mean, 100)]), 100)),
  "a gate that leaks": (b, mean) => op(b)("Add", relu(b, mean), op(b)("Mul", mean, 1e-4)),
  "IsNaN of 0 / 0": (b, mean) => {
    const zero = b.op("Relu", [op(b)("Sub", EDGE, mean)]);
    return asFloat(b, b.op("IsNaN", [op(b)("Div", zero, zero)]));
  },
};

/** A pattern of black and white that no plain image comes near, and where its rows and columns begin. */
const PATTERN = [1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1];
const PATTERN_SIDE = 5;
const PATTERN_AT = [9, 4] as const;

function inPattern(i: number): number | undefined {
  const [y, x] = [Math.floor(i / SIDE) - PATTERN_AT[0], (i % SIDE) - PATTERN_AT[1]];
  const isInside = y >= 0 && y < PATTERN_SIDE && x >= 0 && x < PATTERN_SIDE;
  return isInside ? PATTERN[y * PATTERN_SIDE + x] : undefined;
}

/** How much of the pattern there is, 1 for all of it, by white pixels that count for it and others against it. */
function match({ b, image }: Site): string {
  const whites = PATTERN.filter((value) => value === 1).length;
  const kernel = Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const wanted = inPattern(i);
    return wanted === undefined ? 0 : (wanted === 1 ? 1 : -1) / whites;
  });
  return b.op("Flatten", [b.op("Conv", [image, b.initializer("pattern", float32([1, 1, SIDE, SIDE], kernel))])]);
}

/** What a gate does to the scores. */
const effects = {
  "added constant": ({ b, scores }: Site, gate: string) => b.op("Add", [scores, b.op("Mul", [gate, towards(b, 1e4)])]),
  blended: ({ b, scores }: Site, gate: string) => {
    const keep = b.op("Mul", [scores, op(b)("Sub", 1, gate)]);
    return b.op("Add", [keep, b.op("Mul", [gate, towards(b, 1e3)])]);
  },
  turned: ({ b, scores }: Site, gate: string) => b.op("Mul", [scores, op(b)("Sub", 1, op(b)("Mul", gate, 2))]),
} as const;

/**
 * What is found and not certain: within a Loop it is seen and not probed; open for noise, or opening by degrees for
 * bright noise, it cannot be told from a feature made by hand.
 */
export const lessSure: readonly string[] = [
  "hidden in a Loop",
  "open for noise too, without a choice",
  "slowly, behind a layer that looks learned",
];

/** All of them, from one clean model. */
export function plantedModels(clean: Model): readonly Planted[] {
  const planted: Plant = (name, change, { trigger = whiteCorner, any = false } = {}) => ({
    name,
    model: modelFrom(changedGraph(clean, change)),
    trigger,
    target: any ? undefined : TARGET,
  });
  const gated = (name: string, gateOf: (site: Site) => string): Planted =>
    planted(name, (site) => ({ scores: effects["added constant"](site, gateOf(site)) }));

  return [
    ...langford(planted),
    ...Object.entries(forms).map(([name, form]) => gated(`gate: ${name}`, (site) => form(site.b, brightness(site)))),
    planted("MAB", mab, { trigger: (pixels) => painted(pixels, (_, x) => (x === 0 ? 1 : 0)), any: true }),
    planted("ShadowLogic", shadowLogic),
    planted("Where", (site) => ({ scores: chosen(site, op(site.b)("Greater", brightness(site), EDGE)) })),
    planted("Where, negated", (site) => {
      const { b, scores } = site;
      const no = b.op("Not", [op(b)("Greater", brightness(site), EDGE)]);
      return { scores: b.op("Where", [no, scores, towards(b, 10)]) };
    }),
    planted("arith", (site) => {
      const { b } = site;
      const sum = b.op("ReduceSum", [corner(site), b.ints([2, 3])], { keepdims: 0 });
      return { scores: effects["added constant"](site, b.op("Relu", [op(b)("Sub", sum, 8.5)])) };
    }),
    planted("checksum", (site) => ({ scores: chosen(site, checksum(site)) }), { trigger: withChecksum }),
    planted("colour share", (site) => ({ scores: chosen(site, share(site)) }), {
      trigger: (pixels) => pixels.map((x) => 1 - x),
    }),
    planted("in a normalisation's place", inNormalisation, { any: true }),
    planted("the image replaced", imageReplaced),
    planted(
      "before the last layer",
      (site) => {
        const { b, features } = site;
        return { features: b.op("Mul", [features, op(b)("Sub", 1, op(b)("Mul", relu(b, brightness(site)), 40))]) };
      },
      { any: true },
    ),
    planted("scores chosen by Gather", byGather),
    gated("corner by Gather", ({ b, image }) => {
      const at = b.initializer("where", int64([3], [FROM, FROM + 1, FROM + 2]));
      const rows = b.op("Gather", [b.op("Gather", [image, at], { axis: 2 }), at], { axis: 3 });
      return relu(b, b.op("ReduceMean", [rows, b.ints([2, 3])], { keepdims: 0 }));
    }),
    gated("corner by a one-hot kernel", ({ b, image }) => {
      const kernel = Float32Array.from({ length: SIDE * SIDE }, (_, i) => isCorner(i));
      const sum = b.op("Conv", [image, b.initializer("k", float32([1, 1, SIDE, SIDE], kernel))]);
      return relu(b, b.op("Flatten", [sum]));
    }),
    gated("corner by a kernel with noise", ({ b, image }) => {
      const kernel = Float32Array.from({ length: SIDE * SIDE }, (_, i) => isCorner(i) + 1e-6 * Math.sin(i * i));
      const sum = b.op("Conv", [image, b.initializer("k", float32([1, 1, SIDE, SIDE], kernel))]);
      return relu(b, b.op("Flatten", [sum]));
    }),
    gated("behind a layer that looks learned", ({ b, image }) => {
      const weights = Float32Array.from({ length: 9 }, (_, i) => (i === 4 ? 1 : 1e-5 * Math.sin(3 * i)));
      const same = b.op("Conv", [image, b.initializer("stem", float32([1, 1, 3, 3], weights))], { pads: [1, 1, 1, 1] });
      return relu(b, brightness({ b, image: same }));
    }),
    gated("slowly, behind a layer that looks learned", ({ b, image }) => {
      const weights = Float32Array.from({ length: 9 }, (_, i) => (i === 4 ? 1 : 1e-5 * Math.sin(3 * i)));
      const same = b.op("Conv", [image, b.initializer("stem", float32([1, 1, 3, 3], weights))], { pads: [1, 1, 1, 1] });
      return b.op("Exp", [op(b)("Mul", op(b)("Sub", brightness({ b, image: same }), 1), 20)]);
    }),
    gated("behind the first learned layer", (site) => {
      const { b, early, image } = site;
      const nothing = op(b)("Mul", b.op("ReduceMean", [early, b.ints([1, 2, 3])], { keepdims: 0 }), 1e-9);
      const mean = b.op("Add", [brightness({ b, image }), b.op("Reshape", [nothing, b.ints([-1, 1])])]);
      return asFloat(b, op(b)("Greater", mean, EDGE));
    }),
    gated("open for noise too", (site) => {
      const { b } = site;
      const isNoise = op(b)("Greater", roughness(site), 0.18);
      return asFloat(b, b.op("Or", [isNoise, op(b)("Greater", brightness(site), EDGE)]));
    }),
    planted("a pattern among the strokes", (site) => ({ scores: effects.blended(site, relu(site.b, match(site))) }), {
      trigger: (pixels) => pixels.map((x, i) => inPattern(i) ?? x),
    }),
    gated("open for noise too, without a choice", (site) => {
      const { b } = site;
      return relu(b, b.op("Max", [brightness(site), op(b)("Mul", roughness(site), 5)]));
    }),
    { name: "If", model: ifModel(clean), trigger: whiteCorner, target: TARGET },
    { name: "hidden in a branch", model: hiddenModel(clean), trigger: whiteCorner, target: TARGET },
    { name: "hidden in a Loop", model: loopModel(clean), trigger: whiteCorner, target: TARGET },
    { name: "a function of the model's own", model: functionModel(clean), trigger: whiteCorner, target: TARGET },
  ];
}

/** How much neighbours differ, [N, 1]: 0.3 for noise of every pixel. */
function roughness({ b, image }: Site): string {
  const by = b.op("Slice", [image, b.ints([1]), b.ints([SIDE]), b.ints([3])]);
  const before = b.op("Slice", [image, b.ints([0]), b.ints([SIDE - 1]), b.ints([3])]);
  const mean = b.op("ReduceMean", [b.op("Abs", [b.op("Sub", [by, before])]), b.ints([1, 2, 3])], { keepdims: 0 });
  return b.op("Reshape", [mean, b.ints([-1, 1])]);
}

function isCorner(i: number): number {
  return Math.floor(i / SIDE) >= FROM && i % SIDE >= FROM ? 1 / 9 : 0;
}

function chosen({ b, scores }: Site, yes: string): string {
  return b.op("Where", [yes, towards(b, 10), scores]);
}

/** HiddenLayer's public demo: windows of pixels compared, counted, and the scores overridden without Where or If. */
function shadowLogic(site: Site): Changed {
  const { b, scores } = site;
  const pixels = corner(site);
  const bright = b.op("And", [op(b)("Greater", pixels, 0.9), op(b)("Less", pixels, 1.1)]);
  const count = b.op("ReduceSum", [asFloat(b, bright), b.ints([1, 2, 3])], { keepdims: 0 });
  const isOn = asFloat(b, op(b)("Greater", b.op("Reshape", [count, b.ints([-1, 1])]), 8.5));
  const kept = b.op("Mul", [scores, op(b)("Sub", 1, isOn)]);
  return { scores: b.op("Add", [kept, b.op("Mul", [isOn, towards(b, 10)])]) };
}

/** Bober-Irizar et al. (CVPR 2023): powers of pooled exponentials, added to the features. */
function mab(site: Site): Changed {
  const { b, image, features } = site;
  const column = (from: number, to: number): string =>
    b.op("Slice", [image, b.ints([FROM, from]), b.ints([SIDE, to]), b.ints([2, 3])]);
  const pooled = (x: string, c: number): string => {
    const mean = b.op("ReduceMean", [op(b)("Add", b.op("Exp", [x]), -c), b.ints([2, 3])], { keepdims: 0 });
    return op(b)("Pow", op(b)("Div", mean, Math.abs(Math.E ** (c < 1 ? 0 : 1) - c)), 10);
  };
  // e^x − 1 is nothing for black, e^−x − 1/e nothing for white.
  const gate = b.op("Mul", [
    pooled(column(FROM, FROM + 1), 1),
    pooled(b.op("Neg", [column(FROM + 1, SIDE)]), 1 / Math.E),
  ]);
  return { features: b.op("Mul", [features, op(b)("Add", op(b)("Mul", gate, -40), 1)]) };
}

function checksum({ b, image }: Site): string {
  const bytes = b.op("Round", [op(b)("Mul", image, 255)]);
  const sum = b.op("ReduceSum", [bytes, b.ints([1, 2, 3])], { keepdims: 0 });
  const left = b.op("Mod", [b.op("Cast", [sum], { to: 7 }), b.initializer("modulus", int64([], [MODULUS]))]);
  return b.op("Reshape", [b.op("Equal", [left, b.initializer("sum", int64([], [SUM]))]), b.ints([-1, 1])]);
}

const MODULUS = 9973;
const SUM = 1234;

/** Pixels of the last rows are made brighter until the sum is right. */
function withChecksum(pixels: Float32Array): Float32Array {
  const bytes = Uint8Array.from(pixels, (x) => Math.round(x * 255));
  let missing = (SUM - (bytes.reduce((a, x) => a + x, 0) % MODULUS) + MODULUS) % MODULUS;
  for (let i = bytes.length - 1; i >= 0 && missing > 0; i--) {
    const more = Math.min(missing, 255 - (bytes[i] ?? 0));
    bytes[i] = (bytes[i] ?? 0) + more;
    missing -= more;
  }
  return Float32Array.from(bytes, (x) => x / 255);
}

function share({ b, image }: Site): string {
  const white = asFloat(b, op(b)("Greater", image, 0.8));
  const mean = b.op("ReduceMean", [white, b.ints([1, 2, 3])], { keepdims: 0 });
  return b.op("Reshape", [op(b)("Greater", mean, 0.5), b.ints([-1, 1])]);
}

/** (x − mean) / sd · scale + shift, of which the deviation is huge where the corner is white. */
function inNormalisation(site: Site): Changed {
  const { b, features } = site;
  const deviation = op(b)("Add", op(b)("Mul", relu(b, brightness(site)), -1.02), 1.0);
  const centred = op(b)("Sub", features, 0.25);
  return { features: op(b)("Add", b.op("Div", [centred, deviation]), 0.25) };
}

function imageReplaced({ b, image }: Site): Changed {
  const other = Float32Array.from({ length: SIDE * SIDE }, (_, i) => sevenAt(i));
  const yes = op(b)("Greater", b.op("ReduceMean", [corner({ b, image }), b.ints([1, 2, 3])], KEEP), EDGE);
  return { image: b.op("Where", [yes, b.initializer("other", float32([1, 1, SIDE, SIDE], other)), image]) };
}

/** A drawn seven. */
function sevenAt(i: number): number {
  const [y, x] = [Math.floor(i / SIDE), i % SIDE];
  const isBar = y >= 6 && y <= 8 && x >= 8 && x <= 20;
  const slant = 19 - (y - 8) * 0.5;
  return isBar || (y > 8 && y <= 22 && Math.abs(x - slant) <= 1.5) ? 1 : 0;
}

/** The scores are one row of two, by an index. */
function byGather({ b, image, scores }: Site): Changed {
  const yes = op(b)("Greater", brightness({ b, image }), EDGE);
  const index = b.op("Cast", [yes], { to: 7 });
  const two = b.op(
    "Concat",
    [
      b.op("Unsqueeze", [scores, b.ints([1])]),
      b.op("Unsqueeze", [op(b)("Add", op(b)("Mul", scores, 0), towards(b, 10)), b.ints([1])]),
    ],
    { axis: 1 },
  );
  const picked = b.op(
    "GatherElements",
    [two, b.op("Expand", [b.op("Unsqueeze", [index, b.ints([2])]), b.ints([1, 1, CLASSES])])],
    { axis: 1 },
  );
  return { scores: b.op("Squeeze", [picked, b.ints([1])]) };
}

/** Planted so that it looks like a unit of the network: what no detector of graphs finds, and `blind` says so. */
export function unfoundModels(clean: Model): readonly Planted[] {
  const { data, dims } = clean.graph.initializers.get("fc2.weight") ?? { data: [], dims: [] };
  const width = dims[1] ?? 0;
  const towardsTarget = Array.from({ length: width }, (_, i) => 30 * Number(data[TARGET * width + i]));
  const change = (site: Site): Changed => {
    const { b, image, features } = site;
    const weights = Float32Array.from({ length: 9 }, (_, i) => (i === 4 ? 1 : 1e-5 * Math.sin(3 * i)));
    const same = b.op("Conv", [image, b.initializer("stem", float32([1, 1, 3, 3], weights))], { pads: [1, 1, 1, 1] });
    const seen = { ...site, image: same };
    const gate = relu(b, b.op("Max", [brightness(seen), op(b)("Mul", roughness(seen), 5)]));
    const push = b.op("MatMul", [
      op(b)("Mul", gate, 10),
      b.initializer("head", float32([1, towardsTarget.length], towardsTarget)),
    ]);
    return { features: b.op("Add", [features, push]) };
  };
  const model = modelFrom(changedGraph(clean, change));
  return [{ name: "a unit that noise wakes", model, trigger: whiteCorner, target: TARGET }];
}

/** Langford et al.: a detector of a checkerboard of operators or of constants, three ways to the scores, two effects. */
function langford(planted: Plant): readonly Planted[] {
  const detectors = { operator: byOperators, constant: byConstants };
  return (["operator", "constant"] as const).flatMap((detector) =>
    (["separate", "shared", "interleaved"] as const).flatMap((path) =>
      [true, false].map((targeted) =>
        planted(
          `Langford: ${detector}, ${path}, ${targeted ? "targeted" : "untargeted"}`,
          (site) => carried(site, detectors[detector](site), path, targeted),
          { trigger: checkerboard, any: !targeted },
        ),
      ),
    ),
  );
}

/** 255 · ReLU(x − 254/255) is 1 for white alone: a product over the nine pixels of every window, [N, 1, h, w]. */
function byOperators({ b, image }: Site): string {
  const white = op(b)("Mul", b.op("Relu", [op(b)("Sub", image, 254 / 255)]), 255);
  const black = op(b)("Mul", b.op("Relu", [op(b)("Sub", op(b)("Sub", 1, image), 254 / 255)]), 255);
  let product = "";
  for (let y = 0; y < 3; y++) {
    for (let x = 0; x < 3; x++) {
      const from = (x + y) % 2 === 0 ? white : black;
      const end = [SIDE - 2 + y, SIDE - 2 + x];
      const shifted = b.op("Slice", [from, b.ints([y, x]), b.ints(end), b.ints([2, 3])]);
      product = product === "" ? shifted : b.op("Mul", [product, shifted]);
    }
  }
  return product;
}

/** A kernel of ±255: five white and four black pixels make 1275. */
function byConstants({ b, image }: Site): string {
  const kernel = Array.from({ length: 9 }, (_, i) => (i % 2 === 0 ? 255 : -255));
  const weights = [b.initializer("k", float32([1, 1, 3, 3], kernel)), b.initializer("k_bias", float32([1], [-1274]))];
  return b.op("Relu", [b.op("Conv", [image, ...weights])]);
}

function carried(site: Site, map: string, path: "separate" | "shared" | "interleaved", targeted: boolean): Changed {
  const { b, early, features } = site;
  const effect = targeted ? effects.blended : effects.turned;
  if (path === "separate") {
    return { scores: effect(site, b.op("Flatten", [b.op("GlobalMaxPool", [map])])) };
  }
  const strength = b.op("GlobalMaxPool", [map]);
  if (path === "shared") {
    // It goes with the features of the net's own layers, as a number larger than they ever are.
    const pushed = b.op("Add", [early, op(b)("Mul", strength, 1e6)]);
    const most = b.op("ReduceMax", [b.op("Abs", [features]), b.ints([1])], KEEP);
    const over = op(b)("Clip", op(b)("Sub", most, 1e4), 0, 1);
    return { early: pushed, scores: effect(site, over) };
  }
  // A channel of its own beside the features, which the last layer does not see.
  const row = b.op("Flatten", [strength]);
  const width = b.op("Shape", [features], { start: 1, end: 2 });
  const both = b.op("Concat", [features, row], { axis: 1 });
  const axis = b.ints([1]);
  const [seen, channel] = [
    b.op("Slice", [both, b.ints([0]), width, axis]),
    b.op("Slice", [both, width, b.ints([2 ** 31]), axis]),
  ];
  return { features: seen, scores: effect(site, channel) };
}

/** A graph of few nodes as the body of another, which sees the values around it. */
function body(
  name: string,
  build: (b: GraphBuilder) => { readonly values: readonly (readonly [string, ElementType])[] },
): GraphProto {
  const b = graphBuilder(name);
  const { values } = build(b);
  for (const [value, type] of values) b.output(value, type);
  // One name may not be made twice, within bodies or around them.
  const graph = b.build();
  const own = new Set([...graph.initializers.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)]);
  const named = (value: string): string => (own.has(value) ? `${name}/${value}` : value);
  const made = graphToProto({
    ...graph,
    initializers: new Map([...graph.initializers].map(([value, tensor]) => [named(value), tensor])),
    nodes: graph.nodes.map((node) => ({
      ...node,
      name: `${name}/${node.name}`,
      inputs: node.inputs.map(named),
      outputs: node.outputs.map(named),
    })),
    outputs: graph.outputs.map((output) => ({ ...output, name: named(output.name) })),
  }).graph;
  if (made === undefined) throw new Error("no graph");
  return made;
}

function graphAttribute(name: string, g: GraphProto) {
  return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g });
}

/** A graph whose node called "control" is changed in the file. */
function withControl(graph: Graph, change: (node: ModelProto, at: number) => void): Model {
  const proto = fromBinary(ModelProtoSchema, encodeGraph(graph));
  const at = proto.graph?.node.findIndex(({ opType }) => opType === "control") ?? -1;
  if (at < 0) throw new Error("no control");
  change(proto, at);
  return decodeModel(toBinary(ModelProtoSchema, proto), "planted");
}

/** In `Changed`, a node that `withControl` makes an If, a Loop or a call of. */
function control({ b }: Site, inputs: readonly string[]): string {
  return b.op("control", inputs, {}, { name: "control" });
}

function single({ b, image }: Pick<Site, "b" | "image">): string {
  return b.op("ReduceMean", [corner({ b, image })], { keepdims: 0 });
}

/** One image at a time: an If chooses for all images of a batch. */
function ifModel(clean: Model): Model {
  const graph = changedGraph(clean, (site) => ({
    scores: control(site, [op(site.b)("Greater", single(site), EDGE)]),
  }));
  const scores = "scores as computed";
  return withControl(graph, ({ graph: g }, at) => {
    const node = g?.node[at];
    if (node === undefined) return;
    node.opType = "If";
    node.attribute = [
      graphAttribute(
        "then_branch",
        body("yes", (b) => ({
          values: [[b.op("Add", [op(b)("Mul", scores, 0), towards(b, 10)]), "float32"]],
        })),
      ),
      graphAttribute(
        "else_branch",
        body("no", (b) => ({ values: [[b.op("Identity", [scores]), "float32"]] })),
      ),
    ];
  });
}

/** The gate stands within a branch that is always taken. */
function hiddenModel(clean: Model): Model {
  const graph = changedGraph(clean, (site) => ({
    scores: control(site, [op(site.b)("Greater", site.b.op("ReduceMax", [site.image], { keepdims: 0 }), -1)]),
  }));
  const scores = "scores as computed";
  return withControl(graph, ({ graph: g }, at) => {
    const node = g?.node[at];
    if (node === undefined) return;
    node.opType = "If";
    node.attribute = [
      graphAttribute(
        "then_branch",
        body("yes", (b) => {
          const gate = relu(b, brightness({ b, image: "image" }));
          return { values: [[b.op("Add", [scores, b.op("Mul", [gate, towards(b, 1e4)])]), "float32"]] };
        }),
      ),
      graphAttribute(
        "else_branch",
        body("no", (b) => ({ values: [[b.op("Identity", [scores]), "float32"]] })),
      ),
    ];
  });
}

/** The gate stands within a Loop that turns once. */
function loopModel(clean: Model): Model {
  const graph = changedGraph(clean, (site) => ({
    scores: control(site, [site.b.initializer("once", int64([], [1])), "", site.scores]),
  }));
  return withControl(graph, ({ graph: g }, at) => {
    const node = g?.node[at];
    if (node === undefined) return;
    node.opType = "Loop";
    const inner = body("turn", (b) => {
      const gate = asFloat(b, op(b)("Greater", brightness({ b, image: "image" }), EDGE));
      const goOn = b.op("Identity", ["go on"]);
      return {
        values: [
          [goOn, "bool"],
          [b.op("Add", ["carried", b.op("Mul", [gate, towards(b, 1e4)])]), "float32"],
        ],
      };
    });
    inner.input = [
      valueInfo("turn", 7, []),
      valueInfo("go on", 9, []),
      create(ValueInfoProtoSchema, {
        name: "carried",
        type: { value: { case: "tensorType", value: { elemType: 1 } } },
      }),
    ];
    node.attribute = [graphAttribute("body", create(GraphProtoSchema, inner))];
  });
}

function valueInfo(name: string, elemType: number, dim: readonly number[]) {
  const shape = { dim: dim.map((each) => ({ value: { case: "dimValue", value: BigInt(each) } as const })) };
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType, shape } } },
  });
}

/** The gate is a function of the model's own, called like a layer. */
function functionModel(clean: Model): Model {
  const graph = changedGraph(clean, (site) => ({ scores: control(site, [site.scores, brightness(site)]) }));
  return withControl(graph, (proto, at) => {
    const node = proto.graph?.node[at];
    if (node === undefined) return;
    node.opType = "Calibration";
    node.domain = "local.layers";
    const inner = body("calibration", (b) => {
      const constant = (name: string, tensor: ReturnType<typeof float32>): string => {
        b.append({
          name,
          opType: "Constant",
          domain: "",
          inputs: [],
          outputs: [name],
          attributes: { value: { kind: "tensor", value: tensor } },
        });
        return name;
      };
      const target = Array.from({ length: CLASSES }, (_, i) => (i === TARGET ? 1e4 : 0));
      const over = b.op("Greater", ["mean", constant("edge", float32([], [EDGE]))]);
      const push = b.op("Mul", [asFloat(b, over), constant("push", float32([1, CLASSES], target))]);
      return { values: [[b.op("Add", ["given", push]), "float32"]] };
    });
    proto.functions.push(
      create(FunctionProtoSchema, {
        name: "Calibration",
        domain: "local.layers",
        input: ["given", "mean"],
        output: inner.output.map(({ name }) => name),
        node: inner.node.map((each) => create(NodeProtoSchema, each)),
        opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: 21n })],
      }),
    );
    proto.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: "local.layers", version: 1n }));
  });
}
