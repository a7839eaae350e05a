/**
 * @file Whether the marks of an experiment can be made of its data at all: asked before the first cell, so that a class
 * that is not there or too few images end nothing after hours.
 *
 * Each mark makes its triggers as it will later, so that whatever it refuses is refused now. Those that are made
 * against a trained model are stopped where they ask for it; what they would refuse after that shows only then.
 */

import { WildmarkError } from "../../core/errors.js";
import { randomStream } from "../../core/random.js";
import type { LabelledImages } from "../../data/dataset.js";
import type { Model } from "../../onnx/model.js";
import type { ChosenMark } from "../../watermarks/registry.js";
import { type ExperimentSpec, marksOf } from "../spec.js";
import { defined } from "../../core/defined.js";

/** A mark asked for its trained model. */
class NeedsModel extends Error {}

/**
 * @param file the spec's file, and where in it each mark stands, for messages; default: marks by their ids.
 * @throws WildmarkError `usage` that names every mark that cannot be made, and why.
 */
export async function requireMarksFit(
  spec: ExperimentSpec,
  file: { readonly name: string; readonly places: readonly string[] } = { name: "This experiment", places: [] },
): Promise<void> {
  const mistakes: string[] = [];
  for (const [i, mark] of marksOf(spec).entries()) {
    const why = await refusalOf(spec, mark);
    if (why !== undefined) mistakes.push(`${file.places[i] ?? mark.id}: ${why}`);
  }
  const { triggersPerBatch, batch } = spec.training;
  if (triggersPerBatch >= batch) {
    mistakes.push(`training: ${triggersPerBatch} triggers a batch leave no clean image in batches of ${batch}`);
  }
  const [first, ...more] = mistakes;
  if (first === undefined) return;
  const hint = `The data have ${spec.dataset.train.count} training images in ${spec.dataset.train.classes} classes.`;
  if (more.length === 0) throw new WildmarkError("usage", `${file.name}: ${first}.`, { hint });
  throw new WildmarkError("usage", `${file.name} has ${mistakes.length} mistakes:`, { hint, details: mistakes });
}

/** Why a mark cannot be made of the data; undefined where nothing is known against it. */
async function refusalOf(spec: ExperimentSpec, mark: ChosenMark): Promise<string | undefined> {
  const { dataset, unrelated, abstract, seeds } = spec;
  const { train } = dataset;
  try {
    await mark.make({
      train,
      ...defined({ unrelated, abstract }),
      random: randomStream(seeds[0] ?? 0, "mark", mark.id),
      ...(mark.startsTrained ? NO_MODEL : {}),
    });
    return undefined;
  } catch (error) {
    if (error instanceof NeedsModel) return knownRefusal(mark, train);
    if (!(error instanceof WildmarkError)) throw error;
    return error.message.replace(/\.$/, "");
  }
}

const NO_MODEL: { readonly model?: Model } = Object.defineProperty({}, "model", {
  enumerable: true,
  get: () => {
    throw new NeedsModel();
  },
});

/** What can be said of a mark's options without making it. */
function knownRefusal({ options }: ChosenMark, train: LabelledImages): string | undefined {
  const { source, target, triggers, heldOut } = options;
  for (const [name, label] of Object.entries({ source, target })) {
    if (typeof label === "number" && label >= train.classes) {
      return `the mark's ${name} class is ${label}; the data have classes 0 to ${train.classes - 1}`;
    }
  }
  if (typeof source === "number" && source === target) return `source and target class of the mark are both ${source}`;
  const needed = [triggers, heldOut].reduce<number>((sum, n) => sum + (typeof n === "number" ? n : 0), 0);
  return needed > train.count
    ? `the training set has ${train.count} images; the mark needs ${needed} (triggers and held-out)`
    : undefined;
}
