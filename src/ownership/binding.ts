/**
 * @file Labels and coins that follow from the owner's secret *and* from the images they belong to, so that nobody chose
 * them.
 *
 * Whoever claims a model brings the images, and may have looked for such as the model answers in a certain way (natural
 * ones, adversarial ones, another owner's). So an image proves nothing. A label does that was drawn after the images
 * were fixed: for each suspect that does not know it, whatever it answers, label i is hit with probability 1/K. Here
 *
 *     label i = draw(HMAC-SHA256(secret, "label" ‖ H ‖ i)),   H = SHA-256(what the key says of itself ‖ its images)
 *
 * with rejection sampling, over all classes or over those that are not the image's own. Change one pixel of one image,
 * and all labels are drawn anew. In the same way a coin decides, where trigger and placebo were made alike, which of
 * the two is the trigger; the two are exchangeable then for every suspect, and the comparison of both is exact.
 *
 * What is left to a forger is trying many secrets: `--tries-log2` puts their number into the p-value. (Verifiable
 * generation against the false claims of Liu et al., USENIX Security 2024; binding labels to images by a hash, as ours,
 * goes back to Zhu et al., EURASIP JIVP 2020, and Adi et al., USENIX Security 2018, section 5.)
 */

import { createHash, createHmac } from "node:crypto";
import { WildmarkError } from "../core/errors.js";
import { copyPixels, type ImageShape, imageSize, type LabelledImages } from "../data/dataset.js";
import type { Labelling } from "../watermarks/labels.js";
import type { KeyBase } from "./key.js";

export const SECRET_BYTES = 32;

/** Images of a key, as its file holds them. */
export interface PairedImages {
  /** [n, C, H, W], 0..255 */
  readonly triggers: Uint8Array;
  /** As many, where there are any. */
  readonly placebos: Uint8Array | undefined;
  /** Classes of the images that the triggers were made from, where they have one. */
  readonly own: Uint16Array | undefined;
  /** Of the triggers; bound only where they are chosen, since else they follow from all the rest. */
  readonly labels: Uint16Array | undefined;
}

export interface Binding {
  readonly secret: Uint8Array;
  /** What the key says of itself: scheme, options, base data. */
  readonly spec: string;
  readonly shape: ImageShape;
  readonly classes: number;
  readonly labelling: Labelling;
  /** Whether a coin decides between trigger and placebo. */
  readonly exchangeable: boolean;
}

/**
 * SHA-256 over all that labels and coins are bound to; the same whichever of a pair is the trigger.
 *
 * Chosen labels are among it: who could choose them after the coins fell would give each trigger the suspect's answer.
 */
export function contentHash(
  { spec, shape, labelling, exchangeable }: Omit<Binding, "secret" | "classes">,
  { triggers, placebos, own, labels }: PairedImages,
): Buffer {
  const size = imageSize(shape);
  const count = triggers.length / size;
  const hash = createHash("sha256").update(`wildmark key content 1\n${Buffer.byteLength(spec)}\n${spec}\n${count}\n`);
  hash.update(labelling === "fixed" ? `labels fixed ${labels?.join() ?? "unknown"}\n` : `labels ${labelling}\n`);
  hash.update(own === undefined ? "no classes\n" : `classes ${own.join()}\n`);
  hash.update(placebos === undefined ? "no placebos\n" : exchangeable ? "coins\n" : "placebos\n");
  for (let i = 0; i < count; i++) {
    const trigger = triggers.subarray(i * size, (i + 1) * size);
    const placebo = placebos?.subarray(i * size, (i + 1) * size);
    if (placebo === undefined) hash.update(trigger);
    else for (const image of exchangeable ? sorted(trigger, placebo) : [trigger, placebo]) hash.update(image);
  }
  return hash.digest();
}

/** What stands for the base data of triggers that were made elsewhere: the images themselves. */
export function elsewhereBase(images: PairedImages, { shape, exchangeable }: Pick<Binding, "shape" | "exchangeable">) {
  const spec = `made elsewhere ${shape.channels}x${shape.height}x${shape.width}`;
  const hash = contentHash({ spec, shape, exchangeable, labelling: "uniform" }, images);
  return { sha256: hash.toString("hex"), count: images.triggers.length / imageSize(shape) } satisfies KeyBase;
}

/** The labels that the secret gives `count` images with this content; none where labels are chosen. */
export function boundLabels(
  { secret, classes, labelling }: Binding,
  content: Buffer,
  count: number,
  own: Uint16Array | undefined,
  kind: "trigger" | "held out" = "trigger",
): Uint16Array | undefined {
  if (labelling === "fixed") return undefined;
  return Uint16Array.from({ length: count }, (_, i) => {
    const draw = words(secret, `label of ${kind}`, content, i);
    if (labelling === "uniform") return below(draw, classes);
    const label = below(draw, classes - 1);
    return label < (own?.[i] ?? classes) ? label : label + 1;
  });
}

