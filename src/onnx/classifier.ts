/**
 * @file Finds in a graph what training and WILD need to know of a classifier: its input, the scores before the softmax,
 * the feature tensor, and the weights.
 */

import { WildmarkError } from "../core/errors.js";
import { type Dim, type Graph, intAttribute, type Node, operatorName, type ValueInfo } from "./graph.js";
import type { Head } from "./head.js";
import { findParameters, storedInputs } from "./parameters.js";
import { squashedScores } from "./squashing.js";
import { isOperator, nodesBefore, producersOf, valuesFrom } from "./traverse.js";

export interface Classifier {
  /** The one input, float32 or uint8: `[N,C,H,W]`, `[N,H,W,C]` or flat. */
  readonly input: ValueInfo;
  /** Name of the one output, float32 `[N,K]` or `[N,K,1,1]`. */
  readonly output: string;
  /** Name of the scores before a final softmax, of the output's shape; the output itself where there is none. */
  readonly logits: string;
  /** Number of classes K to answer; undefined where neither the file nor the head says. */
  readonly classes: number | undefined;
  /** Name of the value whose distribution WILD compares: what enters the layer that makes the logits. */
  readonly features: string;
  /** Why `features` is not simply the input of a last fully connected layer; undefined where it is. */
  readonly note: string | undefined;
  /** Stored float32 tensors that training may change (see `findParameters`), in order of use. */
  readonly trainable: readonly string[];
  /**
   * Those of `trainable` that belong to the layer that makes the logits: its weight and bias. Empty if there is none.
   */
  readonly lastLayer: readonly string[];
  /** Running means and variances of batch normalisation. */
  readonly statistics: readonly string[];
}

/**
 * @param head what is said of the output, the logits, the last layer and the classes; what is not said is found.
 * @throws WildmarkError `bad-model` saying what was expected: one float32 or uint8 image input, one float32 output
 *   `[N,K]` with at least two classes, and weights in between; `usage` where `head` names what the model does not have.
 */
export function findClassifier(whole: Graph, head: Head = {}): Classifier {
  const input = imageInput(whole);
  const output = scoreOutput(whole, head);
  const graph = graphOfOutput(whole, output.name);
  refuseQuantised(graph);
  const producers = producersOf(graph);
  if (!valuesFrom(graph, [input.name]).has(output.name)) {
    throw notAClassifier(`its output "${output.name}" does not depend on its input "${input.name}"`);
  }
  const logits =
    head.logits === undefined ? beforeSoftmax(graph, output.name) : chosenLogits(graph, head.logits, input);
  const { trainable, statistics } = findParameters(graph, logits);
  if (trainable.length === 0) throw notAClassifier("no float32 weight leads to its scores");
  const walk = { graph, producers, fromInput: valuesFrom(graph, [input.name]) };
  const found = head.lastLayer === undefined ? featuresOf(walk, logits) : chosenLayer(walk, head.lastLayer, logits);
  const { features, layers, note } = found;
  const ofLayers = new Set(layers.flatMap((node) => storedInputs(graph, node)));
  const lastLayer = trainable.filter((name) => ofLayers.has(name));
  if (head.lastLayer !== undefined && lastLayer.length === 0) {
    throw new WildmarkError("usage", `No weight that can be trained belongs to the last layer "${head.lastLayer}".`, {
      hint: "Name the node that multiplies by it (Gemm, MatMul, Conv), or a weight of it.",
    });
  }
  const classes = classesOf(output, head);
  return { input, output: output.name, logits, classes, features, note, trainable, lastLayer, statistics };
}

/**
 * The part of a graph that computes one value, which becomes its only output; the graph itself where that is all there
 * is.
 */
export function graphOfOutput(graph: Graph, output: string): Graph {
  const [only, ...others] = graph.outputs;
  if (others.length === 0 && only?.name === output) return graph;
  const declared = graph.outputs.find(({ name }) => name === output);
  return {
    ...graph,
    nodes: nodesBefore(graph, output),
    outputs: [declared ?? { name: output, type: "float32", dims: undefined }],
  };
}

/** How many classes there are to answer; undefined where neither the file nor `head` says. */
function classesOf({ name, dims }: ValueInfo, { classes, binary }: Head): number | undefined {
  const known = binary ? 2 : typeof dims?.[1] === "number" ? dims[1] : undefined;
  if (classes === undefined) return known;
  const outside = classes.find((index) => known !== undefined && index >= known);
  if (outside === undefined) return classes.length;
  throw new WildmarkError("usage", `--classes names class ${outside}; the output "${name}" has ${known}, from 0 on.`);
}

