/**
 * @file Fine-pruning (Liu, Dolan-Gavitt, Garg; RAID 2018): a backdoor hides in units that sleep on clean images. The
 * units of the last convolution with the lowest mean activation are taken out, one after the other, until accuracy
 * falls; then the model is fine-tuned, so that what is left of the backdoor in active units goes too.
 *
 * A unit taken out has zero weights, biases and normalisation, and keeps them while tuning. The bound, the held-out
 * images and the schedule are our own choice (docs/methods.md).
 */

import { performance } from "node:perf_hooks";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation } from "../core/random.js";
import type { FloatTensor } from "../core/tensor.js";
import { select } from "../data/dataset.js";
import { cleanView } from "../data/views.js";
import { imageGraph } from "../onnx/image-graph.js";
import { withWeights } from "../onnx/model.js";
import { storedBefore } from "../onnx/train-from.js";
import { storedTensors } from "../onnx/traverse.js";
import { throwIfAborted } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import type { Projection } from "../training/step-plan.js";
import { openDormancy } from "./dormancy.js";
import type { Attack, RemovalMethod, Stage } from "./method.js";
import { tune, tuningShape } from "./tuning.js";
import { type UnitLayer, unitLayers, unitMask, withoutUnits } from "./units.js";
import { percent } from "../core/percent.js";

const options = z.strictObject({
  accuracyDrop: z
    .number()
    .min(0)
    .max(1)
    .default(0.04)
    .describe("share of the held-out images that pruning may cost before tuning"),
  heldOut: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.2)
    .describe("share of the attacker's images that accuracy is watched on while pruning, at most 1000 of them"),
  ...tuningShape,
});

type FinePruningOptions = z.infer<typeof options>;

const MOST_HELD_OUT = 1000;

export const finePruning: RemovalMethod<FinePruningOptions> = {
  id: "fine-pruning",
  title: "Fine-pruning",
  summary: "Takes out units that sleep on clean images until accuracy falls, then fine-tunes; they stay out.",
  paper:
    "Liu, Dolan-Gavitt, Garg: Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural Networks. RAID 2018",
  needs: ["labelled"],
  baseline: false,
  options,
  label: () => "Fine-pruning",
  run: finePrune,
};

/** Yields the pruned model first, then each epoch of tuning. */
async function* finePrune(attack: Attack, chosen: FinePruningOptions): AsyncGenerator<Stage, void, undefined> {
  throwIfAborted(attack.signal);
  const start = performance.now();
  const layer = prunedLayer(attack);
  const gone = await sleepers(attack, layer, chosen);
  const stored = storedTensors(attack.model.graph);
  const masks = new Map<string, FloatTensor>();
  const weights = new Map<string, FloatTensor>();
  for (const { name, axis } of layer.tensors) {
    const tensor = stored.get(name);
    if (tensor?.type !== "float32") throw new Error(`the model stores no float32 tensor "${name}"`);
    masks.set(name, unitMask(tensor.dims, axis, gone));
    weights.set(name, withoutUnits(tensor, axis, gone));
  }
  const pruned = withWeights(attack.model, weights);
  yield { epoch: 1, seconds: (performance.now() - start) / 1000, model: () => pruned };

  const staysOut: Projection = (b, { name, updated }) => {
    const mask = masks.get(name);
    return mask === undefined ? updated : b.op("Mul", [updated, b.initializer(`wildmark/mask/${name}`, mask)]);
  };
  const tuned = tune({ ...attack, model: pruned }, chosen, {
    objective: crossEntropyObjective(),
    views: [cleanView],
    project: staysOut,
  });
  for await (const epoch of tuned) yield { ...epoch, epoch: epoch.epoch + 1 };
}

/**
 * The last convolution's units; without one the last hidden layer's, and where nothing hidden may change, the last
 * layer's inputs.
 */
function prunedLayer({ model, subset, trainFrom }: Attack): UnitLayer {
  const { graph, classifier } = imageGraph(model, subset.shape);
  const layers = unitLayers(graph, classifier, storedBefore(graph, trainFrom));
  const layer = layers.findLast(({ kind }) => kind === "convolution") ?? layers.at(-1);
  if (layer !== undefined) return layer;
  throw new WildmarkError("bad-model", "The model has no layer whose units could be taken out.", {
    hint: "Fine-pruning wants a convolution or a dense layer with a kernel of its own; another method may do.",
  });
}

/** The units to take out: in the order of their mean activation, as many as accuracy on held-out images bears. */
async function sleepers(attack: Attack, layer: UnitLayer, chosen: FinePruningOptions): Promise<ReadonlySet<number>> {
  const { subset, random, signal, progress } = attack;
  const order = permutation(subset.count, random.stream("held out"));
  const count = Math.min(MOST_HELD_OUT, Math.max(1, Math.round(chosen.heldOut * subset.count)));
  const rest = order.subarray(count);
  const dormancy = await openDormancy(attack, layer, {
    watched: select(subset, order.subarray(0, count)),
    seen: select(subset, rest.length > 0 ? rest : order),
  });
  try {
    const units = Array.from(dormancy.activations.keys());
    units.sort((a, b) => (dormancy.activations[a] ?? 0) - (dormancy.activations[b] ?? 0) || a - b);
    const before = await dormancy.accuracyWithout(new Set());
    let gone: ReadonlySet<number> = new Set();
    let after = before;
    for (const unit of units) {
      throwIfAborted(signal);
      const more = new Set([...gone, unit]);
      const accuracy = await dormancy.accuracyWithout(more);
      if (accuracy < before - chosen.accuracyDrop) break;
      [gone, after] = [more, accuracy];
    }
    progress?.note(
      `${gone.size} of ${layer.units} units of ${layer.weight.name} pruned: ${percent(before)} of ${count} held-out ` +
        `images right before, ${percent(after)} after`,
    );
    return gone;
  } finally {
    await dormancy.release();
  }
}
