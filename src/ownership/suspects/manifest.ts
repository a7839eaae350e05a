/**
 * @file The manifest of images that were given away, and the names that they have there.
 *
 * A name follows from the image and from the export as a whole, so that nobody who saw answers can say afterwards which
 * image they were about:
 *
 *     export = SHA-256("wildmark export 2\n" ‖ nonce ‖ "\n" ‖ C×H×W ‖ "\n" ‖ hashes)
 *     name   = SHA-256("wildmark image 2\n" ‖ export ‖ "\n" ‖ the image's hash)
 *
 * all in hexadecimal digits; hashes are the images' in ascending order, each with "\n" behind it. Whoever wants a table's names for other images, for another order of them, or for some of
 * them only, has to find a second SHA-256 for each name. The nonce is drawn for each export; it keeps whoever gets a
 * table from looking up whether an image of his is in it, and gives its lines a random order.
 *
 * A manifest holds nonce and hashes: nothing of names, which are computed, and nothing of triggers, placebos, decoys or
 * labels. It stays with whoever asks. In the first form names were drawn, and stood in the manifest: nothing binds them
 * to images.
 */

import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../../core/files.js";
import { describeShape, type ImageShape } from "../../core/image.js";

const MAX_MANIFEST_BYTES = 512 * 2 ** 20;

const positive = z.int().min(1).max(65_536);
const shape = z.strictObject({ channels: positive, height: positive, width: positive });
const hash = z.string().regex(/^[0-9a-f]{64}$/);

const drawnNamesSchema = z.strictObject({
  form: z.literal("wildmark manifest 1"),
  shape,
  images: z.array(z.strictObject({ name: z.string().regex(/^[0-9a-f]{16}\.png$/), sha256: hash })).min(1),
});

const manifestSchema = z.strictObject({
  form: z.literal("wildmark manifest 2"),
  shape,
  /** 32 random bytes. */
  nonce: hash,
  /** `imageSha256` of each image. */
  images: z.array(hash).min(1),
});

const anySchema = z.discriminatedUnion("form", [drawnNamesSchema, manifestSchema]);

export interface Manifest {
  readonly shape: ImageShape;
  /** In the order of their names: the file in the folder of images, and `imageSha256` of its pixels. */
  readonly images: readonly { readonly name: string; readonly sha256: string }[];
  /** What the names follow from; undefined of the first form, in which they follow from nothing. */
  readonly nonce: string | undefined;
}

/** One whose names follow from its images. */
export type BoundManifest = Manifest & { readonly nonce: string };

/** Where `key export` puts the manifest of a key unless told, and `verify --answers` looks for it. */
export function manifestPath(keyPath: string): string {
  return `${keyPath}.manifest.json`;
}

export function newNonce(): string {
  return randomBytes(32).toString("hex");
}

/**
 * The manifest of an export.
 *
 * @param hashes `imageSha256` of each image, each once.
 */
export function manifestOf(shape: ImageShape, hashes: readonly string[], nonce: string): BoundManifest {
  const whole = createHash("sha256").update(`wildmark export 2\n${nonce}\n${describeShape(shape)}\n`);
  for (const sha256 of [...hashes].sort()) whole.update(`${sha256}\n`);
  const id = whole.digest("hex");
  const nameOf = (sha256: string): string =>
    createHash("sha256").update(`wildmark image 2\n${id}\n${sha256}`).digest("hex");
  const images = hashes.map((sha256) => ({ name: `${nameOf(sha256)}.png`, sha256 }));
  images.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { shape, images, nonce };
}

/** Writes a manifest that only its owner can read. @throws WildmarkError `cannot-write`. */
export async function writeManifest(
  path: string,
  { shape, images, nonce }: BoundManifest,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const hashes = images.map(({ sha256 }) => sha256).sort();
  const text = `${JSON.stringify({ form: "wildmark manifest 2", shape, nonce, images: hashes }, undefined, 1)}\n`;
  await writeFileAtomic(path, Buffer.from(text), { force: options.force ?? false, mode: 0o600 });
}

/** @throws WildmarkError `bad-file` where it is missing or no manifest, or holds an image or a name twice. */
export async function readManifest(path: string): Promise<Manifest> {
  const bytes = await readFileBounded(path, { what: "the manifest of exported images", maxBytes: MAX_MANIFEST_BYTES });
  const hint = "wildmark key export writes it, beside the key unless told; --manifest says where it is.";
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new WildmarkError("bad-file", `${path}: expected a manifest of exported images, found no JSON.`, {
      hint,
      cause,
    });
  }
  const parsed = anySchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? "" : ` at ${issue.path.join(".")}`;
    throw new WildmarkError("bad-file", `${path}: is no manifest of exported images${where}: ${issue?.message}.`, {
      hint,
    });
  }
  const { data } = parsed;
  const manifest =
    data.form === "wildmark manifest 2"
      ? manifestOf(data.shape, data.images, data.nonce)
      : { shape: data.shape, images: data.images, nonce: undefined };
  for (const [what, values] of [
    ["name", manifest.images.map(({ name }) => name)],
    ["image", manifest.images.map(({ sha256 }) => sha256)],
  ] as const) {
    const seen = new Set<string>();
    const twice = values.find((each) => seen.size === seen.add(each).size);
    if (twice !== undefined)
      throw new WildmarkError("bad-file", `${path}: holds the ${what} ${twice} twice.`, { hint });
  }
  return manifest;
}