/** "[N,3,32,32]": how messages write dimensions; an unknown one is "?". */
export function describeDims(dims: readonly Dim[] | undefined): string {
  return dims === undefined ? "of unknown shape" : `[${dims.map((dim) => dim ?? "?").join(",")}]`;
}

function imageInput(graph: Graph): ValueInfo {
  const [input, ...others] = graph.inputs;
  if (input === undefined) throw notAClassifier("it has no input");
  if (others.length > 0) {
    throw notAClassifier(`it has ${graph.inputs.length} inputs (${listOf(graph.inputs)}); expected one, the image`);
  }
  const { name, type, dims } = input;
  if (type !== "float32" && type !== "uint8") {
    throw notAClassifier(`its input "${name}" is ${type ?? "no tensor of numbers"}; expected float32 or uint8`);
  }
  if (dims !== undefined && (dims.length < 2 || dims.length > 4)) {
    throw notAClassifier(
      `its input "${name}" is ${describeDims(dims)}; expected images as [N,C,H,W], [N,H,W,C] or flat [N,D]`,
    );
  }
  return input;
}

function scoreOutput(graph: Graph, head: Head): ValueInfo {
  const { name, type, dims } = withoutCast(chosenOutput(graph, head.output), graph);
  if (type !== "float32") {
    throw notAClassifier(
      `its output "${name}" is ${type ?? "no tensor of numbers"}; expected float32 scores`,
      type === "int64" || type === "int32"
        ? "Where it answers labels, --output names the scores they are made from."
        : undefined,
    );
  }
  if (head.binary) {
    if (dims === undefined || dims.slice(1).every((dim) => typeof dim !== "number" || dim === 1))
      return { name, type, dims };
    throw notAClassifier(`its output "${name}" is ${describeDims(dims)}; --binary is for one score an image, [N,1]`);
  }
  if (dims !== undefined && (dims.length < 2 || dims.slice(2).some((dim) => dim !== 1))) {
    throw notAClassifier(`its output "${name}" is ${describeDims(dims)}; expected one score a class, [N,K]`);
  }
  const classes = dims?.[1];
  if (typeof classes === "number" && classes < 2) {
    throw notAClassifier(
      `its output "${name}" is ${describeDims(dims)}; expected at least two classes`,
      "--binary says that the one score is that of class 1 against class 0.",
    );
  }
  return { name, type, dims };
}

function chosenOutput(graph: Graph, chosen: string | undefined): ValueInfo {
  const [output, ...others] = graph.outputs;
  if (chosen !== undefined) {
    const declared = graph.outputs.find(({ name }) => name === chosen);
    if (declared !== undefined) return declared;
    if (graph.nodes.some(({ outputs }) => outputs.includes(chosen))) {
      return { name: chosen, type: "float32", dims: undefined };
    }
    throw new WildmarkError("usage", `The model has no output "${chosen}".`, {
      hint: `Its outputs: ${listOf(graph.outputs)}.`,
    });
  }
  if (output === undefined) throw notAClassifier("it has no output");
  if (others.length > 0) {
    throw notAClassifier(
      `it has ${graph.outputs.length} outputs (${listOf(graph.outputs)}); expected one, the scores`,
      "Name the one that holds the scores: --output NAME.",
    );
  }
  return output;
}

/** Scores that are only written as another kind of float at the end, before that. */
function withoutCast(output: ValueInfo, graph: Graph): ValueInfo {
  if (output.type !== "float64") return output;
  const node = graph.nodes.find(({ outputs }) => outputs.includes(output.name));
  const [before] = node?.inputs ?? [];
  if (node === undefined || before === undefined || !isOperator(node, "Cast")) return output;
  return { ...output, name: before, type: "float32" };
}

function chosenLogits(graph: Graph, chosen: string, input: ValueInfo): string {
  if (valuesFrom(graph, [input.name]).has(chosen) && chosen !== input.name) return chosen;
  throw new WildmarkError("usage", `--logits ${chosen}: no such value leads from the image to the scores.`, {
    hint: "Name the value that enters the softmax.",
  });
}

/** At inference these hand on their first input unchanged. */
const TRANSPARENT: readonly string[] = ["Identity", "Dropout"];

const RESHAPING: readonly string[] = ["Flatten", "Reshape", "Squeeze"];

/**
 * The scores before the softmax that `output` ends in, whatever stands after it that keeps the order of the classes:
 * another softmax, a positive factor, bounds. The output itself where there is none.
 */
