/**
 * @file How a key lies in a safetensors file, and the checks that a key must pass both ways.
 *
 * Tensors, U8 (labels are U16 where there are more than 256 classes): `triggers.images` [n, C, H, W], `triggers.labels` [n], and where the key holds them
 * `held_out.images`, `held_out.labels`, `placebos.images` [m, C, H, W], `source_labels` [n]. The rest is metadata, all
 * text. Any safetensors reader can open a key; nothing else of Wildmark depends on these names.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { decodeSafetensors, encodeSafetensors } from "../core/safetensors.js";
import type { Tensor } from "../core/tensor.js";
import { type ImageShape, imageSize, MAX_CLASSES } from "../data/dataset.js";
import type { Key, KeyImages, KeyTriggers } from "./key.js";

const FORMAT = "wildmark-key";
const VERSION = "1";

const IMAGES = "triggers.images";
const LABELS = "triggers.labels";
const HELD_OUT_IMAGES = "held_out.images";
const HELD_OUT_LABELS = "held_out.labels";
const PLACEBOS = "placebos.images";
const SOURCE_LABELS = "source_labels";
const NAMES = [IMAGES, LABELS, HELD_OUT_IMAGES, HELD_OUT_LABELS, PLACEBOS, SOURCE_LABELS];

/** A whole number as `String` writes it; anything else would not come back as the same bytes. */
const wholeText = z
  .string()
  .regex(/^(0|-?[1-9]\d*)$/, "expected a whole number")
  .transform(Number)
  .pipe(z.int());

const jsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: "custom", message: "expected JSON" });
    return z.NEVER;
  }
});

const shortText = z.string().min(1).max(200);

const metadataSchema = z.object({
  scheme: shortText,
  seed: wholeText,
  classes: wholeText.pipe(z.int().min(2).max(MAX_CLASSES)),
  options: jsonText.pipe(z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))),
  model_sha256: z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits"),
  created_by: shortText,
  placebos_paired: z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .optional(),
});

/** @throws WildmarkError `bad-key` when the key contradicts itself. */
export function keyToBytes(key: Key): Uint8Array {
  const { shape, classes, triggers, heldOut, placebos, sourceLabels } = key;
  const tensors = new Map<string, Tensor>([
    [IMAGES, imageTensor(triggers, shape)],
    [LABELS, labelTensor(triggers.labels, classes)],
  ]);
  if (heldOut !== undefined) {
    tensors.set(HELD_OUT_IMAGES, imageTensor(heldOut, shape));
    tensors.set(HELD_OUT_LABELS, labelTensor(heldOut.labels, classes));
  }
  if (placebos !== undefined) tensors.set(PLACEBOS, imageTensor(placebos, shape));
  if (sourceLabels !== undefined) tensors.set(SOURCE_LABELS, labelTensor(sourceLabels, classes));

  const sortedOptions = Object.fromEntries(Object.entries(key.options).sort(([a], [b]) => (a < b ? -1 : 1)));
  const metadata = new Map([
    ["format", FORMAT],
    ["version", VERSION],
    ["scheme", key.scheme],
    ["seed", String(key.seed)],
    ["classes", String(key.classes)],
    ["options", JSON.stringify(sortedOptions)],
    ["model_sha256", key.modelSha256],
    ["created_by", key.createdBy],
  ]);
  if (placebos !== undefined) metadata.set("placebos_paired", String(placebos.paired));

  // The reader's checks are the only ones there are: what they refuse is never written.
  checkKey(key, "the key to write");
  parseMetadata(metadata, "the key to write");
  return encodeSafetensors({ metadata, tensors });
}

/** @throws WildmarkError `bad-file` or `bad-key`, naming `where`. */
export function bytesToKey(bytes: Uint8Array, where: string): Key {
  const { metadata, tensors } = decodeSafetensors(bytes, where);
  const { scheme, seed, classes, options, model_sha256, created_by, placebos_paired } = parseMetadata(metadata, where);
  for (const name of tensors.keys()) {
    if (!NAMES.includes(name))
      throw badKey(where, `it holds an unexpected tensor ${JSON.stringify(name.slice(0, 60))}`);
  }
  const { shape, ...triggerImages } = readImages(tensors, IMAGES, where);
  const triggers: KeyTriggers = { ...triggerImages, labels: readLabels(tensors, LABELS, classes, where) };

  const other = (name: string): KeyImages => {
    const { shape: found, ...images } = readImages(tensors, name, where);
    if (describe(found) === describe(shape)) return images;
    throw badKey(where, `${name} are ${describe(found)}, the triggers ${describe(shape)}`);
  };
  if (tensors.has(HELD_OUT_IMAGES) !== tensors.has(HELD_OUT_LABELS)) {
    throw badKey(where, `${HELD_OUT_IMAGES} and ${HELD_OUT_LABELS} must come together`);
  }
  if (tensors.has(PLACEBOS) !== (placebos_paired !== undefined)) {
    throw badKey(where, `${PLACEBOS} and the metadata placebos_paired must come together`);
  }
  const key: Key = {
    scheme,
    seed,
    classes,
    shape,
    triggers,
    heldOut: tensors.has(HELD_OUT_IMAGES)
      ? { ...other(HELD_OUT_IMAGES), labels: readLabels(tensors, HELD_OUT_LABELS, classes, where) }
      : undefined,
    placebos: placebos_paired === undefined ? undefined : { ...other(PLACEBOS), paired: placebos_paired },
    sourceLabels: tensors.has(SOURCE_LABELS) ? readLabels(tensors, SOURCE_LABELS, classes, where) : undefined,
    options,
    modelSha256: model_sha256,
    createdBy: created_by,
  };
  checkKey(key, where);
  return key;
}

