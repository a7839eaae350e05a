/**
 * @file A training step split over threads: each computes the gradients of its part of the batch, from the first
 * operator to the last, and one update takes their mean.
 *
 * It pays where a network is so small that threads inside one operator hinder each other more than they help
 * (docs/performance.md), and it can be done where the loss of a batch is the mean of the losses of its parts.
 */

import { availableParallelism } from "node:os";
import { elementCount, type FloatTensor, float32 } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import { type WorkerPool, type Shapes, startWorkerPool } from "../../runtime/worker-pool.js";
import { type RuntimeOptions, threadsFromEnvironment } from "../../runtime/options.js";
import { createSession, type Session } from "../../runtime/session.js";
import { createMemorySession, type MemorySession } from "../../runtime/state.js";
import type { AutotuningWatch } from "../../runtime/autotuning/autotune.js";
import { batchNormForTraining } from "../batch-norm.js";
import { gradientGraph, gradientName, LOSS } from "../gradient.js";
import { type GroupGradient, gradientChain } from "../gradient-chain.js";
import { appendObjective, floatInitializer, lowered, objectiveFeeds, stepInputs } from "../objective-gradients.js";
import type { StepPlan, StepState, StepStrategy, TrainingStep } from "../step-plan.js";
import {
  appendUpdates,
  type ChangedName,
  changedFrom,
  withChanges,
  optimizerFeeds,
  stateOf,
  weightsOf,
} from "../update.js";
import { inVector, weightGroups, weightsIn } from "../weight-groups.js";

/**
 * Rows of a part: with fewer, fixed costs weigh more than a further core brings. On 16 cores LeNet-5's WILD step of 128
 * rows took 6.1 ms in 16 parts, and 4.8 in two.
 */
const LEAST_ROWS = 32;

/**
 * Weights go to every part, gradients come back from each, and one thread updates. With 431,000 weights `lenet-caffe`
 * was slower by half (12.4 and 18.7 ms); a ResNet-18 of 701,000 with far more to compute was faster (97 and 80 ms).
 */
const MOST_WEIGHTS = 2 ** 17;

/** Into how many parts of one size a batch is split; 1 where it is not. */
export function partsOf(plan: StepPlan, options: RuntimeOptions): number {
  const { batch, objective } = plan;
  if ((options.device ?? "cpu") !== "cpu" || objective.meanOfImages !== true) return 1;
  // Batch statistics are of the whole batch.
  if (batchNormForTraining(plan.graph, plan.batchNorm, plan.frozen).statistics.length > 0) return 1;
  const weights = plan.trainable.reduce((sum, name) => sum + floatInitializer(plan.graph, name).data.length, 0);
  if (weights > MOST_WEIGHTS) return 1;
  for (let parts = threadsOf(options); parts > 1; parts--) {
    if (batch % parts === 0 && (batch / parts) * objective.views >= LEAST_ROWS) return parts;
  }
  return 1;
}

const threadsOf = ({ threads }: RuntimeOptions): number =>
  threads ?? threadsFromEnvironment() ?? availableParallelism();

export const split: StepStrategy = {
  suits: (plan, options) => partsOf(plan, options) > 1,
  compile: (plan, options, watch) => compileSplitStep(plan, partsOf(plan, options), options, watch),
};

/** @throws WildmarkError as `compileStep` does. */
export async function compileSplitStep(
  plan: StepPlan,
  parts: number,
  options: RuntimeOptions,
  watch: AutotuningWatch,
): Promise<TrainingStep> {
  const part = await derivePart(plan, parts, options, watch);
  const update = await loadUpdate(plan, part, parts);
  const own = await createSession(part.graph, { threads: part.threads });
  try {
    const pool = await startWorkerPool({ ...part, workers: parts - 1 });
    return splitStep(plan, part, { update, own, pool });
  } catch (error) {
    await Promise.all([own.release(), update.session.release()]);
    throw error;
  }
}

/** The graph that every part of a batch goes through, and what goes in and comes out. */
interface Part {
  readonly graph: Graph;
  readonly threads: number;
  /** The weights that the objective depends on. */
  readonly weights: ReadonlyMap<string, FloatTensor>;
  /** Name of the input that wants the learning rate, where the objective looks at it. */
  readonly learningRate: string | undefined;
  readonly common: Shapes;
  /** Images and targets. */
  readonly own: Shapes;
  readonly outputs: Shapes;
}

async function derivePart(
  plan: StepPlan,
  parts: number,
  options: RuntimeOptions,
  watch: AutotuningWatch,
): Promise<Part> {
  const threads = Math.floor(threadsOf(options) / parts);
  const smaller = { ...plan, batch: plan.batch / parts };
  const inputs = stepInputs(smaller);
  const appended = await appendObjective(smaller, plan.trainable, inputs, options);
  const { gradients, learningRate } = appended;
  const dependent = plan.trainable.filter((name) => gradients.has(name));
  const weights = new Map(dependent.map((name) => [name, floatInitializer(plan.graph, name)]));
  const graph = await lowered(gradientGraph(appended, dependent, weights), { ...options, threads }, watch);
  const rate: Shapes = new Map(learningRate === undefined ? [] : [[learningRate, []]]);
  const outputs: Shapes = new Map([...shapesOf(weights)].map(([name, dims]) => [gradientName(name), dims]));
  return {
    ...{ graph, threads, weights, learningRate },
    common: new Map([...shapesOf(weights), ...rate]),
    own: shapesOf(objectiveFeeds(plan, inputs)),
    outputs: new Map([...outputs, [LOSS, []]]),
  };
}