function beforeSoftmax(graph: Graph, output: string): string {
  const producers = producersOf(graph);
  let found: string | undefined;
  let value = output;
  let reshaped: Node | undefined;
  for (;;) {
    const scores = squashedScores(value, producers);
    const node = producers.get(value);
    const before = node === undefined ? undefined : keptBy(node, graph, producers);
    if (node === undefined) return found ?? output;
    if (scores !== undefined && !(found !== undefined && isOperator(node, "Sigmoid"))) {
      if (reshaped !== undefined && !squashesClasses(node)) {
        if (found !== undefined) return found;
        throw notAClassifier(
          `a ${reshaped.opType} follows its final ${node.opType}; expected the ${node.opType} to be last`,
          "--logits names the scores before it.",
        );
      }
      value = scores;
      // A logarithm (or its inverse) stands on the softmax itself, which comes next; what stands before that is hidden.
      if (isOperator(node, "Log", "Exp")) continue;
      found = scores;
      reshaped = undefined;
      continue;
    }
    if (before === undefined) return found ?? output;
    if (isOperator(node, ...RESHAPING)) reshaped = node;
    value = before;
  }
}

/** What a node hands on without changing which class is largest; undefined where it may. */
function keptBy(node: Node, graph: Graph, producers: ReadonlyMap<string, Node>): string | undefined {
  const [first = "", second = ""] = node.inputs;
  if (isOperator(node, ...TRANSPARENT, ...RESHAPING, "Cast", "Clip")) return first;
  const number = (value: string): number => storedScalar(graph, producers, value);
  if (isOperator(node, "Mul")) return number(second) > 0 ? first : number(first) > 0 ? second : undefined;
  if (isOperator(node, "Div")) return number(second) > 0 ? first : undefined;
  if (isOperator(node, "Add", "Sub")) return Number.isFinite(number(second)) ? first : undefined;
  if (isOperator(node, "Neg")) {
    const inner = producers.get(first);
    return inner !== undefined && isOperator(inner, "Neg") ? inner.inputs[0] : undefined;
  }
  return undefined;
}

/** The one number that a value holds; NaN where it holds more, or is computed. */
function storedScalar(graph: Graph, producers: ReadonlyMap<string, Node>, value: string): number {
  const attribute = producers.get(value)?.attributes.value;
  const tensor = graph.initializers.get(value) ?? (attribute?.kind === "tensor" ? attribute.value : undefined);
  return tensor?.data.length === 1 ? Number(tensor.data[0]) : Number.NaN;
}

/** Whether a softmax runs along axis 1: then a map of one pixel may be flattened after it. */
function squashesClasses(node: Node): boolean {
  return (
    isOperator(node, "Sigmoid") || (isOperator(node, "Softmax", "LogSoftmax") && intAttribute(node, "axis", -1) === 1)
  );
}

/**
 * What may stand between the layer that makes the scores and the scores: shapes, pooling, activation, a separate bias,
 * bounds, signs, a choice or another order of classes.
 */
