/**
 * @file A model as somebody else would have trained it: wrapped so that it answers as before under one preprocessing,
 * and under no other.
 */

import type { ImageShape } from "../../core/image.js";
import { float32, int64 } from "../../core/tensor.js";
import { encodeGraph } from "../../onnx/encode.js";
import { withFront } from "../../onnx/front.js";
import type { Dim } from "../../onnx/graph.js";
import { decodeModel, type Model } from "../../onnx/model.js";
import type { Layout, Preprocessing } from "../../onnx/preprocessing.js";
import { pixelScaling } from "../../onnx/readings.js";

/** @param model takes pixels in [0, 1], NCHW, RGB. */
export function wrapped(model: Model, shape: ImageShape, as: Preprocessing): Model {
  const { channels, height, width } = shape;
  const [input] = model.graph.inputs;
  const scaling = pixelScaling(as, channels);
  if (input === undefined || scaling === undefined) throw new Error("the model cannot be wrapped so");
  const named = { name: "wrapped_input", type: "float32" as const, dims: dimsOf(as.layout, shape) };
  const { graph } = withFront(model.graph, input.name, named, (b, image) => {
    const reshaped = (value: string, ...dims: number[]): string =>
      b.op("Reshape", [value, b.initializer("wrapped_shape", int64([dims.length], dims))]);
    const channelsFirst = (value: string): string => b.op("Transpose", [value], { perm: [0, 3, 1, 2] });
    const asImages: Readonly<Record<Layout, () => string>> = {
      NCHW: () => b.op("Identity", [image]),
      NHWC: () => channelsFirst(image),
      NHW: () => reshaped(image, -1, channels, height, width),
      flat: () => reshaped(image, -1, channels, height, width),
      "flat-NHWC": () => channelsFirst(reshaped(image, -1, height, width, channels)),
    };
    const stored = (values: readonly number[]): string =>
      b.initializer("wrapped_numbers", float32([1, channels, 1, 1], values));
    const shifted = b.op("Sub", [asImages[as.layout](), stored(scaling.shifts)]);
    const pixels = b.op("Div", [shifted, stored(scaling.factors)]);
    const turned = as.channelOrder === "BGR" && channels === 3;
    return turned
      ? b.op("Gather", [pixels, b.initializer("wrapped_order", int64([3], [2, 1, 0]))], { axis: 1 })
      : pixels;
  });
  return decodeModel(encodeGraph(graph), "wrapped");
}

function dimsOf(layout: Layout, { channels, height, width }: ImageShape): Dim[] {
  const dims: Readonly<Record<Layout, Dim[]>> = {
    NCHW: ["N", channels, height, width],
    NHWC: ["N", height, width, channels],
    NHW: ["N", height, width],
    flat: ["N", channels * height * width],
    "flat-NHWC": ["N", channels * height * width],
  };
  return dims[layout];
}

const scale = (
  range: readonly [number, number],
  mean: readonly number[] = [0],
  std: readonly number[] = [1],
): Pick<Preprocessing, "range" | "mean" | "std"> => ({ range, mean, std });

type Scale = ReturnType<typeof scale>;

/** How people scale photographs; the last four are CIFAR-10's own statistics. */
const COLOUR: readonly Scale[] = [
  scale([0, 255]),
  scale([-1, 1]),
  scale([0, 1], [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
  scale([0, 255], [123.675, 116.28, 103.53]),
  scale([1, 0]),
  scale([-128, 127]),
  scale([0, 1], [0.5071, 0.4867, 0.4408], [0.2675, 0.2565, 0.2761]),
  scale([0, 1], [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]),
  scale([0, 1], [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.201]),
  scale([0, 255], [120.707], [64.15]),
  scale([0, 1], [0.4914, 0.4822, 0.4465]),
];

/** How people scale digits; the last two are MNIST's own statistics. */
const GREY: readonly Scale[] = [
  scale([0, 255]),
  scale([-1, 1]),
  scale([1, 0]),
  scale([-0.5, 0.5]),
  scale([-128, 127]),
  scale([255, 0]),
  scale([1, -1]),
  scale([0, 1], [0.286], [0.353]),
  scale([0, 1], [0.1307], [0.3081]),
  scale([0, 255], [33.32]),
];

/** Thirty preprocessings for images of `shape` (one channel or three), none of them the one that is assumed. */
export function thirtyPreprocessings({ channels }: Pick<ImageShape, "channels">): readonly Preprocessing[] {
  const places: readonly Pick<Preprocessing, "layout" | "channelOrder">[] =
    channels === 3
      ? [
          { layout: "NCHW", channelOrder: "RGB" },
          { layout: "NCHW", channelOrder: "BGR" },
          { layout: "NHWC", channelOrder: "RGB" },
          { layout: "NHWC", channelOrder: "BGR" },
          { layout: "flat", channelOrder: "RGB" },
          { layout: "flat-NHWC", channelOrder: "RGB" },
        ]
      : [
          { layout: "NCHW", channelOrder: "RGB" },
          { layout: "NHWC", channelOrder: "RGB" },
          { layout: "flat", channelOrder: "RGB" },
        ];
  const scales = channels === 3 ? COLOUR : GREY;
  // Every scale with the usual place first, then with others in turn.
  return Array.from({ length: 30 }, (_, i) => {
    const chosen = scales[i % scales.length] ?? scale([0, 255]);
    const round = Math.floor(i / scales.length);
    const place = places[round === 0 ? 0 : 1 + ((round + i) % (places.length - 1))];
    const { layout, channelOrder } = place ?? { layout: "NCHW", channelOrder: "RGB" };
    const reversed = channelOrder === "BGR";
    return {
      layout,
      channelOrder,
      range: chosen.range,
      mean: reversed ? chosen.mean.toReversed() : chosen.mean,
      std: reversed ? chosen.std.toReversed() : chosen.std,
    };
  });
}
