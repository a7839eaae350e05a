/**
 * @file Conv: the forward pass of convolutions, and the primitive of domain "wildmark" that knows its shapes.
 *
 * To add a kernel, such as Winograd's for 3×3 at stride 1: a `Kernel` whose `match` says for which shapes it stands,
 * reads `[channelsOf(xDims)]` and gives `channelsOf(yDims)`, in `inBlocks` beside `nchwc`, behind it as long as the
 * rule prefers that. Where both match, autotuning measures them against each other, since `alone` says how; nothing
 * else changes.
 */

import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import { convAttributes, convGeometry, plannedWindows, stepAttributes } from "../../autodiff/windows.js";
import { elementCount } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import { intAttribute, type Node } from "../../onnx/graph.js";
import { convByRows, fewPositions } from "./conv-by-rows.js";
import { greyConvolution } from "./grey.js";
import { convolved, nchwcConv, nchwcKernel } from "./nchwc.js";
import { always, channelsOf, type Kernel, plainKernel, type Rewrite, type Site } from "./rewrite.js";

/** In blocks of channels, where they fill them: the result, and what it reads unless that has few channels. */
const nchwc: Kernel = {
  name: "nchwc",
  match({ node, block, place, channelBlocks, dims }) {
    const [x = "", w = "", bias = ""] = node.inputs;
    const [xDims, wDims] = [place(x)?.dims ?? dims(x), dims(w)];
    if (block === undefined || xDims?.length !== 4 || wDims === undefined) return undefined;
    const [outputs = 1, inputs = 1, ...kernel] = wDims;
    const axes = plannedWindows(node, xDims, kernel);
    // Few channels are read in plain order, as of a photograph: only the result is in blocks.
    const few = inputs < block;
    const fits = outputs % block === 0 && (few || inputs % block === 0) && intAttribute(node, "group", 1) === 1;
    if (axes === undefined || !fits) return undefined;
    // Kernels of one cell are plain matrix products, which reordering would cost more than it saves.
    if (elementCount(kernel) === 1 && channelBlocks(x) === undefined) return undefined;
    const { strides = [], pads = [], dilations = [] } = stepAttributes(axes);
    const plain = !few && bias === "" && [...strides, ...dilations].every((step) => step === 1);
    return {
      reads: [few ? undefined : channelsOf(xDims)],
      gives: channelsOf([xDims[0] ?? 1, outputs, ...axes.map((axis) => axis.output)]),
      append({ b, input }) {
        const image = input(0);
        const weights = nchwcKernel(b, input(1), wDims, block);
        if (plain) return convolved(b, image, weights, { dims: xDims, outputs, size: kernel, pads, block });
        const shifts = bias === "" ? [] : [input(2)];
        return nchwcConv(b, [image, weights, ...shifts], { kernel, strides, pads, dilations });
      },
    };
  },
};

/** As the device has it. */
const standard = plainKernel("standard", always, ({ b, input }, { node }) => {
  const { axes, group } = convGeometry(node);
  const inputs = node.inputs.map((_, i) => input(i));
  return b.op("Conv", inputs, { ...stepAttributes(axes), group });
});

const inBlocks = [greyConvolution, nchwc];

/** ONNX's own, which stays as it is outside of blocks. */
export const conv: Rewrite = { operator: "Conv", inBlocks, alone: convWithShapes };

export const convPrimitive: Rewrite = {
  operator: "wildmark.Conv",
  inBlocks,
  kernels: [standard, convByRows],
  choose({ node }, names) {
    const { yDims } = convGeometry(node);
    return names.includes(convByRows.name) && fewPositions(yDims) ? convByRows.name : standard.name;
  },
};

/** A Conv as the primitive that knows its shapes; undefined where the graph does not say them. */
export function convWithShapes({ node, place, dims }: Pick<Site, "node" | "place" | "dims">): Node | undefined {
  const [x = "", w = ""] = node.inputs;
  const [xDims, wDims] = [place(x)?.dims ?? dims(x), dims(w)];
  const axes = xDims && wDims && plannedWindows(node, xDims, wDims.slice(2));
  if (axes === undefined || xDims === undefined || wDims === undefined) return undefined;
  const yDims = [xDims[0] ?? 1, wDims[0] ?? 1, ...axes.map(({ output }) => output)];
  const geometry = { xDims, yDims, wDims, axes, group: intAttribute(node, "group", 1) };
  const b = graphBuilder("primitive");
  b.op("Conv", node.inputs, convAttributes(geometry), { domain: WILDMARK_DOMAIN });
  return b.build().nodes[0];
}