const AFTER_LAYER: readonly string[] = [
  ...TRANSPARENT,
  ...[...RESHAPING, "Unsqueeze", "Transpose"],
  ...["GlobalAveragePool", "AveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "Relu", "BatchNormalization"],
  ...["Add", "Sub", "Mul", "Div", "Sum", "Mean"],
  ...["Clip", "Cast", "Neg", "Gather", "Slice", "Softmax", "LogSoftmax", "Sigmoid"],
];

/** What joins the scores of several heads. */
const JOINING: readonly string[] = ["Add", "Sum", "Mean", "Concat"];

interface Features {
  readonly features: string;
  /** The layer that makes the scores, and what adds its bias. */
  readonly layers: readonly Node[];
  readonly note: string | undefined;
}

interface Walk {
  readonly graph: Graph;
  readonly producers: ReadonlyMap<string, Node>;
  /** Values that depend on the image. */
  readonly fromInput: ReadonlySet<string>;
}

/**
 * Walks back from the logits, along what depends on the image, to the last layer with a weight matrix, or those of all
 * heads.
 */
function featuresOf(walk: Walk, logits: string): Features {
  const found = layersBefore(walk, logits);
  if (typeof found === "string") {
    return {
      features: logits,
      layers: [],
      note: `No fully connected layer makes the scores (${found}): the scores themselves are the features.`,
    };
  }
  const { layers, passed } = found;
  const features = new Set(layers.map((layer) => dataOf(walk, layer)));
  const [only = logits] = features;
  const all = [...layers, ...passed];
  if (features.size > 1) {
    return {
      features: logits,
      layers: all,
      note: `${layers.length} layers make the scores, of different features: the scores themselves are the features.`,
    };
  }
  const note = layers.some(({ opType }) => opType === "Conv")
    ? `A convolution makes the scores: its input, a map of features, is the feature tensor.`
    : undefined;
  return { features: only, layers: all, note };
}

interface Layers {
  readonly layers: readonly Node[];
  /** What stands between them and the scores. */
  readonly passed: readonly Node[];
}

/** More nodes than this between the last layer and the scores are something else than a head. */
const FARTHEST = 100;

/**
 * @param known what was found of other values: branches may meet again and again.
 * @returns what stands in the way, in words, where there is no layer.
 */
function layersBefore(
  walk: Walk,
  value: string,
  known = new Map<string, Layers | string>(),
  depth = 0,
): Layers | string {
  const found = known.get(value) ?? (depth < FARTHEST ? searched(walk, value, known, depth) : "much else comes first");
  known.set(value, found);
  return found;
}

function searched(walk: Walk, value: string, known: Map<string, Layers | string>, depth: number): Layers | string {
  const { graph, producers, fromInput } = walk;
  const node = producers.get(value);
  if (node === undefined) return "the input comes first";
  const data = [...new Set(node.inputs.filter((name) => fromInput.has(name)))];
  const [before] = data;
  if (before === undefined) return `${node.opType} comes first`;
  if (data.length === 1 && isLayer(node)) return { layers: [node], passed: [] };
  if (data.length === 1 && passes(node)) {
    const found = layersBefore(walk, before, known, depth + 1);
    return typeof found === "string" ? found : { ...found, passed: [...found.passed, node] };
  }
  if (data.length === 1 || !isOperator(node, ...JOINING)) return `${node.opType} comes first`;
  const heads = data.map((each) => layersBefore(walk, each, known, depth + 1));
  const whole = heads.filter((head) => typeof head !== "string");
  const layers = [...new Set(whole.flatMap((head) => head.layers))];
  // A shortcut past a layer is no head: what one computes would enter another.
  const fed = layers.some((layer) => {
    const after = valuesFrom(graph, layer.outputs);
    return layers.some((other) => other !== layer && after.has(dataOf(walk, other)));
  });
  if (whole.length < heads.length || fed) return `${node.opType} comes first`;
  return { layers, passed: [...new Set([...whole.flatMap((head) => head.passed), node])] };
}

/** The layer that `chosen` names, with what adds to it on the way to the logits. */
function chosenLayer(walk: Walk, chosen: string, logits: string): Features {
  const { graph, fromInput } = walk;
  const reads = (node: Node): boolean =>
    isLayer(node) && (node.inputs.includes(chosen) || storedInputs(graph, node).includes(chosen));
  const layer =
    graph.nodes.find(({ name }) => name === chosen) ??
    graph.nodes.find(({ outputs }) => outputs.includes(chosen)) ??
    graph.nodes.find(reads);
  const features = layer?.inputs.find((name) => fromInput.has(name));
  if (layer === undefined || features === undefined || !nodesBefore(graph, logits).includes(layer)) {
    throw new WildmarkError("usage", `--last-layer ${chosen}: no such layer leads from the image to the scores.`, {
      hint: "Name a node, the value that it computes, or a weight of it.",
    });
  }
  const after = valuesFrom(graph, layer.outputs);
  const passed = nodesBefore(graph, logits).filter(
    (node) => node.inputs.some((name) => after.has(name)) && isOperator(node, "Add", "Sub", "Mul", "Div"),
  );
  return { features, layers: [layer, ...passed], note: undefined };
}

function isLayer(node: Node): boolean {
  return isOperator(node, "Gemm", "MatMul", "Conv");
}

/** The input of a layer that depends on the image. */
function dataOf({ fromInput }: Walk, layer: Node): string {
  return layer.inputs.find((name) => fromInput.has(name)) ?? "";
}

function passes(node: Node): boolean {
  return isOperator(node, ...AFTER_LAYER);
}

/** Operators on weights of few bits; what is left in float32 beside them (biases) is not worth training. */
const QUANTISED =
  /^(com\.microsoft\.)?(QLinear|Quantize|Dequantize|DynamicQuantize|ConvInteger|MatMul(Integer|NBits)|QGemm|QAttention)/;

function refuseQuantised(graph: Graph): void {
  const quantised = graph.nodes.find((node) => QUANTISED.test(operatorName(node)));
  if (quantised === undefined) return;
  throw new WildmarkError(
    "bad-model",
    `The model is quantised (${quantised.opType}): its weights are no float32 numbers.`,
    {
      hint: "Give the float32 model that the quantised one was made from.",
    },
  );
}

function notAClassifier(why: string, hint?: string): WildmarkError {
  return new WildmarkError("bad-model", `The model is not an image classifier that Wildmark can use: ${why}.`, {
    hint: hint ?? "Wildmark takes models with one float32 image input and one float32 output [N,K] of class scores.",
  });
}

function listOf(values: readonly ValueInfo[]): string {
  return values.map((value) => `"${value.name}" ${describeDims(value.dims)}`).join(", ");
}
