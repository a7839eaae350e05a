/**
 * @file A compiled training step: forward, objective, backward and update as one ONNX graph and one `session.run`.
 *
 * Weights and optimiser state go in and come out. They live in two sets of buffers that swap roles each step, so that a
 * step allocates nothing of a weight's size.
 */

import { appendGradients } from "../autodiff/differentiate.js";
import { WildmarkError } from "../core/errors.js";
import { elementCount, type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import type { Classifier } from "../onnx/classifier.js";
import type { Dim, Graph } from "../onnx/graph.js";
import { lowerPrimitives } from "../runtime/lowering/index.js";
import { createSession, type RuntimeOptions, type Session } from "../runtime/session.js";
import { traceGraph } from "../runtime/trace.js";
import { targetOf } from "../runtime/tuning/identity.js";
import { tuningOf } from "../runtime/tuning/mode.js";
import { asChosen, chooseLowerings, type TuningWatch } from "../runtime/tuning/tune.js";
import { type BatchNormMode, batchNormForTraining } from "./batch-norm.js";
import type { Objective } from "./objective.js";
import { appendUpdate, type Optimizer, optimizerScalars, optimizerSlots } from "./optimizer.js";

export interface StepPlan {
  /** The model's graph as `imageGraph` makes it. */
  readonly graph: Graph;
  readonly classifier: Classifier;
  /** Number of classes: columns of the targets. */
  readonly classes: number;
  /** Images in a batch; the model sees `objective.views` times as many rows. */
  readonly batch: number;
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  /** Names of the initialisers that change. */
  readonly trainable: readonly string[];
  readonly batchNorm: BatchNormMode;
  /** Longest gradient, over all weights together (Pascanu et al., ICML 2013): longer ones are shortened. Absent: any. */
  readonly clipNorm?: number;
  /**
   * Longest gradient of each weight, as a multiple of the weight's own length: longer ones are shortened. Absent: any.
   * Adaptive gradient clipping (Brock, De, Smith, Simonyan, ICML 2021, section 4), by tensor instead of by unit.
   */
  readonly clipRatio?: number;
  /** Names of running statistics that stay as they are. */
  readonly frozen?: ReadonlySet<string>;
}

export interface TrainingStep {
  /** The model's input for one step, [views · batch, …]: fill it before each `run`. */
  readonly images: Float32Array;
  /** Target probabilities, [batch, classes]: fill it before each `run`. */
  readonly targets: Float32Array;
  /** One update at this learning rate; resolves to the objective before the update. */
  run(learningRate: number): Promise<number>;
  /** Copies of everything that training changed: weights and running statistics, by initialiser. */
  weights(): Map<string, FloatTensor>;
  release(): Promise<void>;
}

const TARGETS = "wildmark/targets";
const LOSS = "wildmark/loss";
const scalarName = (i: number): string => `wildmark/scalar_${i}`;

/** A tensor that a step reads under one name and writes under another. */
interface Carried {
  readonly input: string;
  readonly output: string;
  readonly initial: FloatTensor;
  /** The initialiser of the model that this is; undefined for optimiser state. */
  readonly initializer: string | undefined;
}

/**
 * Derives the training graph of `plan` and loads it.
 *
 * @param watch is told where lowerings are measured first, which may take a while.
 * @throws WildmarkError `unsupported-operator` where a gradient rule is missing, `runtime` where ONNX Runtime refuses.
 */
export async function compileStep(
  plan: StepPlan,
  options: RuntimeOptions = {},
  watch: TuningWatch = {},
): Promise<TrainingStep> {
  const images = float32(inputDims(plan), new Float32Array(elementCount(inputDims(plan))));
  const targets = float32([plan.batch, plan.classes], new Float32Array(plan.batch * plan.classes));
  const { graph, carried } = await deriveTrainingGraph(plan, images, targets, options);
  const session = await createSession(await lowered(graph, options, watch), options);
  return trainingStep(plan, session, carried, images, targets);
}

/** Forward graph → objective → gradients → updates; weights and state become inputs and outputs. */
async function deriveTrainingGraph(
  plan: StepPlan,
  images: FloatTensor,
  targets: FloatTensor,
  options: RuntimeOptions,
): Promise<{ graph: Graph; carried: readonly Carried[] }> {
  const { classifier, objective, optimizer } = plan;
  const { graph: forward, statistics } = batchNormForTraining(plan.graph, plan.batchNorm, plan.frozen);
  const input = { ...classifier.input, dims: images.dims };
  const b = graphBuilder("training step", { from: { ...forward, inputs: [input] } });
  b.input(TARGETS, "float32", targets.dims);
  const { loss, stopAt } = objective.build({
    b,
    batch: plan.batch,
    logits: classifier.logits,
    features: classifier.features,
    targets: TARGETS,
  });
  const feeds = new Map<string, Tensor>([
    [input.name, images],
    [TARGETS, targets],
  ]);
  const trace = await traceGraph(b.build(), feeds, options);
  const unclipped = appendGradients(b, {
    trace,
    loss,
    by: plan.trainable,
    ...(stopAt === undefined ? {} : { stopAt: new Set(stopAt) }),
  });
  const elementsOf = (weight: string): number => floatInitializer(plan.graph, weight).data.length;
  const bounded =
    plan.clipRatio === undefined ? unclipped : appendRelativeClipping(b, unclipped, plan.clipRatio, elementsOf);
  const gradients = plan.clipNorm === undefined ? bounded : appendClipping(b, bounded, plan.clipNorm);
  if (gradients.size === 0) {
    throw new WildmarkError("bad-model", "The objective depends on none of the weights chosen for training.", {
      hint: "Choose other weights to train, or another feature tensor.",
    });
  }

  const scalars = optimizerScalars(optimizer, 0, 1).map((_, i) => b.input(scalarName(i), "float32", []));
  const slotNames = optimizerSlots(optimizer);
  const carried: Carried[] = statistics.map(({ initializer, updated }) => ({
    input: initializer,
    output: updated,
    initial: floatInitializer(plan.graph, initializer),
    initializer,
  }));
  for (const weight of plan.trainable) {
    const gradient = gradients.get(weight);
    if (gradient === undefined) continue;
    const initial = floatInitializer(plan.graph, weight);
    const slots = slotNames.map((slot) => b.input(`wildmark/${slot}/${weight}`, "float32", initial.dims));
    const updated = appendUpdate(b, optimizer, { weight, rank: initial.dims.length, gradient, slots, scalars });
    carried.push({ input: weight, output: updated.weight, initial, initializer: weight });
    slots.forEach((slot, i) => {
      const zeros = float32(initial.dims, new Float32Array(initial.data.length));
      carried.push({ input: slot, output: updated.slots[i] ?? "", initial: zeros, initializer: undefined });
    });
  }

  const built = b.build();
  const moved = new Map(carried.map((value) => [value.input, value.initial.dims]));
  const initializers = new Map([...built.initializers].filter(([name]) => !moved.has(name)));
  const weightInputs = carried
    .filter((value) => value.initializer !== undefined)
    .map((value) => ({ name: value.input, type: "float32" as const, dims: value.initial.dims as readonly Dim[] }));
  const named = b.op("Identity", [loss], {}, { name: LOSS });
  const outputs = [named, ...carried.map((value) => value.output)].map((name) => ({
    name,
    type: "float32" as const,
    dims: undefined,
  }));
  const derived: Graph = { ...b.build(), inputs: [...built.inputs, ...weightInputs], initializers, outputs };
  return { graph: derived, carried };
}

/** Scales all gradients by the same factor where their common norm is above `longest`. */
function appendClipping(
  b: GraphBuilder,
  gradients: ReadonlyMap<string, string>,
  longest: number,
): ReadonlyMap<string, string> {
  const squares = [...new Set(gradients.values())].map((g) => b.op("ReduceSumSquare", [g], { keepdims: 0 }));
  const norm = b.op("Sqrt", [squares.reduce((sum, square) => b.op("Add", [sum, square]))]);
  const factor = b.op("Div", [b.scalar(longest), b.op("Max", [norm, b.scalar(longest)])]);
  return new Map([...gradients].map(([weight, g]) => [weight, b.op("Mul", [g, factor])]));
}

/** A weight that is nearly nothing may still move: its length counts as at least so much for each of its elements. */
const LEAST_ELEMENT = 1e-3;

/** Scales each gradient that is longer than `ratio` times its weight to just that length; others keep every bit. */
function appendRelativeClipping(
  b: GraphBuilder,
  gradients: ReadonlyMap<string, string>,
  ratio: number,
  elements: (weight: string) => number,
): ReadonlyMap<string, string> {
  const lengthOf = (value: string): string => b.op("Sqrt", [b.op("ReduceSumSquare", [value], { keepdims: 0 })]);
  return new Map(
    [...gradients].map(([weight, gradient]) => {
      const least = b.scalar(LEAST_ELEMENT * Math.sqrt(elements(weight)));
      const longest = b.op("Mul", [b.op("Max", [lengthOf(weight), least]), b.scalar(ratio)]);
      const factor = b.op("Div", [longest, b.op("Max", [lengthOf(gradient), longest])]);
      return [weight, b.op("Mul", [gradient, factor])];
    }),
  );
}

/** With standard operators only; on the CPU, convolutions in ONNX Runtime's blocked layout where this machine has it. */
async function lowered(graph: Graph, options: RuntimeOptions, watch: TuningWatch): Promise<Graph> {
  const target = await targetOf(options);
  const tuning = tuningOf(options);
  if (tuning === "off") return lowerPrimitives(graph, target);
  return lowerPrimitives(graph, {
    ...target,
    choose: asChosen(await chooseLowerings(graph, { ...watch, tuning, target })),
  });
}

function trainingStep(
  plan: StepPlan,
  session: Session,
  carried: readonly Carried[],
  images: FloatTensor,
  targets: FloatTensor,
): TrainingStep {
  const copyOf = (tensor: FloatTensor): FloatTensor => float32(tensor.dims, tensor.data.slice());
  let current = carried.map((value) => copyOf(value.initial));
  let next = carried.map((value) => copyOf(value.initial));
  const loss = float32([], new Float32Array(1));
  let steps = 0;

  return {
    images: images.data,
    targets: targets.data,
    async run(learningRate) {
      steps += 1;
      const feeds = new Map<string, Tensor>([
        [plan.classifier.input.name, images],
        [TARGETS, targets],
      ]);
      optimizerScalars(plan.optimizer, learningRate, steps).forEach((value, i) => {
        feeds.set(scalarName(i), float32([], [value]));
      });
      const into = new Map<string, Tensor>([[LOSS, loss]]);
      carried.forEach((value, i) => {
        feeds.set(value.input, at(current, i));
        into.set(value.output, at(next, i));
      });
      await session.run(feeds, into);
      [current, next] = [next, current];
      return loss.data[0] ?? Number.NaN;
    },
    weights() {
      const weights = new Map<string, FloatTensor>();
      carried.forEach((value, i) => {
        if (value.initializer !== undefined) weights.set(value.initializer, copyOf(at(current, i)));
      });
      return weights;
    },
    release: () => session.release(),
  };
}

/** The input's dimensions with the first one fixed to the rows of a step. */
function inputDims(plan: StepPlan): readonly number[] {
  const { name, dims = [] } = plan.classifier.input;
  const rows = plan.objective.views * plan.batch;
  return dims.map((dim, axis) => {
    if (axis === 0) return rows;
    if (typeof dim === "number") return dim;
    throw new WildmarkError("bad-model", `Input "${name}" has no fixed size on axis ${axis} (${dim ?? "unknown"}).`, {
      hint: "Wildmark trains models whose image size is part of the file.",
    });
  });
}

function floatInitializer(graph: Graph, name: string): FloatTensor {
  const tensor = graph.initializers.get(name);
  if (tensor?.type !== "float32") {
    const found = tensor === undefined ? "is not an initialiser of the model" : `holds ${tensor.type}`;
    throw new WildmarkError("bad-model", `"${name}" ${found}; only float32 initialisers can be trained.`);
  }
  return tensor;
}

function at<T>(items: readonly T[], i: number): T {
  const item = items[i];
  if (item === undefined) throw new RangeError(`no element ${i}`);
  return item;
}
