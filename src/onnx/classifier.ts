/**
 * @file Finds in a graph what training and WILD need to know of a classifier: its input, the scores before the softmax,
 * the feature tensor, and the weights.
 */

import { WildmarkError } from "../core/errors.js";
import { type Dim, type Graph, intAttribute, type Node, operatorName, type ValueInfo } from "./graph.js";
import { findParameters, storedInputs } from "./parameters.js";
import { squashedScores } from "./squashing.js";
import { isOperator, producersOf, valuesFrom } from "./traverse.js";

export interface Classifier {
  /** The one input, float32: `[N,C,H,W]`, `[N,H,W,C]` or flat. */
  readonly input: ValueInfo;
  /** Name of the one output, float32 `[N,K]` or `[N,K,1,1]`. */
  readonly output: string;
  /** Name of the scores before a final softmax, of the output's shape; the output itself where there is none. */
  readonly logits: string;
  /** Number of classes K; undefined where the file does not say. */
  readonly classes: number | undefined;
  /** Name of the value whose distribution WILD compares: what enters the layer that makes the logits. */
  readonly features: string;
  /** Why `features` is not simply the input of a last fully connected layer; undefined where it is. */
  readonly note: string | undefined;
  /** Stored float32 tensors that training may change (see `findParameters`), in order of use. */
  readonly trainable: readonly string[];
  /** Those of `trainable` that belong to the layer that makes the logits: its weight and bias. Empty if there is none. */
  readonly lastLayer: readonly string[];
  /** Running means and variances of batch normalisation. */
  readonly statistics: readonly string[];
}

/**
 * @throws WildmarkError `bad-model` saying what was expected: one float32 image input, one float32 output `[N,K]` with at
 * least two classes, and weights in between.
 */
export function findClassifier(graph: Graph): Classifier {
  const input = imageInput(graph);
  const output = scoreOutput(graph);
  refuseQuantised(graph);
  const producers = producersOf(graph);
  if (!valuesFrom(graph, [input.name]).has(output.name)) {
    throw notAClassifier(`its output "${output.name}" does not depend on its input "${input.name}"`);
  }
  const logits = beforeSoftmax(output.name, producers);
  const { trainable, statistics } = findParameters(graph, logits);
  if (trainable.length === 0) throw notAClassifier("no float32 weight leads to its scores");
  const { features, layers, note } = featuresOf(graph, logits, input.name, producers);
  const ofLayers = new Set(layers.flatMap((node) => storedInputs(graph, node)));
  const lastLayer = trainable.filter((name) => ofLayers.has(name));
  const classes = typeof output.dims?.[1] === "number" ? output.dims[1] : undefined;
  return { input, output: output.name, logits, classes, features, note, trainable, lastLayer, statistics };
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
  if (type !== "float32") {
    throw notAClassifier(`its input "${name}" is ${type ?? "no tensor of numbers"}; expected float32`);
  }
  if (dims !== undefined && (dims.length < 2 || dims.length > 4)) {
    throw notAClassifier(
      `its input "${name}" is ${describeDims(dims)}; expected images as [N,C,H,W], [N,H,W,C] or flat [N,D]`,
    );
  }
  return input;
}

function scoreOutput(graph: Graph): ValueInfo {
  const [output, ...others] = graph.outputs;
  if (output === undefined) throw notAClassifier("it has no output");
  if (others.length > 0) {
    throw notAClassifier(`it has ${graph.outputs.length} outputs (${listOf(graph.outputs)}); expected one, the scores`);
  }
  const { name, type, dims } = output;
  if (type !== "float32") {
    throw notAClassifier(`its output "${name}" is ${type ?? "no tensor of numbers"}; expected float32 scores`);
  }
  if (dims !== undefined && (dims.length < 2 || dims.slice(2).some((dim) => dim !== 1))) {
    throw notAClassifier(`its output "${name}" is ${describeDims(dims)}; expected one score a class, [N,K]`);
  }
  const classes = dims?.[1];
  if (typeof classes === "number" && classes < 2) {
    throw notAClassifier(`its output "${name}" is ${describeDims(dims)}; expected at least two classes`);
  }
  return output;
}

/** At inference these hand on their first input unchanged. */
const TRANSPARENT: readonly string[] = ["Identity", "Dropout"];

function beforeSoftmax(output: string, producers: ReadonlyMap<string, Node>): string {
  let value = output;
  let reshaped: Node | undefined;
  for (;;) {
    const scores = squashedScores(value, producers);
    const node = producers.get(value);
    const before = node?.inputs[0];
    if (node === undefined || before === undefined) return output;
    if (scores !== undefined) {
      if (reshaped !== undefined && !squashesClasses(node)) {
        throw notAClassifier(
          `a ${reshaped.opType} follows its final ${node.opType}; expected the ${node.opType} to be last`,
        );
      }
      // A logarithm (or its inverse) stands on the softmax itself, which comes next; what stands before that is hidden.
      if (!isOperator(node, "Log", "Exp")) return scores;
      value = scores;
      continue;
    }
    if (isOperator(node, "Flatten", "Reshape", "Squeeze")) reshaped = node;
    else if (!isOperator(node, ...TRANSPARENT)) return output;
    value = before;
  }
}

/** Whether a softmax runs along axis 1: then a map of one pixel may be flattened after it. */
function squashesClasses(node: Node): boolean {
  return (
    isOperator(node, "Sigmoid") || (isOperator(node, "Softmax", "LogSoftmax") && intAttribute(node, "axis", -1) === 1)
  );
}

/** What may stand between the layer that makes the scores and the scores: shapes, pooling, activation, a separate bias. */
const AFTER_LAYER: readonly string[] = [
  ...TRANSPARENT,
  ...["Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose"],
  ...["GlobalAveragePool", "AveragePool", "GlobalMaxPool", "ReduceMean", "Relu", "BatchNormalization"],
  ...["Add", "Sub", "Mul", "Div"],
];

interface Features {
  readonly features: string;
  /** The layer that makes the scores, and what adds its bias. */
  readonly layers: readonly Node[];
  readonly note: string | undefined;
}

/** Walks back from the logits, along the only input that depends on the image, to the last layer with a weight matrix. */
function featuresOf(graph: Graph, logits: string, input: string, producers: ReadonlyMap<string, Node>): Features {
  const fromInput = valuesFrom(graph, [input]);
  const layers: Node[] = [];
  let value = logits;
  for (;;) {
    const node = producers.get(value);
    const [before, second] = node?.inputs.filter((name) => fromInput.has(name)) ?? [];
    const isLayer = node !== undefined && isOperator(node, "Gemm", "MatMul", "Conv");
    if (node === undefined || before === undefined || second !== undefined || !(isLayer || passes(node))) {
      const stop = node === undefined ? "the input comes first" : `${node.opType} comes first`;
      return {
        features: logits,
        layers: [],
        note: `No fully connected layer makes the scores (${stop}): the scores themselves are the features.`,
      };
    }
    layers.push(node);
    if (isLayer) {
      const note =
        node.opType === "Conv"
          ? `A convolution makes the scores: its input, a map of features, is the feature tensor.`
          : undefined;
      return { features: before, layers, note };
    }
    value = before;
  }
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

function notAClassifier(why: string): WildmarkError {
  return new WildmarkError("bad-model", `The model is not an image classifier that Wildmark can use: ${why}.`, {
    hint: "Wildmark takes models with one float32 image input and one float32 output [N,K] of class scores.",
  });
}

function listOf(values: readonly ValueInfo[]): string {
  return values.map((value) => `"${value.name}" ${describeDims(value.dims)}`).join(", ");
}
