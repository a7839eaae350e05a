/**
 * @file How a key lies in a safetensors file, and the checks that a key must pass both ways.
 *
 * Tensors, U8 (labels are U16 where there are more than 256 classes): `triggers.images` [n, C, H, W], `triggers.labels`
 * [n], and where the key holds them `held_out.images`, `held_out.labels`, `placebos.images` [m, C, H, W],
 * `source_labels` [n]. The rest is metadata, all text (docs/key-format.md). Any safetensors reader can open a key;
 * nothing else of Wildmark depends on these names.
 *
 * Version 2 adds how a key was drawn (`secret`, `labelling`, `exchangeable`, `base_sha256`, …) and `class_names`. A key
 * that says neither is written as version 1, byte for byte as before.
 */

import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { decodeSafetensors, encodeSafetensors } from "../core/safetensors.js";
import type { Tensor } from "../core/tensor.js";
import { type ImageShape, imageSize, MAX_CLASSES } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { labellings } from "../watermarks/labels.js";
import { markSchemes } from "../watermarks/registry.js";
import { boundLabels, elsewhereBase, heldOutLabels, type PairedImages, secretFromHex, tossed } from "./binding.js";
import { type Key, type KeyDraw, type KeyImages, type KeyTriggers, MADE_ELSEWHERE } from "./key.js";
import { isDrawn, keyBinding } from "./key-binding.js";
import { defined } from "../core/defined.js";

const FORMAT = "wildmark-key";
/** Of keys that say nothing which version 1 has no place for. */
const [PLAIN, VERSION] = ["1", "2"] as const;

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
    const value: unknown = JSON.parse(text);
    // A name that is there twice, or spaces, would not come back as the same bytes.
    if (JSON.stringify(value) === text) return value;
  } catch {}
  context.addIssue({ code: "custom", message: "expected JSON as Wildmark writes it" });
  return z.NEVER;
});

const inOrder = (record: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(record).every((name, i, names) => i === 0 || (names[i - 1] ?? "") < name);

const shortText = z.string().min(1).max(200);

const hash = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
const yesOrNo = z.enum(["true", "false"]).transform((text) => text === "true");

/** Of drawn keys, all or none. */
const drawShape = {
  secret: hash.optional(),
  labelling: z.enum(labellings).optional(),
  exchangeable: yesOrNo.optional(),
  base_sha256: hash.optional(),
  base_count: wholeText.pipe(z.int().min(1)).optional(),
  pictures_sha256: hash.optional(),
  start_sha256: hash.optional(),
};

const metadataSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.enum([PLAIN, VERSION]),
  scheme: shortText,
  seed: wholeText,
  classes: wholeText.pipe(z.int().min(2).max(MAX_CLASSES)),
  options: jsonText.pipe(
    z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).refine(inOrder, "expected options by name"),
  ),
  model_sha256: hash,
  created_by: shortText,
  placebos_paired: yesOrNo.optional(),
  ...drawShape,
  class_names: jsonText.pipe(z.array(z.string().min(1).max(200))).optional(),
});

type Metadata = z.infer<typeof metadataSchema>;

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
    ["version", key.drawn === undefined && key.classNames === undefined ? PLAIN : VERSION],
    ["scheme", key.scheme],
    ["seed", String(key.seed)],
    ["classes", String(key.classes)],
    ["options", JSON.stringify(sortedOptions)],
    ["model_sha256", key.modelSha256],
    ["created_by", key.createdBy],
  ]);
  if (placebos !== undefined) metadata.set("placebos_paired", String(placebos.paired));
  for (const [name, value] of Object.entries(drawMetadata(key.drawn))) metadata.set(name, value);
  if (key.classNames !== undefined) metadata.set("class_names", JSON.stringify(key.classNames));

  // The reader's checks are the only ones there are: what they refuse is never written.
  requireConsistent(key, "the key to write");
  parseMetadata(metadata, "the key to write");
  return encodeSafetensors({ metadata, tensors });
}

/** @throws WildmarkError `bad-file` or `bad-key`, naming `where`. */
export function bytesToKey(bytes: Uint8Array, where: string): Key {
  const { metadata, tensors } = decodeSafetensors(bytes, where);
  const parsed = parseMetadata(metadata, where);
  const { scheme, seed, classes, options, model_sha256, created_by, placebos_paired, class_names } = parsed;
  const drawn = drawOf(parsed, where);
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
    ...defined({ drawn, classNames: class_names }),
    options,
    modelSha256: model_sha256,
    createdBy: created_by,
  };
  requireConsistent(key, where);
  return key;
}

