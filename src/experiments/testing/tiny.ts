/** @file A whole experiment of a second: tiny network, tiny images, every kind of cell. */

import { makeDataset } from "../../data/dataset.js";
import type { Architecture } from "../../models/registry.js";
import { findMethod } from "../../removal/registry.js";
import { tinyImages, tinyModel } from "../../training/testing/tiny.js";
import { embedFromScratchOptions } from "../../watermarks/embed.js";
import { findMark } from "../../watermarks/registry.js";
import type { ExperimentSpec } from "../spec.js";

/** Wide enough for the stamp. */
const images = { side: 20, classes: 8 } as const;

export const tinyDataset = makeDataset({
  id: "tiny",
  title: "Tiny bands",
  train: tinyImages(240, images),
  test: tinyImages(40, { ...images, seed: 1 }),
});

export const tinyArchitecture: Architecture = {
  id: "tiny",
  title: "Tiny network",
  smallest: 8,
  build: ({ channels, height, classes }, random) =>
    tinyModel({ channels, side: height, classes, seed: random.below(1_000_000) }).graph,
};

const few = { triggers: 8, heldOut: 4 };

/** Two marks, two removers: one null model, and two times a marked model, its key's check and two attacks. */
export function tinySpec(changes: Partial<ExperimentSpec> = {}): ExperimentSpec {
  const { seeds = [0] } = changes;
  const marks = ["content", "unrelated"].map((id) => findMark(id).choose({ ...findMark(id).published, ...few }));
  const methods = [
    findMethod("wild").choose({ epochs: 2, batch: 16 }),
    findMethod("fine-tune").choose({ epochs: 1, batch: 16 }),
  ];
  return {
    statement: "reproduce",
    title: "Tiny",
    dataset: tinyDataset,
    unrelated: tinyImages(40, { ...images, seed: 2 }),
    architecture: tinyArchitecture,
    training: embedFromScratchOptions.parse({ epochs: 2, batch: 32 }),
    // One class for all is learnt in a moment.
    subjects: marks.map((mark) => ({ kind: "made", name: mark.title, mark })),
    removers: methods.map((chosen) => ({ name: chosen.label, chosen })),
    budgets: [0.25],
    seeds,
    nullModels: seeds,
    decision: { alpha: 0.05, acceptableDrop: 0.02 },
    observe: { everyEpoch: true, pictures: true, reactivation: null },
    ...changes,
  };
}
