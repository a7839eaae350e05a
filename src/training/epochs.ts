/**
 * @file The training loop: compiles a step, feeds it, and yields one record an epoch.
 *
 * It is an async generator, so that whoever runs it measures between epochs, stops when it likes, and sees results as
 * they come. Nothing here knows what the images are or why the model is trained.
 */

import { performance } from "node:perf_hooks";
import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import { type Progress, silent } from "../core/progress.js";
import type { FloatTensor } from "../core/tensor.js";
import type { Classifier } from "../onnx/classifier.js";
import type { Graph } from "../onnx/graph.js";
import { type Model, withWeights } from "../onnx/model.js";
import { storedBefore } from "../onnx/train-from.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { type Average, type Averaging, startAverage } from "./averages.js";
import type { Checkpoint, PastEpoch, PlanMemory, SavedTraining } from "./checkpoint.js";
import type { Gradient } from "./gradient.js";
import { freeImageGraph } from "./rows.js";
import { type Schedule, scheduleFactor } from "./schedule.js";
import { phasedStep } from "./phased-step.js";
import { compileStep } from "./step.js";
import type { StepPlan } from "./step-plan.js";
import { isKernel } from "./weight-groups.js";
import { freezing, type RuledWeight, treatmentsBy, type WeightRules } from "./weight-rules.js";

/** What a step is fed. A pure function of epoch and step, so that order and timing of the calls change nothing. */
export interface Feed {
  readonly stepsPerEpoch: number;
  /** Images in a batch. */
  readonly batch: number;
  readonly classes: number;
  /** Of one image. */
  readonly shape: ImageShape;
  /**
   * Fills one step's input.
   *
   * @param epoch counted from 1
   * @param step counted from 0 within the epoch
   * @param images [views · batch, C, H, W], pixel values in [0, 1]
   * @param targets [batch, classes], each row a distribution
   */
  fill(epoch: number, step: number, images: Float32Array, targets: Float32Array): void;
}

export interface TrainingPlan
  extends Pick<StepPlan, "objective" | "optimizer" | "batchNorm" | "clipNorm" | "clipRatio" | "project"> {
  /** The schedule's peak. */
  readonly learningRate: number;
  readonly schedule: Schedule;
  readonly epochs: number;
  /** All trainable weights, or only those of the layer that makes the logits. */
  readonly train: "all" | "last-layer";
  /** Rates, optimisers and an end of their own for some of them. */
  readonly rules?: WeightRules;
  /** Default: the model is what the last step leaves. */
  readonly average?: Averaging;
  /** Another feature tensor than the one `findClassifier` names. */
  readonly features?: string;
  /** The same weights in another forward graph: what training sees of the model, not what it is. Keeps all names. */
  readonly rewrite?: (graph: Graph, classifier: Classifier) => Graph;
  /** Of another loss, which is lowered together with the objective. */
  readonly added?: AddedGradient;
  /** Is called before each step, once its input is filled: for training that looks at the weights of the moment. */
  readonly beforeStep?: (moment: StepMoment) => Promise<void>;
  /** What `added` or `beforeStep` remember from one step to the next; default: nothing. */
  readonly memory?: PlanMemory;
}

/** A step that is about to run. */
export interface StepMoment {
  /** Counted from 1. */
  readonly epoch: number;
  /** Counted from 0 within the epoch. */
  readonly step: number;
  /** What the feed filled, [views · batch, C, H, W] and [batch, classes]; may be changed. */
  readonly images: Float32Array;
  readonly targets: Float32Array;
  /** Copies of everything that training changes, as it is now. */
  weights(): Promise<ReadonlyMap<string, FloatTensor>>;
  /** Other values for some of it, which this step starts from; copied. */
  replace(weights: ReadonlyMap<string, FloatTensor>): Promise<void>;
}

/**
 * The gradient of a loss that no objective on the feed's batches can be: of other images, or at weights nearby. It is
 * added to that of the objective, so that both make one update.
 *
 * @param epoch counted from 1
 * @param step counted from 0 within the epoch
 * @param weights gives copies of all that training changes, as the step finds it
 * @returns the loss and its gradient by each weight that it depends on; undefined where this step has none.
 */
