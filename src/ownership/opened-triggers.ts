/**
 * @file Single triggers of a committed key, opened while the rest stays secret: a document that anybody can hold
 * against the commitment, and ask a suspect with.
 *
 * What it shows is of the weaker kind. That labels were drawn, and not chosen, only the secret shows, which is not
 * here. And whoever chooses which triggers are opened can choose those that the suspect happens to answer so: unless
 * the judge chose them, each trigger that stays closed counts as a miss.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { binomialTail } from "../core/statistics.js";
import { imageSize, type Images, type ImageShape, MAX_CLASSES } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { commitToKey, commitToRoot, hexBytes } from "./commitment.js";
import { decodeKey } from "./key-file.js";
import { keyTree, type TriggerLeaf, triggerLeafHash } from "./key-tree.js";
import { rootOfPath } from "./merkle.js";
import type { SuspectAnswers } from "./suspect.js";

const hex = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
const side = z.int().min(1).max(0xffff_ffff);

export const openedSchema = z.strictObject({
  format: z.literal("wildmark-opened-triggers"),
  version: z.literal(1),
  commitment: hex,
  salt: hex,
  /** How many triggers the key has. */
  triggers: z.int().min(1).max(0xffff_ffff),
  classes: z.int().min(2).max(MAX_CLASSES),
  /** [C, H, W] */
  shape: z.tuple([side, side, side]),
  opened: z
    .array(
      z.strictObject({
        /** Which trigger of the key, from 0. */
        index: z.int().min(0),
        label: z.int().min(0),
        nonce: hex,
        /** C·H·W bytes in base64. */
        image: z.base64(),
        /** Hashes beside the way from the leaf to the root, lowest first. */
        path: z.array(hex).max(64),
      }),
    )
    .min(1),
});

export type OpenedDocument = z.infer<typeof openedSchema>;

/** Triggers that were held against their commitment. */
export interface OpenedTriggers {
  readonly commitment: string;
  readonly triggers: number;
  readonly classes: number;
  readonly indices: readonly number[];
  readonly labels: Uint16Array;
  readonly images: Images;
}

/**
 * Opens some triggers of a drawn key.
 *
 * @param keyBytes the key's file.
 * @param salt that of its commitment, 64 hexadecimal digits.
 * @throws WildmarkError `bad-key` for a key that was not drawn; `usage` for a trigger that there is not, or twice, or a
 *   salt that is none.
 */
export function openTriggers(
  keyBytes: Uint8Array,
  indices: readonly number[],
  salt: string,
  where: string,
): OpenedDocument {
  const key = decodeKey(keyBytes, where);
  const tree = keyTree(key, keyBytes);
  if (tree === undefined) {
    throw new WildmarkError(
      "bad-key",
      `${where}: triggers can be opened singly of keys that were drawn from a secret`,
      {
        hint: "The commitment to this key is to its file as a whole: hand that over.",
      },
    );
  }
  const { count } = key.triggers;
  const wrong = indices.find(
    (index, i) => !(index >= 0 && index < count && Number.isInteger(index)) || indices.indexOf(index) < i,
  );
  if (wrong !== undefined || indices.length === 0) {
    throw new WildmarkError(
      "usage",
      `Expected some of the triggers 0 to ${count - 1}, each once; found ${wrong ?? "none"}.`,
    );
  }
  const { channels, height, width } = key.shape;
  return {
    format: "wildmark-opened-triggers",
    version: 1,
    ...commitToKey(keyBytes, hexBytes("salt", salt)),
    triggers: count,
    classes: key.classes,
    shape: [channels, height, width],
    opened: indices.map((index) => {
      const { label, nonce, image } = tree.leaf(index);
      return {
        index,
        label,
        nonce: hexOf(nonce),
        image: Buffer.from(image).toString("base64"),
        path: tree.path(index).map(hexOf),
      };
    }),
  };
}

/**
 * Holds opened triggers against a published commitment.
 *
 * @param text of the document.
 * @throws WildmarkError `bad-file` where it is no such document; `bad-key` where a trigger is not among what was
 *   committed to.
 */
export function requireOpened(text: string, commitment: string, where: string): OpenedTriggers {
  const document = parse(text, where);
  const expected = hexBytes("commitment", commitment).toString("hex");
  const { triggers, classes, opened } = document;
  const [channels, height, width] = document.shape;
  const shape: ImageShape = { channels, height, width };
  const size = imageSize(shape);
  const seen = new Set<number>();
  const images = opened.map(({ index, label, nonce, image, path }) => {
    const pixels = new Uint8Array(Buffer.from(image, "base64"));
    const refuse = (why: string) => new WildmarkError("bad-key", `${where}: trigger ${index} ${why}`);
    if (pixels.length !== size) throw refuse(`has ${pixels.length} pixels, expected ${size}`);
    if (index >= triggers) throw refuse(`is none of ${triggers}`);
    if (label >= classes) throw refuse(`has the label ${label}, expected one of 0 to ${classes - 1}`);
    if (seen.has(index)) throw refuse("is there twice");
    seen.add(index);
    const leaf: TriggerLeaf = {
      index,
      triggers,
      classes,
      label,
      shape,
      nonce: Buffer.from(nonce, "hex"),
      image: pixels,
    };
    const root = rootOfPath(
      triggerLeafHash(leaf),
      index + 1,
      triggers + 1,
      path.map((each) => Buffer.from(each, "hex")),
    );
    if (root === undefined || commitToRoot(root, Buffer.from(document.salt, "hex")) !== expected) {
      throw refuse(`is not what was committed to with ${expected}`);
    }
    return pixels;
  });
  return {
    commitment: expected,
    triggers,
    classes,
    indices: opened.map(({ index }) => index),
    labels: Uint16Array.from(opened, ({ label }) => label),
    images: { shape, count: images.length, pixels: inMemory(new Uint8Array(Buffer.concat(images))) },
  };
}

function parse(text: string, where: string): OpenedDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new WildmarkError("bad-file", `${where} is no JSON document`, { hint: HINT, cause });
  }
  const parsed = openedSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new WildmarkError("bad-file", `${where}: ${issue?.path.join(".") || "document"}: ${issue?.message}`, {
    hint: HINT,
  });
}

const HINT = "Give what `wildmark key open` wrote.";

/** How a suspect answers opened triggers, and what that is worth if the labels were drawn. */
export interface OpenedEvidence {
  readonly matches: number;
  readonly opened: number;
  readonly triggers: number;
  /** The chance of each match that knows nothing of the key. */
  readonly chance: number;
  /** p-value where the judge chose which triggers to open, before he knew the suspect's answers. */
  readonly pValueIfJudgeChose: number;
  /** The same where the owner chose: those that stayed closed count as misses. */
  readonly pValueIfOwnerChose: number;
}

export function openedEvidence({ labels, triggers, classes }: OpenedTriggers, answers: SuspectAnswers): OpenedEvidence {
  const matches = labels.reduce((sum, label, i) => sum + (answers[i] === label ? 1 : 0), 0);
  // Labels are drawn from all classes, or from those that are not the image's own: the leaves do not say which.
  const chance = 1 / Math.max(2, classes - 1);
  return {
    matches,
    opened: labels.length,
    triggers,
    chance,
    pValueIfJudgeChose: binomialTail(matches, labels.length, chance),
    pValueIfOwnerChose: binomialTail(matches, triggers, chance),
  };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
