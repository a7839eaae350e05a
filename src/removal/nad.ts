/**
 * @file Neural attention distillation (Li, Lyu, Koren, Lyu, Li, Ma; ICLR 2021, arXiv:2101.05930): a fine-tuned copy of
 * the marked model teaches the marked model where to look.
 *
 * Attention of an activation map F [C, H, W] is A(F) = Σ over c of |F_c|² [H, W] (equation 1, p = 2), and the student,
 * which starts from the marked weights, lowers (equations 2 and 3)
 *
 *     CE(f(x), y) + β · Σ over layers of ‖ A_T / ‖A_T‖ − A_S / ‖A_S‖ ‖²
 *
 * with the mean over positions for the norm of the difference, as the authors' code has it. Which layers, and what
 * stands for a map where there is no convolution, is our own choice (docs/methods.md).
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { elementCount, float32 } from "../core/tensor.js";
import { cleanView } from "../data/views.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { imageGraph } from "../onnx/image-graph.js";
import type { Model } from "../onnx/model.js";
import { splice } from "../onnx/splice.js";
import { traceGraph } from "../runtime/trace.js";
import { crossEntropyObjective, type Objective } from "../training/objective.js";
import { sgdShape } from "../training/options.js";
import type { Attack, RemovalMethod, Stage } from "./method.js";
import { CLIP_RATIO, tune } from "./tuning.js";
import { unitLayers } from "./units.js";

const options = z.strictObject({
  teacherEpochs: z.int().min(1).max(100_000).default(10).describe("epochs of fine-tuning that make the teacher"),
  beta: z.number().min(0).default(5000).describe("β, weight of the distance between attention maps"),
  layers: z
    .enum(["last", "stages"])
    .default("last")
    .describe("attention of the last convolution, or of the last one at each resolution"),
  ...sgdShape({
    epochs: 20,
    batch: 64,
    learningRate: 0.1,
    schedule: "step:2:0.1:1",
    weightDecay: 1e-4,
    nesterov: true,
    clipRatio: CLIP_RATIO,
  }),
});

type NadOptions = z.infer<typeof options>;

export const nad: RemovalMethod<NadOptions> = {
  id: "nad",
  title: "Neural attention distillation",
  summary: "Fine-tunes a copy of the model, then teaches the model that copy's attention maps.",
  paper: "Li, Lyu, Koren, Lyu, Li, Ma: Neural Attention Distillation. ICLR 2021",
  needs: ["labelled"],
  baseline: false,
  variants: [{ layers: "last" }, { layers: "stages" }],
  options,
  label: ({ layers }) => (layers === "last" ? "NAD" : "NAD (all stages)"),
  steps: ({ epochs, teacherEpochs, batch }, { images }) => (epochs + teacherEpochs) * Math.ceil(images / batch),
  run: distilAttention,
};

/** Yields the student's epochs; the teacher's time counts to the first. */
async function* distilAttention(attack: Attack, chosen: NadOptions): AsyncGenerator<Stage, void, undefined> {
  const maps = await attentionMaps(attack, chosen.layers);
  const teacher = await fineTuned(attack, chosen);
  const student = { ...attack, random: attack.random.stream("student") };
  const objective = attentionObjective(teacher.model, attack.subset.shape, maps, chosen.beta);
  for await (const epoch of tune(student, chosen, { objective, views: [cleanView] })) {
    yield epoch.epoch === 1 ? { ...epoch, seconds: epoch.seconds + teacher.seconds } : epoch;
  }
}

/** The teacher: the marked model, fine-tuned as the student will be. */
export async function fineTuned(attack: Attack, chosen: NadOptions): Promise<{ model: Model; seconds: number }> {
  const { what = "training" } = attack;
  const pupil = { ...attack, random: attack.random.stream("teacher"), what: `${what}: the teacher` };
  const plan = { objective: crossEntropyObjective(), views: [cleanView] };
  let [model, seconds] = [attack.model, 0];
  for await (const epoch of tune(pupil, { ...chosen, epochs: chosen.teacherEpochs }, plan)) {
    seconds += epoch.seconds;
    if (epoch.epoch === chosen.teacherEpochs) model = epoch.model();
  }
  return { model, seconds };
}

