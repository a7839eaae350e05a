/**
 * @file The built-in architectures. Some come in any width: `resnet18` is the published one, `resnet18-16` one of 16
 * channels where that has 64, so that an architecture's id says all that there is to say about it.
 */

import { defined } from "../core/defined.js";
import { WildmarkError } from "../core/errors.js";
import { type RandomStream, randomStream } from "../core/random.js";
import { elementCount } from "../core/tensor.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { findParameters } from "../onnx/parameters.js";
import type { Architecture, ArchitectureFamily, ArchitectureInput } from "./architecture.js";
import { airnet } from "./airnet.js";
import { cnn } from "./cnn.js";
import { lenet5, lenetCaffe } from "./lenet5.js";
import { resnet18 } from "./resnet18.js";
import { vgg } from "./vgg.js";

export type { Architecture } from "./architecture.js";

const families: readonly ArchitectureFamily[] = [cnn, vgg, resnet18, airnet];

/** Each once, families in their usual width. */
export const architectures: readonly Architecture[] = [
  lenet5,
  lenetCaffe,
  ...families.map((family) => ofWidth(family, family.width)),
];

const WIDEST = 1024;

/**
 * @param id such as "lenet5", "resnet18" or "resnet18-16".
 * @param width another width than the id says; only for architectures that come in several.
 * @throws WildmarkError `usage` naming the architectures there are.
 */
export function findArchitecture(id: string, width?: number): Architecture {
  if (width !== undefined) {
    const [, name = id] = /^(.+)-\d+$/.exec(id) ?? [];
    return findArchitecture(`${name}-${width}`);
  }
  const found = architectures.find((architecture) => architecture.id === id);
  if (found !== undefined) return found;
  const [, name, digits] = /^(.+)-(\d+)$/.exec(id) ?? [];
  const family = families.find((candidate) => candidate.id === name);
  const channels = Number(digits);
  if (family !== undefined && channels >= 1 && channels <= WIDEST) {
    return channels === family.width ? findArchitecture(family.id) : ofWidth(family, channels);
  }
  const wide = families.map((candidate) => candidate.id).join(", ");
  throw new WildmarkError("usage", `No architecture "${id}".`, {
    hint:
      `Choose one of: ${architectures.map((architecture) => architecture.id).join(", ")}. ` +
      `${wide} take a width from 1 to ${WIDEST}: resnet18-16.`,
  });
}

/** What experiments use unless told otherwise: the paper's LeNet-5 for grey images, a narrow ResNet-18 for colour. */
export function usualArchitecture({ channels }: Pick<ArchitectureInput, "channels">): Architecture {
  return findArchitecture(channels === 1 ? "lenet5" : "resnet18-16");
}

function ofWidth({ id, title, width, smallest, build, fromImages }: ArchitectureFamily, chosen: number): Architecture {
  const name = chosen === width ? id : `${id}-${chosen}`;
  return {
    id: name,
    title: title(chosen),
    smallest,
    width: chosen,
    build: (input, random) => build(name, chosen, input, random),
    ...defined({ fromImages }),
  };
}

/**
 * A new model with weights drawn from the "init" stream of `seed`.
 *
 * @param first gives the first images that it is to learn, at most so many, [n, C, H, W] in [0, 1], for architectures
 *   that start from them; where there are none, those are drawn too.
 */
export function newModel(
  architecture: Architecture,
  input: ArchitectureInput,
  seed: number,
  first?: (most: number) => Float32Array,
): Model {
  requireLargeEnough(architecture, input);
  const graph = architecture.build(input, randomStream(seed, "init"));
  const { fromImages } = architecture;
  const started =
    fromImages === undefined || first === undefined
      ? []
      : fromImages.weights(graph.initializers, first(fromImages.count), input);
  const initializers = new Map([...graph.initializers, ...started]);
  return decodeModel(encodeGraph({ ...graph, initializers }), architecture.id);
}

/** Number of weights that training changes: running statistics are not counted, as everywhere. */
export function parameterCount(architecture: Architecture, input: ArchitectureInput): number {
  requireLargeEnough(architecture, input);
  const graph = architecture.build(input, undrawn);
  const { trainable } = findParameters(graph, "logits");
  return trainable.reduce((sum, name) => sum + elementCount(graph.initializers.get(name)?.dims ?? [0]), 0);
}

/** Draws nothing: for whoever only wants to know how large a model is. */
const undrawn: RandomStream = { uniform: () => 0, below: () => 0, normal: () => 0, stream: () => undrawn };

function requireLargeEnough({ title, smallest }: Architecture, { height, width }: ArchitectureInput): void {
  if (Math.min(height, width) >= smallest) return;
  throw new WildmarkError(
    "bad-data",
    `${title} needs images of at least ${smallest} pixels a side; found ${height}×${width}.`,
  );
}