/** How a key was drawn, as metadata. */
function drawMetadata(drawn: KeyDraw | undefined): Readonly<Record<string, string>> {
  if (drawn === undefined) return {};
  const { secret, labelling, exchangeable, base } = drawn;
  return {
    secret: Buffer.from(secret).toString("hex"),
    labelling,
    exchangeable: String(exchangeable),
    base_sha256: base.sha256,
    base_count: String(base.count),
    ...defined({ pictures_sha256: base.picturesSha256, start_sha256: base.modelSha256 }),
  };
}

function drawOf(metadata: Metadata, where: string): KeyDraw | undefined {
  const { secret, labelling, exchangeable, base_sha256, base_count, pictures_sha256, start_sha256 } = metadata;
  const parts = { secret, labelling, exchangeable, base_sha256, base_count };
  const missing = Object.entries(parts).filter(([, value]) => value === undefined);
  if (missing.length === 5 && pictures_sha256 === undefined && start_sha256 === undefined) return undefined;
  if (
    secret === undefined ||
    labelling === undefined ||
    exchangeable === undefined ||
    base_sha256 === undefined ||
    base_count === undefined
  ) {
    const names = missing.map(([name]) => name).join(", ");
    throw badKey(where, `its metadata say in part how it was drawn, and lack ${names}`);
  }
  return {
    secret: secretFromHex(secret),
    labelling,
    exchangeable,
    base: {
      sha256: base_sha256,
      count: base_count,
      ...defined({ picturesSha256: pictures_sha256, modelSha256: start_sha256 }),
    },
  };
}

function parseMetadata(metadata: ReadonlyMap<string, string>, where: string): Metadata {
  const [format, version] = [metadata.get("format"), metadata.get("version")];
  if (format !== FORMAT) {
    throw new WildmarkError("bad-key", `${where}: a safetensors file, but not a Wildmark key`, {
      hint: "a key is what `wildmark embed --key` writes",
    });
  }
  if (version !== PLAIN && version !== VERSION) {
    const found = version === undefined ? "none" : JSON.stringify(version.slice(0, 20));
    throw new WildmarkError("bad-key", `${where}: expected key format version ${PLAIN} or ${VERSION}, found ${found}`, {
      hint: "a newer Wildmark may have written it: update this one",
    });
  }
  const parsed = metadataSchema.safeParse(Object.fromEntries(metadata));
  if (parsed.success) {
    const isPlain = Object.keys({ ...drawShape, class_names: 0 }).every((name) => !metadata.has(name));
    if (isPlain === (version === PLAIN)) return parsed.data;
    throw badKey(
      where,
      `a key of format version ${version} ${isPlain ? "does not say how it was drawn" : "says how it was drawn"}`,
    );
  }
  const issue = parsed.error.issues[0];
  if (issue?.code === "unrecognized_keys") {
    throw badKey(where, `unknown metadata ${JSON.stringify(issue.keys[0]?.slice(0, 60))}`);
  }
  throw badKey(where, `metadata ${issue?.path.join(".")}: ${issue?.message}`);
}

/**
 * What must agree inside a key, whoever made it.
 *
 * @throws WildmarkError `bad-key`.
 */
export function requireConsistent(key: Key, where: string): void {
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
  const { classNames } = key;
  if (classNames !== undefined && classNames.length !== classes) {
    throw badKey(where, `it names ${classNames.length} classes of ${classes}`);
  }
  checkScheme(key, where);
  checkDraw(key, where);
  if (placebos?.paired === true && placebos.count !== triggers.count) {
    throw badKey(where, `paired placebos must be as many as the triggers, ${triggers.count}, found ${placebos.count}`);
  }
}

/** @throws WildmarkError `bad-key` for a key of a mark that is not in the registry: nobody here knows what it means. */
export function requireKnownScheme({ scheme }: Key, where: string): void {
  if (scheme === MADE_ELSEWHERE || markSchemes.some(({ id }) => id === scheme)) return;
  throw badKey(where, `there is no mark ${JSON.stringify(scheme.slice(0, 60))}`);
}

