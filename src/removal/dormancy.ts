/**
 * @file Which units of a layer sleep on clean images, and what a model answers without some of them.
 *
 * What lies before the layer is computed once; only what comes after it runs again for each choice of units.
 */

import { type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import type { Images, LabelledImages } from "../data/dataset.js";
import { floats, overChunks, withOutputs } from "../data/hidden-values.js";
import { graphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { imageGraph } from "../onnx/image-graph.js";
import { tailOf } from "../onnx/tail.js";
import { createSession, type RuntimeOptions } from "../runtime/session.js";
import { activationMeans } from "./activations.js";
import type { Attack } from "./method.js";
import { type UnitLayer, unitShape } from "./units.js";

export interface Dormancy {
  /** Of each unit, the mean of its absolute activation over images and positions: of a ReLU, simply the mean. */
  readonly activations: Float64Array;
  /** Share of the watched images answered correctly with these units at zero. */
  accuracyWithout(gone: ReadonlySet<number>): Promise<number>;
  release(): Promise<void>;
}

/**
 * @param images.seen activations are taken on these
 * @param images.watched accuracy on these
 */
export async function openDormancy(
  { model, runtime = {} }: Pick<Attack, "model" | "runtime">,
  layer: UnitLayer,
  { seen, watched }: { readonly seen: Images; readonly watched: LabelledImages },
): Promise<Dormancy> {
  const { graph, classifier } = imageGraph(model, watched.shape);
  const input = classifier.input.name;
  const activations = await meanActivations(graph, input, layer, seen, runtime);
  const { nodes, beside } = tailOf(graph, layer.value);
  const kept = [layer.value, ...beside.filter((name) => name !== input)];
  const chunks: { readonly labels: Uint16Array; readonly values: ReadonlyMap<string, Tensor> }[] = [];
  await overChunks(withOutputs(graph, kept), input, watched, runtime, (values, from, count, images) => {
    const fed = beside.includes(input) ? [[input, images] as const] : [];
    chunks.push({ labels: watched.labels.slice(from, from + count), values: new Map([...values, ...fed]) });
  });

  const b = graphBuilder("tail", { from: { ...graph, inputs: [], nodes: [] } });
  for (const [name, { type, dims }] of chunks[0]?.values ?? []) {
    b.input(
      name === layer.value ? WHOLE : name,
      type,
      name === input ? (classifier.input.dims ?? dims) : dims.map(() => undefined),
    );
  }
  b.input(MASK, "float32", unitShape(layer));
  b.append({ name: "", opType: "Mul", domain: "", inputs: [WHOLE, MASK], outputs: [layer.value], attributes: {} });
  for (const node of nodes) b.append(node);
  b.output(classifier.output);
  const session = await createSession(b.build(), runtime);
  return {
    activations,
    async accuracyWithout(gone) {
      const mask = float32(
        unitShape(layer),
        Float32Array.from({ length: layer.units }, (_, unit) => (gone.has(unit) ? 0 : 1)),
      );
      let right = 0;
      for (const { labels, values } of chunks) {
        const feeds = new Map<string, Tensor>([[MASK, mask]]);
        for (const [name, tensor] of values) feeds.set(name === layer.value ? WHOLE : name, tensor);
        const scores = floats(await session.run(feeds), classifier.output);
        right += labels.reduce((sum, label, row) => sum + (largestOf(scores, row, labels.length) === label ? 1 : 0), 0);
      }
      return right / watched.count;
    },
    release: () => session.release(),
  };
}

const WHOLE = "wildmark/whole";
const MASK = "wildmark/mask";

/** Of each unit, the mean over images and positions. */
async function meanActivations(
  graph: Graph,
  input: string,
  layer: UnitLayer,
  images: Images,
  runtime: RuntimeOptions,
): Promise<Float64Array> {
  const sums = new Float64Array(layer.units);
  const [found] = await activationMeans(graph, input, [layer], images, runtime, Math.abs);
  if (found === undefined) return sums;
  found.means.forEach((mean, position) => {
    const unit = found.unitAt(position);
    sums[unit] = (sums[unit] ?? 0) + mean;
  });
  return sums.map((sum) => (sum * layer.units) / found.means.length);
}

function largestOf({ data }: FloatTensor, row: number, rows: number): number {
  const scores = data.subarray((row * data.length) / rows, ((row + 1) * data.length) / rows);
  return scores.reduce((best, score, i) => (score > (scores[best] ?? 0) ? i : best), 0);
}
