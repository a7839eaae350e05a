/**
 * @file Neural network laundering (Aiken, Kim, Woo, Ryoo: Neural Network Laundering: Removing Black-Box Backdoor
 * Watermarks from Deep Neural Networks, Computers & Security 2021, arXiv:2004.11368).
 *
 * 1. Triggers are reversed as Neural Cleanse does it, and those too small to be natural are taken for the mark's
 *    (`data/reversed-trigger.ts`).
 * 2. Units that answer a stamped image much more strongly than the clean one are reset to zero.
 * 3. The model is trained on clean and on stamped images, all with their true labels.
 *
 * What a strong answer is, and the schedule, are our own choice (docs/methods.md).
 */

import { performance } from "node:perf_hooks";
import { z } from "zod";
import type { FloatTensor } from "../core/tensor.js";
import {
  reversalShape,
  reversalSteps,
  reverseTriggers,
  sourcesOf,
  stamped,
  suspicious,
  type Trigger,
} from "../data/reversed-trigger.js";
import { cleanView, copiesView } from "../data/views.js";
import { imageGraph } from "../onnx/image-graph.js";
import { type Model, withWeights } from "../onnx/model.js";
import { storedBefore } from "../onnx/train-from.js";
import { storedTensors } from "../onnx/traverse.js";
import { throwIfAborted } from "../training/epochs.js";
import { type Objective, viewsCrossEntropy } from "../training/objective.js";
import { activationMeans } from "./activations.js";
import { type Attack, type RemovalMethod, type Stage, stepsOfEpochs } from "./method.js";
import { tune, tuningShape } from "./tuning.js";
import { type UnitLayer, unitLayers, withoutUnits } from "./units.js";

const options = z.strictObject({
  ...reversalShape,
  convolutionGap: z
    .number()
    .min(0)
    .default(1)
    .describe("units of convolutions whose activation a trigger raises by more are reset, in means of the layer's"),
  denseGap: z.number().min(0).default(2).describe("the same of units of dense layers"),
  mostReset: z.number().min(0).max(1).default(0.5).describe("largest share of a layer's units that is reset"),
  ...tuningShape,
});

type LaunderingOptions = z.infer<typeof options>;

export const neuralLaundering: RemovalMethod<LaunderingOptions> = {
  id: "neural-laundering",
  title: "Neural laundering",
  summary: "Reverses triggers, resets the units that they wake, and trains on images that bear them with true labels.",
  paper:
    "Aiken, Kim, Woo, Ryoo: Neural Network Laundering: Removing Black-Box Backdoor Watermarks from Deep " +
    "Neural Networks. " +
    "Computers & Security 2021",
  needs: ["labelled"],
  baseline: false,
  options,
  label: ({ sources }) => (sources === "all" ? "Neural laundering" : "Neural laundering (pairs of classes)"),
  steps: (chosen, data) => reversalSteps(chosen, data.classes) + stepsOfEpochs(chosen, data),
  run: launder,
};

/** Yields the model with units reset first, then each epoch of training. */
async function* launder(attack: Attack, chosen: LaunderingOptions): AsyncGenerator<Stage, void, undefined> {
  throwIfAborted(attack.signal);
  const start = performance.now();
  const { model, subset, progress } = attack;
  const triggers = await reverseTriggers(attack, chosen);
  const found = suspicious(triggers);
  for (const trigger of found) progress?.note(describeTrigger(trigger, triggers.length));
  const gone = await woken(attack, found, chosen);
  const units = [...gone.values()].reduce((sum, { size }) => sum + size, 0);
  const all = [...gone.keys()].reduce((sum, layer) => sum + layer.units, 0);
  progress?.note(`${units} of ${all} units reset`);
  const reset = withoutAll(model, gone);
  yield { epoch: 1, seconds: (performance.now() - start) / 1000, model: () => reset };

  const objective: Objective = {
    views: 2,
    meanOfImages: true,
    build: (context) => ({ loss: viewsCrossEntropy(context, 2) }),
  };
  const views = [cleanView, copiesView(stamped(subset, found))];
  for await (const epoch of tune({ ...attack, model: reset }, chosen, { objective, views })) {
    yield { ...epoch, epoch: epoch.epoch + 1 };
  }
}

function describeTrigger({ target, source, size, works }: Trigger, sought: number): string {
  const from = source === undefined ? "any other class" : `class ${source}`;
  const how = works ? `a trigger of ${size.toFixed(1)} pixels` : "no trigger that works, the best";
  return `${how} from ${from} to class ${target}, of ${sought} sought`;
}

/**
 * Of each hidden layer the units that a trigger wakes: whose mean activation at some position rises by more than the
 * gap where it is stamped on the images that it was sought on.
 */
async function woken(
  { model, subset, trainFrom, runtime = {} }: Attack,
  triggers: readonly Trigger[],
  chosen: Pick<LaunderingOptions, "convolutionGap" | "denseGap" | "mostReset">,
): Promise<ReadonlyMap<UnitLayer, ReadonlySet<number>>> {
  const { graph, classifier } = imageGraph(model, subset.shape);
  const layers = unitLayers(graph, classifier, storedBefore(graph, trainFrom));
  const gaps = layers.map(({ units }) => new Float64Array(units));
  for (const trigger of triggers) {
    const images = sourcesOf(subset, trigger);
    const means = (of: typeof images) =>
      activationMeans(graph, classifier.input.name, layers, of, runtime, (value) => value);
    const [clean, marked] = [await means(images), await means(stamped(images, [trigger]))];
    clean.forEach((before, at) => {
      const gap = gaps[at] ?? new Float64Array(0);
      const level = before.means.reduce((sum, mean) => sum + Math.abs(mean), 0) / before.means.length;
      before.means.forEach((mean, position) => {
        const unit = before.unitAt(position);
        const rise = ((marked[at]?.means[position] ?? 0) - mean) / Math.max(level, LEAST_LEVEL);
        gap[unit] = Math.max(gap[unit] ?? 0, rise);
      });
    });
  }
  return new Map(
    layers.map((layer, at) => {
      const gap = gaps[at] ?? new Float64Array(0);
      const least = layer.kind === "convolution" ? chosen.convolutionGap : chosen.denseGap;
      const most = Math.floor(chosen.mostReset * layer.units);
      const order = Array.from(gap.keys()).toSorted((a, b) => (gap[b] ?? 0) - (gap[a] ?? 0) || a - b);
      return [layer, new Set(order.filter((unit) => (gap[unit] ?? 0) > least).slice(0, most))] as const;
    }),
  );
}

/** A layer that sleeps altogether has no level to measure by. */
const LEAST_LEVEL = 1e-12;

/** The model with zeros in the place of these units. */
function withoutAll(model: Model, gone: ReadonlyMap<UnitLayer, ReadonlySet<number>>): Model {
  const stored = storedTensors(model.graph);
  const weights = new Map<string, FloatTensor>();
  for (const [{ tensors }, units] of gone) {
    for (const { name, axis } of units.size > 0 ? tensors : []) {
      const tensor = weights.get(name) ?? stored.get(name);
      if (tensor?.type === "float32") weights.set(name, withoutUnits(tensor, axis, units));
    }
  }
  return withWeights(model, weights);
}