/** A value of the network whose squares, summed over units, say where it looks. */
export interface AttentionMap {
  readonly value: string;
  /** The axis of units, which is summed over; undefined for [rows, units], where the units are the map. */
  readonly sumOver: number | undefined;
}

/**
 * The maps to compare: activations of convolutions. Without any, those of the last hidden layer stand for them.
 *
 * @throws WildmarkError `bad-model` where there is no hidden layer.
 */
export async function attentionMaps(
  { model, subset, runtime }: Pick<Attack, "model" | "subset" | "runtime">,
  which: NadOptions["layers"],
): Promise<readonly AttentionMap[]> {
  const { graph, classifier } = imageGraph(model, subset.shape);
  const layers = unitLayers(graph, classifier, new Set());
  const convolutions = layers.filter(({ kind }) => kind === "convolution");
  const candidates = convolutions.length > 0 ? convolutions : layers.slice(-1);
  if (candidates.length === 0) {
    throw new WildmarkError("bad-model", "The model has no hidden layer whose attention could be taught.", {
      hint: "NAD wants convolutions, or a hidden dense layer; fine-tune it instead (--method fine-tune).",
    });
  }
  const { channels, height, width } = subset.shape;
  const dims = [1, channels, height, width];
  const image = float32(dims, new Float32Array(elementCount(dims)));
  const input = { ...classifier.input, dims };
  const trace = await traceGraph({ ...graph, inputs: [input] }, new Map([[input.name, image]]), runtime);
  const bySize = new Map<string, AttentionMap>();
  for (const { activation, unitsLast } of candidates) {
    const shape = trace.get(activation)?.dims ?? [];
    const rank = shape.length;
    const sumOver = unitsLast ? (rank === 2 ? undefined : rank - 1) : 1;
    bySize.set(unitsLast ? "" : shape.slice(2).join("x"), { value: activation, sumOver });
  }
  const maps = [...bySize.values()];
  return which === "last" ? maps.slice(-1) : maps;
}

/** The loss above, for a student with the teacher's graph: values have the same names in both. */
export function attentionObjective(
  teacher: Model,
  shape: Attack["subset"]["shape"],
  maps: readonly AttentionMap[],
  beta: number,
): Objective {
  return {
    views: 1,
    meanOfImages: true,
    build(context) {
      const { b, images } = context;
      const { loss } = crossEntropyObjective().build(context);
      if (beta === 0) return { loss };
      const { graph, classifier } = imageGraph(teacher, shape);
      const taught = splice(b, graph, "wildmark/teacher", new Map([[classifier.input.name, images]]));
      const distances = maps.map((map) =>
        appendDistance(b, appendAttention(b, map), appendAttention(b, { ...map, value: taught.get(map.value) ?? "" })),
      );
      return { loss: b.op("Sum", [loss, ...distances.map((distance) => b.op("Mul", [distance, b.scalar(beta)]))]) };
    },
  };
}

/** Under the root of a map's length: a map of zeros has none, and no gradient either. */
const LEAST_SQUARE = 1e-12;

/** [rows, positions], each row of length 1. */
function appendAttention(b: GraphBuilder, { value, sumOver }: AttentionMap): string {
  const squares = b.op("Mul", [value, value]);
  const summed = sumOver === undefined ? squares : b.op("ReduceSum", [squares, b.ints([sumOver])], { keepdims: 0 });
  const map = b.op("Flatten", [summed], { axis: 1 });
  const square = b.op("ReduceSum", [b.op("Mul", [map, map]), b.ints([1])], { keepdims: 1 });
  return b.op("Div", [map, b.op("Sqrt", [b.op("Add", [square, b.scalar(LEAST_SQUARE)])])]);
}

/** The mean over rows and positions of the squared difference. */
function appendDistance(b: GraphBuilder, a: string, other: string): string {
  const difference = b.op("Sub", [a, other]);
  return b.op("ReduceMean", [b.op("Mul", [difference, difference])], { keepdims: 0 });
}
