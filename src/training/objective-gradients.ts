/**
 * @file A model's graph at the size of a batch, with an objective and its gradients: what a training step updates
 * weights by, and what attacks on images follow.
 */

import { appendGradients } from "../autodiff/differentiate.js";
import { WildmarkError } from "../core/errors.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import type { Classifier } from "../onnx/classifier.js";
import type { Graph } from "../onnx/graph.js";
import { lowerPrimitives } from "../runtime/lowering/index.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { traceGraph } from "../runtime/trace.js";
import { targetOf } from "../runtime/autotuning/identity.js";
import { autotuningOf } from "../runtime/autotuning/mode.js";
import { asChosen, chooseLowerings, type AutotuningWatch } from "../runtime/autotuning/autotune.js";
import { type BatchNormMode, batchNormForTraining, type RunningStatistic } from "./batch-norm.js";
import type { Objective } from "./objective.js";

export interface ObjectivePlan {
  /** The model's graph as `imageGraph` makes it. */
  readonly graph: Graph;
  readonly classifier: Classifier;
  /** Number of classes: columns of the targets. */
  readonly classes: number;
  /** Images in a batch; the model sees `objective.views` times as many rows. */
  readonly batch: number;
  readonly objective: Objective;
  readonly batchNorm: BatchNormMode;
  /** Names of running statistics that stay as they are. */
  readonly frozen?: ReadonlySet<string>;
}

/** What a run is fed: to be filled in place. */
export interface ObjectiveInputs {
  /** [views · batch, C, H, W] */
  readonly images: FloatTensor;
  /** [batch, classes], rows summing to 1 */
  readonly targets: FloatTensor;
}

/** Zeros of the sizes that the plan wants. */
export function stepInputs(plan: ObjectivePlan): ObjectiveInputs {
  const dims = inputDims(plan);
  return {
    images: float32(dims, new Float32Array(elementCount(dims))),
    targets: float32([plan.batch, plan.classes], new Float32Array(plan.batch * plan.classes)),
  };
}

/** Under these names a graph with an objective is fed. */
export function objectiveFeeds({ classifier }: ObjectivePlan, { images, targets }: ObjectiveInputs) {
  return new Map<string, FloatTensor>([
    [classifier.input.name, images],
    [TARGETS, targets],
  ]);
}

const TARGETS = "wildmark/targets";

export interface AppendedObjective {
  /** Holds forward graph, objective and gradients; its inputs are images and targets. */
  readonly b: GraphBuilder;
  readonly loss: string;
  /** What the objective tells beside the loss: names of scalars, by what they are called. */
  readonly watch: Readonly<Record<string, string>>;
  /** By value; those that the objective does not depend on have none. */
  readonly gradients: ReadonlyMap<string, string>;
  readonly statistics: readonly RunningStatistic[];
  /** Name of the input that wants the learning rate, where the objective looks at it. */
  readonly learningRate: string | undefined;
}

/**
 * @param by names of initialisers, or of the graph's input.
 * @throws WildmarkError `unsupported-operator` where a gradient rule is missing, `runtime` where ONNX Runtime refuses.
 */
export async function appendObjective(
  plan: ObjectivePlan,
  by: readonly string[],
  inputs: ObjectiveInputs,
  options: RuntimeOptions,
): Promise<AppendedObjective> {
  const { classifier, objective, batch } = plan;
  const { graph: forward, statistics } = batchNormForTraining(plan.graph, plan.batchNorm, plan.frozen);
  const input = { ...classifier.input, dims: inputs.images.dims };
  const b = graphBuilder("training step", { from: { ...forward, inputs: [input] } });
  b.input(TARGETS, "float32", inputs.targets.dims);
  const { logits, features } = classifier;
  const {
    loss,
    stopAt,
    watch = {},
    learningRate,
  } = objective.build({ b, batch, images: input.name, logits, features, targets: TARGETS });
  const feeds = objectiveFeeds(plan, inputs);
  if (learningRate !== undefined) feeds.set(learningRate, float32([], [1]));
  const trace = await traceGraph(b.build(), feeds, options);
  const stops = stopAt === undefined ? {} : { stopAt: new Set(stopAt) };
  const gradients = appendGradients(b, { trace, loss, by, ...stops });
  return { b, loss, watch, gradients, statistics, learningRate };
}

/** With standard operators only; on the CPU, convolutions in ONNX Runtime's nchwc layout where this machine has it. */
export async function lowered(graph: Graph, options: RuntimeOptions, watch: AutotuningWatch = {}): Promise<Graph> {
  const target = await targetOf(options);
  const autotuning = autotuningOf(options);
  if (autotuning === "off") return lowerPrimitives(graph, target);
  return lowerPrimitives(graph, {
    ...target,
    choose: asChosen(await chooseLowerings(graph, { ...watch, autotuning, target })),
  });
}

/** @throws WildmarkError `bad-model` where there is none of this name, or of another type. */
export function floatInitializer(graph: Graph, name: string): FloatTensor {
  const tensor = graph.initializers.get(name);
  if (tensor?.type === "float32") return tensor;
  const found = tensor === undefined ? "is not an initialiser of the model" : `holds ${tensor.type}`;
  throw new WildmarkError("bad-model", `"${name}" ${found}; expected an initialiser that holds float32.`);
}

/** The input's dimensions with the first one fixed to the rows of a step. */
function inputDims({ classifier, objective, batch }: ObjectivePlan): readonly number[] {
  const { name, dims = [] } = classifier.input;
  return dims.map((dim, axis) => {
    if (axis === 0) return objective.views * batch;
    if (typeof dim === "number") return dim;
    throw new WildmarkError("bad-model", `Input "${name}" has no fixed size on axis ${axis} (${dim ?? "unknown"}).`, {
      hint: "Wildmark trains models whose image size is part of the file.",
    });
  });
}