function parseMetadata(metadata: ReadonlyMap<string, string>, where: string): z.infer<typeof metadataSchema> {
  const [format, version] = [metadata.get("format"), metadata.get("version")];
  if (format !== FORMAT) {
    throw new WildmarkError("bad-key", `${where}: a safetensors file, but not a Wildmark key`, {
      hint: "a key is what `wildmark embed --key` writes",
    });
  }
  if (version !== VERSION) {
    const found = version === undefined ? "none" : JSON.stringify(version.slice(0, 20));
    throw new WildmarkError("bad-key", `${where}: expected key format version ${VERSION}, found ${found}`, {
      hint: "a newer Wildmark may have written it: update this one",
    });
  }
  const parsed = metadataSchema.safeParse(Object.fromEntries(metadata));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw badKey(where, `metadata ${issue?.path.join(".")}: ${issue?.message}`);
}

/** What must agree inside a key, whoever made it. */
function checkKey(key: Key, where: string): void {
  const { shape, classes, triggers, heldOut, placebos, sourceLabels } = key;
  if (triggers.count < 1) throw badKey(where, "it holds no triggers");
  const size = imageSize(shape);
  if (!(Number.isSafeInteger(size) && size > 0)) throw badKey(where, `images of ${describe(shape)} are no images`);
  const sets = { triggers, "held-out triggers": heldOut, placebos };
  for (const [name, set] of Object.entries(sets)) {
    if (set !== undefined && set.images.length !== set.count * size) {
      throw badKey(
        where,
        `${set.count} ${name} of ${describe(shape)} take ${set.count * size} bytes, found ${set.images.length}`,
      );
    }
  }
  checkLabels(triggers.labels, triggers.count, classes, "triggers", where);
  if (heldOut !== undefined) checkLabels(heldOut.labels, heldOut.count, classes, "held-out triggers", where);
  if (sourceLabels !== undefined) checkLabels(sourceLabels, triggers.count, classes, "source labels", where);
  if (placebos?.paired === true && placebos.count !== triggers.count) {
    throw badKey(where, `paired placebos must be as many as the triggers, ${triggers.count}, found ${placebos.count}`);
  }
}

function checkLabels(labels: Uint16Array, count: number, classes: number, name: string, where: string): void {
  if (labels.length !== count) throw badKey(where, `expected ${count} labels for the ${name}, found ${labels.length}`);
  const stray = labels.findIndex((label) => label >= classes);
  if (stray < 0) return;
  throw badKey(where, `label ${stray} of the ${name} is ${labels[stray]}, expected one of 0 to ${classes - 1}`);
}

function imageTensor({ images, count }: KeyImages, { channels, height, width }: ImageShape): Tensor {
  return { type: "uint8", dims: [count, channels, height, width], data: images };
}

function labelTensor(labels: Uint16Array, classes: number): Tensor {
  const dims = [labels.length];
  return classes <= 256
    ? { type: "uint8", dims, data: Uint8Array.from(labels) }
    : { type: "uint16", dims, data: labels };
}

function readImages(
  tensors: ReadonlyMap<string, Tensor>,
  name: string,
  where: string,
): KeyImages & { readonly shape: ImageShape } {
  const tensor = tensors.get(name);
  const [count, channels, height, width] = tensor?.dims ?? [];
  if (
    tensor?.type !== "uint8" ||
    tensor.dims.length !== 4 ||
    count === undefined ||
    channels === undefined ||
    height === undefined ||
    width === undefined
  ) {
    throw badKey(where, `expected ${name} as U8 images [count, channels, height, width], found ${found(tensor)}`);
  }
  return { images: tensor.data, count, shape: { channels, height, width } };
}

function readLabels(tensors: ReadonlyMap<string, Tensor>, name: string, classes: number, where: string): Uint16Array {
  const tensor = tensors.get(name);
  // One form for each number of classes, so that equal keys have equal bytes.
  const type = classes <= 256 ? "uint8" : "uint16";
  if (tensor?.type === type && tensor.dims.length === 1) return Uint16Array.from(tensor.data);
  throw badKey(where, `expected ${name} as ${type === "uint8" ? "U8" : "U16"} labels [count], found ${found(tensor)}`);
}

function found(tensor: Tensor | undefined): string {
  return tensor === undefined ? "none" : `${tensor.type} [${tensor.dims.join(", ")}]`;
}

function describe({ channels, height, width }: ImageShape): string {
  return `${channels}x${height}x${width}`;
}

function badKey(where: string, what: string): WildmarkError {
  return new WildmarkError("bad-key", `${where}: not a sound key: ${what}`, {
    hint: "use the key file that `wildmark embed` wrote for this mark",
  });
}
