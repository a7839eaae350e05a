/** @file The lowerings of a model's layers for people and for programs: what `wildmark info --autotuning` shows. */

import { WILDMARK_DOMAIN } from "../autodiff/primitives.js";
import { convGeometry, poolGeometry } from "../autodiff/windows.js";
import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import type { Progress } from "../core/progress.js";
import type { Node } from "../onnx/graph.js";
import type { Model } from "../onnx/model.js";
import { resolvePreprocessing } from "../onnx/preprocessing.js";
import { rewrites } from "../runtime/lowering/index.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { targetOf } from "../runtime/autotuning/identity.js";
import { chooseLowerings, type LayerChoice, type AutotuningWatch } from "../runtime/autotuning/autotune.js";
import { throwIfAborted } from "../training/epochs.js";
import { gradientGraph, layerOf } from "../training/primitives.js";
import { textTable } from "../core/text-table.js";
import { indented } from "./output.js";

/** One layer, or one gradient of it. */
export interface LayerLowering extends Omit<LayerChoice, "node" | "value"> {
  readonly layer: string;
  /** The primitive: "ConvGradWeight". */
  readonly operator: string;
  /** Dimensions of what the layer reads, and of its kernel or window. */
  readonly image: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
}

export interface LoweringsOptions {
  /** Images in a step, all views together. */
  readonly rows: number;
  /** Whether what was not measured is measured now. */
  readonly measure: boolean;
  readonly runtime: RuntimeOptions;
  readonly watch: AutotuningWatch;
}

/**
 * What training takes with `--autotuning cached`, or `full` where `measure` is set.
 *
 * @throws WildmarkError `bad-model` where the model cannot be trained or does not say how large its images are.
 */
export async function layerLowerings(model: Model, options: LoweringsOptions): Promise<readonly LayerLowering[]> {
  const { rows, measure, runtime, watch } = options;
  const graph = await gradientGraph(model, imageShapeOf(model), rows, runtime);
  const target = await targetOf(runtime);
  const choices = await chooseLowerings(graph, { ...watch, autotuning: measure ? "full" : "cached", target });
  const windowed = choices.filter(({ node: { domain, opType } }) => domain === WILDMARK_DOMAIN && opType in TITLES);
  return windowed.map(({ node, value: _, ...choice }) => ({
    layer: layerOf(graph, node),
    operator: node.opType,
    ...dimensionsOf(node),
    ...choice,
  }));
}

/** A table for each operator: a row for each shape, a column for each lowering. */
export function loweringsInWords(layers: readonly LayerLowering[], { rows, runtime }: LoweringsOptions): string {
  const head =
    `How layers and their gradients are computed with ${rows} images a step on ${runtime.device ?? "cpu"}, ` +
    `in milliseconds where measured; ` +
    "• is what --autotuning cached and full take (off, the default, goes by rule):";
  const tables = Object.entries(TITLES).flatMap(([operator, title]) => {
    const own = layers.filter((layer) => layer.operator === operator);
    return own.length === 0 ? [] : [`${title}\n${indented(tableOf(operator, own))}`];
  });
  if (tables.length === 0) return `${head}\n${indented("The model has neither convolutions nor poolings that train.")}`;
  const several = layers.filter(({ candidates }) => candidates.length > 1).length;
  const unmeasured = layers.filter(({ why }) => why === "static").length;
  const hint = `${unmeasured} of ${several} choices were not measured on this machine; --measure does that, and keeps it.`;
  return [head, ...tables.map(indented), ...(unmeasured === 0 ? [] : [hint])].join("\n\n");
}

const TITLES: Readonly<Record<string, string>> = {
  Conv: "A convolution itself:",
  ConvGradWeight: "To the kernel of a convolution:",
  ConvGradInput: "To the input of a convolution:",
  MaxPoolGrad: "To the input of a max pooling:",
  AveragePoolGrad: "To the input of an average pooling:",
};