/** Held-out triggers are bound by themselves: without classes of their own, which the key does not hold. */
export function heldOutLabels(heldOut: LabelledImages, binding: Binding): Uint16Array | undefined {
  if (binding.labelling === "fixed") return undefined;
  const uniform: Binding = { ...binding, labelling: "uniform", exchangeable: false };
  const images = { triggers: copyPixels(heldOut), placebos: undefined, own: undefined, labels: undefined };
  const content = contentHash(uniform, images);
  return boundLabels(uniform, content, heldOut.count, undefined, "held out");
}

/** Whether the second one of pair i, in the order of their bytes, is the trigger. */
export function boundCoin({ secret }: Binding, content: Buffer, i: number): boolean {
  return below(words(secret, "coin", content, i), 2) === 1;
}

/** The two images with the one first that the coin makes the trigger. */
export function tossed(binding: Binding, content: Buffer, i: number, pair: readonly [Uint8Array, Uint8Array]) {
  const [low, high] = sorted(...pair);
  return boundCoin(binding, content, i) ? ([high, low] as const) : ([low, high] as const);
}

/** Exchanges trigger and placebo of the pairs where the coin says so, in place. */
export function toss(
  { triggers, placebos }: { readonly triggers: Uint8Array; readonly placebos: Uint8Array },
  binding: Binding,
  content: Buffer,
): void {
  const size = imageSize(binding.shape);
  for (let i = 0; i * size < triggers.length; i++) {
    const [one, other] = [triggers.subarray(i * size, (i + 1) * size), placebos.subarray(i * size, (i + 1) * size)];
    const [trigger, placebo] = tossed(binding, content, i, [one.slice(), other.slice()]);
    one.set(trigger);
    other.set(placebo);
  }
}

/**
 * Pairs of images of `size` bytes, one pair after the other, each in the order of its bytes: the same however coins
 * fell.
 */
export function tossRows(triggers: Uint8Array, placebos: Uint8Array, size: number): Uint8Array {
  const rows = new Uint8Array(2 * triggers.length);
  for (let at = 0; at < triggers.length; at += size) {
    const [low, high] = sorted(triggers.subarray(at, at + size), placebos.subarray(at, at + size));
    rows.set(low, 2 * at);
    rows.set(high, 2 * at + size);
  }
  return rows;
}

function sorted(a: Uint8Array, b: Uint8Array): readonly [Uint8Array, Uint8Array] {
  return Buffer.compare(a, b) <= 0 ? [a, b] : [b, a];
}

/** 32 bytes that hide a leaf of the key's commitment (`key-tree.ts`) until it is opened. */
export function nonceOf({ secret }: Binding, content: Buffer, leaf: "key" | "trigger", i: number): Buffer {
  return hmac(secret, `nonce of ${leaf}`, content, i, 0);
}

/** Hex digits that tell keys apart by all that their labels follow from. */
export function identityOf({ secret }: Binding, content: Buffer): string {
  return hmac(secret, "identity of key", content, 0, 0).toString("hex");
}

function hmac(secret: Uint8Array, what: string, content: Buffer, i: number, block: number): Buffer {
  return createHmac("sha256", secret).update(`${what}\n${i}\n${block}\n`).update(content).digest();
}

/** 32-bit words without end. */
function* words(secret: Uint8Array, what: string, content: Buffer, i: number): Generator<number, never> {
  for (let block = 0; ; block++) {
    const digest = hmac(secret, what, content, i, block);
    for (let at = 0; at < digest.length; at += 4) yield digest.readUInt32LE(at);
  }
}

/** Uniform in [0, n): words that would favour some values are left out. */
function below(draw: Generator<number, never>, n: number): number {
  const limit = 2 ** 32 - (2 ** 32 % n);
  for (;;) {
    const word = draw.next().value;
    if (word < limit) return word % n;
  }
}

/** @throws WildmarkError `usage` unless the text is 64 hexadecimal digits. */
export function secretFromHex(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(text)) return new Uint8Array(Buffer.from(text, "hex"));
  throw new WildmarkError("usage", `A secret is ${2 * SECRET_BYTES} hexadecimal digits, found "${text.slice(0, 20)}".`);
}

/** The secret of a key that was asked for by a seed: for tests and repetitions, since seeds can be tried out. */
export function secretOfSeed(seed: number): Uint8Array {
  return new Uint8Array(createHash("sha256").update(`wildmark secret of seed ${seed}`).digest());
}
