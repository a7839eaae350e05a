/**
 * @file What a model that is only asked wants of images, whatever they are: its own size and colours, in its own layout
 * and element type.
 *
 * A suspect need not take the images that a key was made of: a copy may have been put behind another size, grey or
 * colour, bytes or doubles. The model itself is left as it is; a graph of its own makes the images what it takes.
 */

import { WildmarkError } from "../core/errors.js";
import { describeShape, type ImageShape } from "../core/image.js";
import { type ElementType, float32 } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "./builder.js";
import { describeDims } from "./classifier.js";
import type { Dim, Graph, ValueInfo } from "./graph.js";
import { appendInput, modelPreprocessing } from "./image-graph.js";
import type { Model } from "./model.js";
import { fits, type Layout } from "./preprocessing.js";
import { dataTypeOf } from "./tensor-proto.js";

export interface OwnInput {
  readonly input: ValueInfo & { readonly type: ElementType };
  /** The images that the model takes; `given` where it takes those. */
  readonly shape: ImageShape;
  /** Whether those are the images that are there. */
  readonly fits: boolean;
  /** What is done to the images, in words: "resized from 28×28 to 32×32". */
  readonly changes: readonly string[];
  /** From `wildmark/image`, [N,C,H,W] in [0, 1] of the images that are there, to `wildmark/input`. */
  readonly graph: Graph;
}

/**
 * @param given the images that are there.
 * @throws WildmarkError `bad-model` where the model does not take one image, or takes none that these can be made.
 */
export function ownInput(model: Model, given: ImageShape): OwnInput {
  const input = imageInput(model.graph);
  const resolved = modelPreprocessing(model, given);
  const dims = input.dims ?? [];
  // Where nobody says how images are laid out, any way will do in which there can be some.
  const others = resolved.from.layout === "assumed" ? (["NHWC", "NCHW", "NHW", "flat"] as const) : [];
  const layouts = [resolved.layout, ...others].filter((each) => possibleShape(input.dims, each, given) !== undefined);
  const [layout = resolved.layout] = layouts;
  const shape = possibleShape(input.dims, layout, given);
  if (shape === undefined) {
    throw notAsked(
      `it takes ${describeDims(dims)} (${layout}), which images of ${describeShape(given)} cannot be made`,
      "--layout says how the model lays images out.",
    );
  }
  const preprocessing = { ...resolved, layout };
  const b = graphBuilder("input");
  b.input("wildmark/image", "float32", ["N", given.channels, given.height, given.width]);
  const fitted = recoloured(b, resized(b, "wildmark/image", given, shape), given, shape);
  const made = appendInput(b, fitted, { preprocessing, shape, input });
  const rounded = input.type.startsWith("float") ? made : b.op("Round", [made]);
  b.output(b.op("Cast", [rounded], { to: dataTypeOf(input.type) }, { name: "wildmark/input" }), input.type);
  const changes = [
    ...(given.height === shape.height && given.width === shape.width
      ? []
      : [`resized from ${given.height}×${given.width} to ${shape.height}×${shape.width}`]),
    ...(given.channels === shape.channels ? [] : [given.channels === 1 ? "given in three equal colours" : "made grey"]),
    ...(input.type === "float32" ? [] : [`given as ${input.type}`]),
  ];
  const isSame = describeShape(shape) === describeShape(given);
  return { input, shape, fits: isSame, changes, graph: b.build() };
}

function imageInput({ inputs }: Graph): OwnInput["input"] {
  const [input, ...others] = inputs;
  if (input === undefined) throw notAsked("it has no input");
  if (others.length > 0) throw notAsked(`it has ${inputs.length} inputs; expected one, the image`);
  const { name, type, dims } = input;
  if (type === undefined || !NUMBERS.includes(type)) {
    throw notAsked(`its input "${name}" holds ${type ?? "no numbers"}; expected float32, float64, or whole numbers`);
  }
  if (dims !== undefined && (dims.length < 2 || dims.length > 4)) {
    throw notAsked(
      `its input "${name}" is ${describeDims(dims)}; expected images as [N,C,H,W], [N,H,W,C] or flat [N,D]`,
    );
  }
  return { name, type, dims };
}

const NUMBERS: readonly ElementType[] = ["float32", "float64", "uint8", "int32", "int64"];

/** The images that a model takes in a layout: those that are there, or what they can be made. */
function possibleShape(dims: readonly Dim[] | undefined, layout: Layout, given: ImageShape): ImageShape | undefined {
  if (fits(dims, layout, given)) return given;
  const shape = wantedShape(dims ?? [], layout, given);
  return shape !== undefined && fits(dims, layout, shape) ? shape : undefined;
}

/** The images that dimensions in a layout speak of; what they leave open is as it is given. */
function wantedShape(dims: readonly Dim[], layout: Layout, given: ImageShape): ImageShape | undefined {
  const at = (axis: number, open: number): number => {
    const dim = dims[axis];
    return typeof dim === "number" ? dim : open;
  };
  const { channels, height, width } = given;
  const wanted = ((): ImageShape => {
    switch (layout) {
      case "NCHW":
        return { channels: at(1, channels), height: at(2, height), width: at(3, width) };
      case "NHWC":
        return { channels: at(3, channels), height: at(1, height), width: at(2, width) };
      case "NHW":
        return { channels: 1, height: at(1, height), width: at(2, width) };
      default: {
        const pixels = dims.slice(1).reduce<number>((product, _, i) => product * at(i + 1, 1), 1);
        const colours = Number.isInteger(Math.sqrt(pixels)) ? 1 : 3;
        const side = Math.sqrt(pixels / colours);
        return { channels: colours, height: side, width: side };
      }
    }
  })();
  const possible = (wanted.channels === 1 || wanted.channels === 3) && (channels === 1 || channels === 3);
  const whole = [wanted.height, wanted.width].every((side) => Number.isInteger(side) && side > 0);
  return (possible || wanted.channels === channels) && whole ? wanted : undefined;
}

/**
 * Linear interpolation between the centres of pixels, over all that a smaller pixel covers (as Pillow and torchvision
 * do).
 */
function resized(b: GraphBuilder, image: string, given: ImageShape, { height, width }: ImageShape): string {
  if (given.height === height && given.width === width) return image;
  const scales = b.initializer("scales", float32([4], [1, 1, height / given.height, width / given.width]));
  const smaller = height < given.height || width < given.width;
  return b.op("Resize", [image, "", scales], {
    mode: "linear",
    coordinate_transformation_mode: "half_pixel",
    ...(smaller ? { antialias: 1 } : {}),
  });
}

/** Rec. 601, as Pillow's "L". */
const GREY = [0.299, 0.587, 0.114];

function recoloured(b: GraphBuilder, image: string, given: ImageShape, { channels }: ImageShape): string {
  if (given.channels === channels) return image;
  if (channels === 3) return b.op("Concat", [image, image, image], { axis: 1 });
  const weighed = b.op("Mul", [image, b.initializer("grey", float32([1, 3, 1, 1], GREY))]);
  return b.op("ReduceSum", [weighed, b.ints([1])], { keepdims: 1 });
}

/** For models that cannot even be asked. */
export function notAsked(why: string, hint?: string): WildmarkError {
  return new WildmarkError("bad-model", `The model cannot be asked for the class of an image: ${why}.`, {
    hint: hint ?? "Wildmark asks models with one image input and an output of class scores or labels.",
  });
}