/** Options that its scheme has, and that fit what the key holds. */
function checkScheme({ scheme, options, triggers, heldOut }: Key, where: string): void {
  if (scheme === MADE_ELSEWHERE) {
    if (Object.keys(options).length === 0) return;
    throw badKey(where, `triggers that were made elsewhere have no options, found ${Object.keys(options).join(", ")}`);
  }
  const known = markSchemes.find(({ id }) => id === scheme);
  // A mark of somebody's program may be unknown here: whoever reads a file asks `requireKnownScheme`.
  if (known === undefined) return;
  const parsed = known.options.safeParse(options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw badKey(where, `options of the ${scheme} mark: ${[...(issue?.path ?? []), issue?.message].join(": ")}`);
  }
  const counts = { triggers: triggers.count, ...(heldOut === undefined ? {} : { heldOut: heldOut.count }) };
  for (const [name, count] of Object.entries(counts)) {
    const said = options[name];
    if (typeof said === "number" && said !== count) {
      throw badKey(
        where,
        `its options say ${said} ${name === "heldOut" ? "held-out triggers" : name}, it holds ${count}`,
      );
    }
  }
}

/** What a drawn key holds is what its secret gives: a label that somebody chose would be found here. */
function checkDraw(key: Key, where: string): void {
  if (!isDrawn(key)) return;
  const { drawn, shape, classes, triggers, heldOut, placebos, sourceLabels } = key;
  const size = imageSize(shape);
  const paired = placebos !== undefined && placebos.count === triggers.count;
  if (drawn.exchangeable && !(paired && placebos.paired)) {
    throw badKey(where, "a coin decided between triggers and placebos, but they are not said to be pairs");
  }
  const { binding, images: bound, content } = keyBinding(key);
  checkDeclaration(key, drawn, bound, where);
  for (let i = 0; drawn.exchangeable && paired && i < triggers.count; i++) {
    const pair = [triggers.images, placebos.images].map((images) => images.subarray(i * size, (i + 1) * size));
    const [trigger, placebo] = [pair[0] ?? new Uint8Array(), pair[1] ?? new Uint8Array()];
    if (Buffer.compare(trigger, tossed(binding, content, i, [trigger, placebo])[0]) === 0) continue;
    throw badKey(where, `the secret makes the placebo of trigger ${i} the trigger: somebody chose`);
  }
  const labels = boundLabels(binding, content, triggers.count, sourceLabels);
  const wrong = labels?.findIndex((label, i) => label !== triggers.labels[i]) ?? -1;
  if (wrong >= 0) {
    const said = `label ${wrong} is ${triggers.labels[wrong]}, the secret gives ${labels?.[wrong]}`;
    throw badKey(where, `${said}: labels or images were changed after they were drawn`);
  }
  if (heldOut === undefined) return;
  const { images, count, labels: found } = heldOut;
  const expected = heldOutLabels({ shape, classes, count, pixels: inMemory(images), labels: found }, binding);
  if (expected?.some((label, i) => label !== found[i])) {
    throw badKey(where, "the labels of its held-out triggers are not those that the secret gives");
  }
}

/** What a key says of the way it was drawn is what its scheme and options can give. */
function checkDeclaration(key: Key, { labelling, exchangeable, base }: KeyDraw, images: PairedImages, where: string) {
  const { scheme, options, shape, classes, sourceLabels, triggers } = key;
  if (labelling === "wrong" && (sourceLabels === undefined || classes < 3)) {
    throw badKey(
      where,
      "its labels cannot be drawn from the classes that are not the images' own: it does not say those",
    );
  }
  if (
    (options.labels === "target" && labelling !== "fixed") ||
    (options.labels === "random" && labelling === "fixed")
  ) {
    throw badKey(where, `with the option labels ${options.labels} no labels are ${labelling}`);
  }
  if (scheme === MADE_ELSEWHERE) {
    if (labelling !== "uniform")
      throw badKey(where, `labels of triggers made elsewhere are drawn uniform, not ${labelling}`);
    if (isDeepStrictEqual(base, elsewhereBase(images, { shape, exchangeable }))) return;
    throw badKey(where, `its base is not the hash of its ${triggers.count} images`);
  }
  const parsed = markSchemes.find(({ id }) => id === scheme)?.options.safeParse(options);
  // One text for one claim: options that are left out would mean the same under another hash.
  const left = Object.keys(parsed?.data ?? {}).filter(
    (name) => parsed?.data?.[name] !== undefined && !Object.hasOwn(options, name),
  );
  if (left.length > 0) throw badKey(where, `it does not say all options of the ${scheme} mark: ${left.join(", ")}`);
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
