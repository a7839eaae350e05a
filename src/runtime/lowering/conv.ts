/**
 * @file Conv: the forward pass of convolutions, and the primitive of domain "wildmark" that knows its shapes.
 *
 * To add a kernel: a `Kernel` whose `match` says for which shapes it stands, reads `[channelsOf(xDims)]` and gives
 * `channelsOf(yDims)`, in `inBlocks` beside `nchwc`. Where both match, autotuning measures them against each other,
 * since `alone` says how; nothing else changes.
 */

import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import { convAttributes, convGeometry, plannedWindows, stepAttributes } from "../../autodiff/windows.js";
import { elementCount } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import { intAttribute, type Node } from "../../onnx/graph.js";
import { convByRows, fewPositions } from "./conv-by-rows.js";
import { greyConvolution } from "./grey.js";
import { knownConv } from "./known-conv.js";
import { convolved, nchwcConv, nchwcKernel } from "./nchwc.js";
import { always, channelsOf, type Kernel, plainKernel, type Rewrite, type Site } from "./rewrite.js";
import { isWorthIt, winogradConv } from "./winograd.js";

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

const inBlocks = [greyConvolution, nchwc, winogradConv];

/** ONNX's own, which stays as it is outside of blocks. */
export const conv: Rewrite = { operator: "Conv", inBlocks, choose: chosenInBlocks, alone: convWithShapes };

export const convPrimitive: Rewrite = {
  operator: "wildmark.Conv",
  inBlocks,
  kernels: [standard, convByRows],
  choose(site, names) {
    if (names.includes(nchwc.name)) return chosenInBlocks(site, names);
    const { yDims } = convGeometry(site.node);
    return names.includes(convByRows.name) && fewPositions(yDims) ? convByRows.name : standard.name;
  },
};

/** Fewer multiplications where channels are many enough. */
function chosenInBlocks(site: Site, names: readonly string[]): string {
  const geometry = knownConv(site);
  const [first = ""] = names;
  return names.includes(winogradConv.name) && geometry && isWorthIt(geometry) ? winogradConv.name : first;
}

/** A Conv as the primitive that knows its shapes; undefined where the graph does not say them. */
export function convWithShapes(site: Pick<Site, "node" | "place" | "dims">): Node | undefined {
  const geometry = knownConv(site);
  if (geometry === undefined) return undefined;
  const b = graphBuilder("primitive");
  b.op("Conv", site.node.inputs, convAttributes(geometry), { domain: WILDMARK_DOMAIN });
  return b.build().nodes[0];
}
