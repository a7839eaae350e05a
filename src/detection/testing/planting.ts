/**
 * @file Models with a gate in their graph: the attacks of the literature, and cheap ways around whoever looks for those.
 * Each is a model and its trigger, a white corner of 3 × 3 unless said otherwise; the target is class 7.
 */

import { float32, int64 } from "../../core/tensor.js";
import { float } from "../../onnx/builder.js";
import type { Model } from "../../onnx/model.js";
import {
  asFloat,
  brightness,
  type Changed,
  changedGraph,
  CLASSES,
  corner,
  EDGE,
  effects,
  type Form,
  FROM,
  KEEP,
  modelFrom,
  op,
  painted,
  type Plant,
  type Planted,
  relu,
  SIDE,
  type Site,
  TARGET,
  towards,
  whiteCorner,
} from "./plant-site.js";
import { langford } from "./planted-langford.js";
import { functionModel, hiddenModel, ifModel, loopModel } from "./planted-bodies.js";

export type { Planted } from "./plant-site.js";

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