function tableOf(operator: string, layers: readonly LayerLowering[]): string {
  const { inBlocks = [], kernels = [] } = rewrites.get(`${WILDMARK_DOMAIN}.${operator}`) ?? {};
  const names = [...inBlocks, ...kernels]
    .map(({ name }) => name)
    .filter((name) => layers.some(({ candidates }) => candidates.includes(name)));
  const shapes = new Map<string, LayerLowering[]>();
  for (const layer of layers) {
    const shape = JSON.stringify([layer.image, layer.kernel, layer.strides]);
    shapes.set(shape, [...(shapes.get(shape) ?? []), layer]);
  }
  const lines = [...shapes.values()].flatMap(([layer, ...others]) => {
    if (layer === undefined) return [];
    const label = layer.layer.replace(/[./_]weight$/, "");
    return [
      [
        others.length === 0 ? label : `${label} + ${others.length}`,
        layer.image.slice(1).join("×"),
        windowWords(layer),
        ...names.map((name) => timeCell(layer, name)),
        reason(layer),
      ],
    ];
  });
  return textTable(lines, ["layer", "image", operator.startsWith("Conv") ? "kernel" : "window", ...names, "why"]);
}

/** "6×1×5×5", "2×2 /2" */
function windowWords({ kernel, strides }: LayerLowering): string {
  const steps = strides.every((stride) => stride === strides[0]) ? String(strides[0] ?? 1) : strides.join("×");
  return steps === "1" ? kernel.join("×") : `${kernel.join("×")} /${steps}`;
}

/** The least time of one run; "?" where it was not measured, empty where the lowering does not apply. */
function timeCell({ candidates, lowering: taken, measured = [] }: LayerLowering, name: string): string {
  if (!candidates.includes(name)) return "";
  const found = measured.find(({ lowering }) => lowering === name);
  const unknown = candidates.length > 1 ? "?" : "";
  const time = found === undefined ? unknown : "turns" in found ? Math.min(...found.turns).toPrecision(3) : "refused";
  return `${time.padStart(5)}${name === taken ? " •" : ""}`;
}

function reason({ why, lowering, candidates, measured = [] }: LayerLowering): string {
  const [usual = ""] = candidates;
  if (why === "only") return "only one";
  if (lowering === usual) return "by rule";
  const [own, rule] = [lowering, usual].map((name) => measured.find((each) => each.lowering === name));
  if (own === undefined || rule === undefined || "refused" in own || "refused" in rule) return "as kept";
  return `${(Math.min(...own.turns) / Math.min(...rule.turns)).toFixed(2)} of rule`;
}

function dimensionsOf(node: Node): Pick<LayerLowering, "image" | "kernel" | "strides"> {
  const isConv = node.opType.startsWith("Conv");
  const { xDims, axes } = isConv ? convGeometry(node) : poolGeometry(node);
  return {
    image: xDims,
    kernel: isConv ? convGeometry(node).wDims : axes.map((axis) => axis.kernel),
    strides: axes.map((axis) => axis.stride),
  };
}

/** The shape of the images that a model takes, from its input. */
export function imageShapeOf(model: Model): ImageShape {
  const [input] = model.graph.inputs;
  const { layout } = resolvePreprocessing(model.preprocessing, input?.dims);
  const [, ...dims] = input?.dims ?? [];
  const sizes = dims.filter((dim) => typeof dim === "number");
  const [a = 0, b = 0, c = 0] = sizes;
  if (sizes.length === dims.length) {
    if (layout === "NCHW" && sizes.length === 3) return { channels: a, height: b, width: c };
    if (layout === "NHWC" && sizes.length === 3) return { channels: c, height: a, width: b };
    if (layout === "NHW" && sizes.length === 2) return { channels: 1, height: a, width: b };
  }
  throw new WildmarkError("bad-model", "--autotuning needs a model that says how large its images are.", {
    hint: "Its input has open or flattened dimensions. --layout helps where only the order of the axes is in doubt.",
  });
}

/** Measuring as the progress shows it. */
export function watchOf(progress: Progress, signal: AbortSignal): AutotuningWatch {
  return {
    onMeasured(done, total) {
      throwIfAborted(signal);
      progress.update("measure lowerings for this machine", done, total);
    },
    onNote: (line) => progress.note(line),
  };
}