/** The mean of the gradients of all parts moves weights and optimiser state. */
interface Update {
  readonly session: MemorySession;
  readonly changed: readonly ChangedName[];
  /** Of each part, by the name that the part calls them: to be filled before a run. */
  readonly gradients: readonly ReadonlyMap<string, FloatTensor>[];
  readonly feeds: ReadonlyMap<string, FloatTensor>;
}

async function loadUpdate(plan: StepPlan, { weights }: Part, parts: number): Promise<Update> {
  const b = graphBuilder("update");
  const gradients = Array.from({ length: parts }, () => new Map<string, FloatTensor>());
  const feeds = new Map<string, FloatTensor>();
  const groups = weightGroups(plan, weights).map((group): GroupGradient => {
    const input = b.input(group.name, "float32", group.dims);
    const ofParts = gradients.map((found, part) => {
      const vector = zeros(group.dims);
      for (const [weight, piece] of weightsIn(group, vector)) found.set(gradientName(weight), piece);
      const name = b.input(`${gradientName(group.name)}/${part}`, "float32", group.dims);
      feeds.set(name, vector);
      return name;
    });
    return { group, weights: inVector(b, group, input), gradient: inVector(b, group, b.op("Mean", ofParts)) };
  });
  const changed = appendUpdates(b, plan, gradientChain(plan), groups);
  // Of one thread: others would go on looking for work while the parts need their cores.
  const session = await createMemorySession(withChanges(b.build(), changed, []), changed, { threads: 1 });
  return { session, changed: changed.map(({ input, group, slot }) => ({ input, group, slot })), gradients, feeds };
}

function splitStep(
  plan: StepPlan,
  part: Part,
  { update, own, pool }: { readonly update: Update; readonly own: Session; readonly pool: WorkerPool },
): TrainingStep {
  const inputs = stepInputs(plan);
  const whole = objectiveFeeds(plan, inputs);
  /** The part that the calling thread computes, the first; the others are the pool's. */
  const first = new Map([...part.own].map(([name, dims]) => [name, zeros(dims)]));
  const [gradientsOfFirst = new Map<string, FloatTensor>(), ...gradientsOfOthers] = update.gradients;
  const losses = [zeros([]), ...gradientsOfOthers.map(() => zeros([]))];
  const outputsOfFirst = new Map([...gradientsOfFirst, [LOSS, losses[0] ?? zeros([])] as const]);
  const weightsNow = (): Map<string, FloatTensor> => weightsOf(plan, update.session.current(), update.changed);
  const { feeds: addedFeeds } = gradientChain(plan);
  let steps = 0;
  const stateNow = (): StepState => stateOf(plan, update.session.current(), update.changed, steps);

  const handOut = (): void => {
    const others = pool.workers.map((worker) => worker.own);
    for (const [name, { data }] of whole) {
      const views = name === plan.classifier.input.name ? plan.objective.views : 1;
      [first.get(name)?.data, ...others.map((feeds) => feeds.get(name))].forEach((into, i) => {
        if (into !== undefined) copyPart(data, views, i, into);
      });
    }
  };
  const collect = (): void => {
    pool.workers.forEach(({ outputs }, i) => {
      for (const [name, { data }] of gradientsOfOthers[i] ?? []) data.set(memory(outputs, name));
      losses[i + 1]?.data.set(memory(outputs, LOSS));
    });
  };
  return {
    images: inputs.images.data,
    targets: inputs.targets.data,
    async run(learningRate, added = new Map()) {
      steps += 1;
      const common = weightsNow();
      if (part.learningRate !== undefined) common.set(part.learningRate, float32([], [learningRate]));
      for (const [name, { data }] of common) pool.common.get(name)?.set(data);
      handOut();
      await pool.run(async () => {
        await own.run(new Map([...common, ...first]), outputsOfFirst);
      });
      collect();
      await update.session.run(
        new Map([...update.feeds, ...optimizerFeeds(plan, learningRate, steps), ...addedFeeds(added)]),
        new Map(),
      );
      return losses.reduce((sum, { data }) => sum + (data[0] ?? Number.NaN), 0) / losses.length;
    },
    weights: async () => weightsOf(plan, await update.session.state(), update.changed),
    async replace(weights) {
      const given = { weights, slots: new Map() };
      update.session.replace(changedFrom(update.changed, given, stateNow()));
    },
    state: async () => stateOf(plan, await update.session.state(), update.changed, steps),
    async restore(given) {
      update.session.replace(changedFrom(update.changed, given, stateNow()));
      steps = given.steps;
    },
    async release() {
      await Promise.all([pool.release(), own.release(), update.session.release()]);
    },
  };
}

const shapesOf = (tensors: ReadonlyMap<string, FloatTensor>): Shapes =>
  new Map([...tensors].map(([name, { dims }]) => [name, dims]));

const zeros = (dims: readonly number[]): FloatTensor => float32(dims, new Float32Array(elementCount(dims)));

/** The rows of one part of each view, which all have the length of `into` divided by the number of views. */
function copyPart(whole: Float32Array, views: number, part: number, into: Float32Array): void {
  const length = into.length / views;
  const view = whole.length / views;
  for (let i = 0; i < views; i++) {
    const start = i * view + part * length;
    into.set(whole.subarray(start, start + length), i * length);
  }
}

function memory(tensors: ReadonlyMap<string, Float32Array>, name: string): Float32Array {
  const data = tensors.get(name);
  if (data === undefined) throw new Error(`the pool has no tensor "${name}"`);
  return data;
}
