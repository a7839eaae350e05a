/** @file The twelve architectural backdoors of Langford et al. (arXiv 2402.06957). */

import { float32 } from "../../core/tensor.js";
import {
  type Changed,
  checkerboard,
  effects,
  KEEP,
  op,
  type Plant,
  type Planted,
  SIDE,
  type Site,
} from "./plant-site.js";

/** Langford et al.: a detector of a checkerboard of operators or of constants, three ways to the scores, two effects. */
export function langford(planted: Plant): readonly Planted[] {
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