export type AddedGradient = (
  epoch: number,
  step: number,
  weights: () => Promise<ReadonlyMap<string, FloatTensor>>,
) => Promise<Pick<Gradient, "loss" | "gradients"> | undefined>;

export interface TrainingOptions {
  readonly runtime?: RuntimeOptions;
  readonly progress?: Progress;
  /** What the progress bar calls the work. */
  readonly what?: string;
  readonly signal?: AbortSignal;
  /** Name of a node: all that it is computed from stays as it is. For models with operators that have no gradient. */
  readonly trainFrom?: string;
  /** Where it leaves how far it is, and goes on from; default: it starts anew, and leaves nothing. */
  readonly checkpoint?: Checkpoint;
}

export interface TrainedEpoch {
  /** Counted from 1. */
  readonly epoch: number;
  /** Mean of the objective over the epoch's steps, each before its update, with the loss that is added to it. */
  readonly loss: number;
  /** The rate of the epoch's last step. */
  readonly learningRate: number;
  /** Time spent training in this epoch, measuring excluded. */
  readonly seconds: number;
  /**
   * The model as it is now; the given model with other weights. Of the epochs that another process has trained only the
   * last one's is left: the others' throw.
   */
  model(): Model;
}

/**
 * Trains `model` on `feed`.
 *
 * @throws WildmarkError `bad-model` where the model cannot be trained, `numeric` when the objective stops being finite,
 *   `interrupted` when the signal fires.
 */
export async function* trainEpochs(
  model: Model,
  plan: TrainingPlan,
  feed: Feed,
  options: TrainingOptions = {},
): AsyncGenerator<TrainedEpoch, void, undefined> {
  const { progress = silent, what = "training", signal, trainFrom } = options;
  const place = options.checkpoint?.next();
  const past = place?.saved;
  if (past !== undefined) {
    yield* pastEpochs(model, past);
    if (past.epochs.length >= plan.epochs) return;
    progress.note(`${what}: going on after epoch ${past.epochs.length} of ${plan.epochs}`);
  }
  const { graph, classifier: found } = await freeImageGraph(model, feed.shape, options.runtime);
  const frozen = storedBefore(graph, trainFrom);
  const classifier: Classifier =
    plan.features === undefined ? found : { ...found, features: named(graph, plan.features) };
  requireFinite(graph, [...classifier.trainable, ...classifier.statistics]);
  const chosen = plan.train === "all" ? classifier.trainable : classifier.lastLayer;
  const { stays, treatments } = ruled(plan, graph, classifier, chosen);
  const phased = phasedStep(
    {
      ...plan,
      graph: plan.rewrite?.(graph, classifier) ?? graph,
      classifier,
      classes: feed.classes,
      batch: feed.batch,
      trainable: chosen.filter((name) => !frozen.has(name)),
      treatments,
      frozen,
      joinsGradients: plan.added !== undefined,
    },
    stays,
    (stepPlan) =>
      compileStep(stepPlan, options.runtime, {
        onMeasured(done, all) {
          throwIfAborted(signal);
          progress.prepare?.("measure lowerings for this machine", done, all);
        },
        onNote: (line) => progress.note(line),
      }),
  );
  if (past !== undefined) {
    phased.resume(past.state);
    plan.memory?.write(past.memory);
  }
  const done: PastEpoch[] = [...(past?.epochs ?? [])];
  const total = plan.epochs * feed.stepsPerEpoch;
  let average: Average | undefined;
  try {
    for (let epoch = done.length + 1; epoch <= plan.epochs; epoch++) {
      const start = performance.now();
      const step = await phased.enter(epoch);
      if (plan.average !== undefined) average ??= await startAverage(plan.average, phased, total, past?.average);
      let sum = 0;
      let learningRate = plan.learningRate;
      for (let i = 0; i < feed.stepsPerEpoch; i++) {
        throwIfAborted(signal);
        const before = (epoch - 1) * feed.stepsPerEpoch + i;
        learningRate = plan.learningRate * scheduleFactor(plan.schedule, before, feed.stepsPerEpoch, plan.epochs);
        feed.fill(epoch, i, step.images, step.targets);
        if (plan.beforeStep !== undefined) {
          const { images, targets, weights, replace } = step;
          await plan.beforeStep({ epoch, step: i, images, targets, weights, replace });
        }
        const added = await plan.added?.(epoch, i, () => step.weights());
        const own = await step.run(learningRate, added?.gradients);
        const loss = own + (added?.loss ?? 0);
        if (!Number.isFinite(loss)) throw diverged(loss, epoch, i, learningRate);
        sum += loss;
        await average?.after(before + 1);
        progress.update(what, before + 1, total);
      }
      const weights = average === undefined ? await phased.weights() : average.weights();
      const trained = {
        ...{ epoch, loss: sum / feed.stepsPerEpoch, learningRate },
        seconds: (performance.now() - start) / 1000,
      };
      done.push(trained);
      yield { ...trained, model: () => withWeights(model, weights) };
      const saved = async (): Promise<SavedTraining> => ({
        ...{ epochs: [...done], state: await phased.state(), average: average?.weights() },
        memory: plan.memory?.read() ?? [],
      });
      await place?.keep(saved, epoch === plan.epochs);
    }
  } finally {
    await phased.release();
  }
}

