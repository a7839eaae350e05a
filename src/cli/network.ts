/** @file The network of an architecture on a data set, for whoever has to see how quick it is. */

import type { Dataset } from "../data/dataset.js";
import { type Architecture, newModel } from "../models/registry.js";
import type { Network } from "./command.js";

/** With fresh weights: time does not depend on them. */
export function newNetwork({
  architecture,
  dataset,
}: {
  readonly architecture: Architecture;
  readonly dataset: { readonly train: Pick<Dataset["train"], "shape" | "classes"> };
}): Network {
  const { shape, classes } = dataset.train;
  return { model: newModel(architecture, { ...shape, classes }, 0), shape, classes };
}
