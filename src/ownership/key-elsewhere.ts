/**
 * @file Keys of triggers that were made elsewhere: somebody's pictures, with labels that are drawn here or that
 * somebody chose.
 *
 * Drawn labels are bound to the pictures as those of every drawn key are (`binding.ts`), so that such a key is evidence
 * of the strong kind although nobody knows where the pictures come from: whoever looks for pictures that a suspect
 * answers in a certain way still does not choose what the answers have to be. Chosen labels are evidence of the weaker
 * kind.
 */

import { WildmarkError } from "../core/errors.js";
import { describeShape } from "../core/image.js";
import { WILDMARK_VERSION } from "../core/version.js";
import { copyPixels, type Images } from "../data/dataset.js";
import { type Binding, boundLabels, contentHash, elsewhereBase, toss } from "./binding.js";
import { newSecret } from "./draw-key.js";
import { type Key, type KeyPlacebos, MADE_ELSEWHERE, NO_MODEL } from "./key.js";
import { requireConsistent } from "./key-format.js";
import { specText } from "./key-spec.js";
import { defined } from "../core/defined.js";

interface Elsewhere {
  readonly triggers: Images;
  /** Other images of the same kind and shape, which are not trained on. */
  readonly placebos?: Images;
  /** 2 … 65,536. */
  readonly classes: number;
  /** In the order of the labels. */
  readonly classNames?: readonly string[];
  /** Hex SHA-256 of the marked model's file, where there is one already. */
  readonly modelSha256?: string;
}

/** Labels are somebody's choice. */
export interface ChosenElsewhere extends Elsewhere {
  /** One for each trigger. */
  readonly labels: Uint16Array;
}

/** Labels are drawn: the key comes first, and the model is trained on it. */
export interface DrawnElsewhere extends Elsewhere {
  /**
   * Whether trigger i and placebo i were made alike. A coin then decides which of the two is the trigger: **the key's
   * triggers are other images than were given**, and those are to be trained on. Default false.
   */
  readonly exchangeable?: boolean;
  /** 32 bytes; fresh by default. */
  readonly secret?: Uint8Array;
}

/**
 * @throws WildmarkError `bad-data` where placebos have another shape, or are not as many where coins are to fall;
 *   `bad-key` where labels, classes or names contradict each other.
 */
export function makeKeyElsewhere(parts: ChosenElsewhere | DrawnElsewhere): Key {
  const { placebos, triggers } = parts;
  if (placebos !== undefined && describeShape(placebos.shape) !== describeShape(triggers.shape)) {
    throw new WildmarkError(
      "bad-data",
      `The placebos are ${describeShape(placebos.shape)}, the triggers ${describeShape(triggers.shape)}.`,
      { hint: "Give images of one size and with the same channels." },
    );
  }
  const key = "labels" in parts ? chosen(parts) : drawn(parts);
  requireConsistent(key, "the new key");
  return key;
}

function chosen(parts: ChosenElsewhere): Key {
  const images = imagesOf(parts);
  return { ...common(parts, images), triggers: { ...triggersOf(parts, images), labels: parts.labels } };
}

function drawn(parts: DrawnElsewhere): Key {
  const { triggers, placebos, classes, classNames, exchangeable = false, secret = newSecret() } = parts;
  const { shape, count } = triggers;
  const images = imagesOf(parts);
  const paired = placebos !== undefined && placebos.count === count;
  if (exchangeable && !(paired && images.placebos !== undefined)) {
    throw new WildmarkError(
      "bad-data",
      `For a coin to decide between trigger and placebo there must be one placebo for each of ${count} ` +
        `triggers, found ${placebos?.count ?? 0}.`,
      { hint: "Give as many placebos, or do without the coins." },
    );
  }
  const bound = { ...images, placebos: paired ? images.placebos : undefined, own: undefined, labels: undefined };
  const base = elsewhereBase(bound, { shape, exchangeable });
  const spec = specText({ scheme: MADE_ELSEWHERE, options: {}, classes, classNames, shape, base });
  const binding: Binding = { secret, spec, shape, classes, labelling: "uniform", exchangeable };
  const content = contentHash(binding, bound);
  if (exchangeable && images.placebos !== undefined) toss({ ...images, placebos: images.placebos }, binding, content);
  const labels = boundLabels(binding, content, count, undefined) ?? new Uint16Array(count);
  const made = common(parts, images);
  return {
    ...made,
    placebos: made.placebos && { ...made.placebos, paired: exchangeable },
    triggers: { ...triggersOf(parts, images), labels },
    drawn: { secret, labelling: "uniform", exchangeable, base },
  };
}

interface OwnImages {
  readonly triggers: Uint8Array;
  readonly placebos: Uint8Array | undefined;
}

function imagesOf({ triggers, placebos }: Elsewhere): OwnImages {
  return { triggers: copyPixels(triggers), placebos: placebos && copyPixels(placebos) };
}

function triggersOf({ triggers }: Elsewhere, images: OwnImages) {
  return { images: images.triggers, count: triggers.count };
}

function common(parts: Elsewhere, images: OwnImages): Omit<Key, "triggers"> {
  const { triggers, placebos, classes, classNames, modelSha256 = NO_MODEL } = parts;
  const beside: KeyPlacebos | undefined =
    placebos === undefined || images.placebos === undefined
      ? undefined
      : { images: images.placebos, count: placebos.count, paired: false };
  return {
    scheme: MADE_ELSEWHERE,
    seed: 0,
    classes,
    shape: triggers.shape,
    heldOut: undefined,
    placebos: beside,
    sourceLabels: undefined,
    ...defined({ classNames }),
    options: {},
    modelSha256,
    createdBy: `wildmark ${WILDMARK_VERSION}`,
  };
}