/** The epochs that another process has trained. */
function* pastEpochs(model: Model, { epochs, state, average }: SavedTraining): Generator<TrainedEpoch> {
  for (const past of epochs) {
    yield {
      ...past,
      model() {
        if (past.epoch < epochs.length) throw new Error(`the model of epoch ${past.epoch} is no longer there`);
        return withWeights(model, average ?? state.weights);
      },
    };
  }
}

/** What the plan's rules mean for this model. */
function ruled(plan: TrainingPlan, graph: Graph, { lastLayer, statistics }: Classifier, trainable: readonly string[]) {
  const { rules = {} } = plan;
  const weights = trainable.map((name): RuledWeight => {
    const kernel = isKernel(graph.initializers.get(name)?.dims ?? []);
    return { name, kind: lastLayer.includes(name) ? "head" : kernel ? "kernels" : "biases" };
  });
  const running = statistics.map((name): RuledWeight => ({ name, kind: "statistic" }));
  return {
    stays: freezing(rules, [...weights, ...running]),
    treatments: treatmentsBy(rules, plan, weights),
  };
}

/** The name of a value of the graph; refuses what is none before ONNX Runtime does in its own words. */
function named(graph: Graph, value: string): string {
  if (graph.nodes.some((node) => node.outputs.includes(value))) return value;
  throw new WildmarkError("usage", `The model computes no value "${value}".`, {
    hint: "Name the output of one of its nodes, or leave the feature tensor to Wildmark.",
  });
}

/** A weight that is NaN makes every score NaN: nothing can be learnt, at any rate. */
function requireFinite(graph: Graph, names: readonly string[]): void {
  const holdsNumbers = (name: string): boolean => {
    const tensor = graph.initializers.get(name);
    return tensor?.type !== "float32" || tensor.data.every(Number.isFinite);
  };
  const damaged = names.find((name) => !holdsNumbers(name));
  if (damaged === undefined) return;
  throw new WildmarkError("bad-model", `The model's weight "${damaged}" holds NaN or infinity; expected numbers.`, {
    hint: "The file is damaged, or the training that made it diverged.",
  });
}

/** Throws `interrupted` once the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new WildmarkError("interrupted", "Stopped.");
}

function diverged(loss: number, epoch: number, step: number, learningRate: number): WildmarkError {
  return new WildmarkError(
    "numeric",
    `Training diverged: the objective became ${loss} in step ${step + 1} of epoch ${epoch} at learning rate ` +
      `${learningRate.toPrecision(3)}.`,
    { hint: "Lower the learning rate, or shorten long gradients (--clip-ratio 0.1)." },
  );
}
