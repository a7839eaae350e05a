/**
 * @file How each architecture is trained from scratch unless told otherwise.
 *
 * LeNet-5 keeps the plain recipe that the MNIST experiments are published with. Networks with batch normalisation get
 * what short training on CIFAR-10 is known to want (Page, "How to Train Your ResNet", 2018): one cycle with Nesterov
 * momentum, augmentation, smoothed labels, weight decay on kernels only.
 */

import type { Architecture } from "./registry.js";

/**
 * What is done to clean images while training (`data/augment.ts`). `shift-alternate` mirrors every image every other
 * epoch. `auto` is crop-flip-cutout for colour, which is
 * photographs, and shift for grey, which is writing and does not mean the same mirrored.
 */
export const augmentations = ["none", "shift", "shift-alternate", "crop-flip", "crop-flip-cutout", "auto"] as const;

export type Augmentation = (typeof augmentations)[number];

/** Defaults of training options. */
export interface Recipe {
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly schedule: string;
  readonly weightDecay: number;
  readonly decayOn: "all" | "kernels";
  /** Default: 0.9. */
  readonly momentum?: number;
  readonly nesterov: boolean;
  readonly labelSmoothing: number;
  readonly augment: Augmentation;
  /** Default: sgd. */
  readonly optimizer?: string;
  /** Rates of some weights (`training/weight-rules.ts`). */
  readonly rates?: string;
  /** Weights that stay, from the start or after some epochs. */
  readonly freeze?: string;
  /** Default: the model is what the last step leaves. */
  readonly average?: string;
}

export const plainRecipe: Recipe = {
  epochs: 8,
  batch: 128,
  learningRate: 0.05,
  schedule: "one-cycle",
  weightDecay: 5e-4,
  decayOn: "all",
  nesterov: false,
  labelSmoothing: 0,
  augment: "none",
};

const normalised: Recipe = {
  epochs: 20,
  batch: 128,
  learningRate: 0.1,
  schedule: "one-cycle:0.2",
  weightDecay: 5e-4,
  decayOn: "kernels",
  nesterov: true,
  labelSmoothing: 0.1,
  augment: "auto",
};

/**
 * airbench94_muon's numbers (Jordan 2024), for the mean of a batch of 500 where that has the sum over one of 2,000:
 * rates of biases and head in proportion, that of kernels by the root of the batch.
 */
const airbench: Recipe = {
  epochs: 8,
  batch: 500,
  learningRate: 26.5,
  schedule: "triangle",
  weightDecay: 3.8e-5,
  decayOn: "all",
  momentum: 0.85,
  nesterov: true,
  labelSmoothing: 0.2,
  augment: "shift-alternate",
  optimizer: "muon-unit:0.6:3",
  rates: "kernels=0.12,head=335",
  freeze: "whiten.weight,*.norm*.weight,whiten.bias@3",
};

const recipes: Readonly<Record<string, Recipe>> = {
  resnet18: normalised,
  vgg: normalised,
  airnet: airbench,
  cnn: { ...plainRecipe, epochs: 20, learningRate: 0.02, nesterov: true, augment: "auto" },
};

/** The recipe of an architecture, whatever its width. */
export function recipeFor({ id }: Architecture): Recipe {
  return recipes[id.replace(/-\d+$/, "")] ?? plainRecipe;
}
