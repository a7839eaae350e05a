/**
 * @file The manifest of images that were given away under random names: which name is which image, by hash.
 *
 * It says nothing of triggers, placebos, decoys or labels. It stays with the owner all the same: only with it can answers be
 * read, and its hashes tell whoever has the key which of the images were triggers.
 */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../../core/files.js";

const FORM = "wildmark manifest 1";
const MAX_MANIFEST_BYTES = 512 * 2 ** 20;

const positive = z.int().min(1).max(65_536);

const manifestSchema = z.strictObject({
  form: z.literal(FORM),
  shape: z.strictObject({ channels: positive, height: positive, width: positive }),
  images: z
    .array(
      z.strictObject({
        /** The file's name in the folder of images. */
        name: z.string().regex(/^[0-9a-f]{16}\.png$/),
        /** `imageSha256` of its pixels. */
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .min(1),
});

export type Manifest = Omit<z.infer<typeof manifestSchema>, "form">;

/** Where `key export` puts the manifest of a key unless told, and `verify --answers` looks for it. */
export function manifestPath(keyPath: string): string {
  return `${keyPath}.manifest.json`;
}

/** Writes a manifest that only its owner can read. @throws WildmarkError `cannot-write`. */
export async function writeManifest(
  path: string,
  { shape, images }: Manifest,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const text = `${JSON.stringify({ form: FORM, shape, images }, undefined, 1)}\n`;
  await writeFileAtomic(path, Buffer.from(text), { force: options.force ?? false, mode: 0o600 });
}

/** @throws WildmarkError `bad-file` where it is missing or no manifest, or names an image twice. */
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
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? "" : ` at ${issue.path.join(".")}`;
    throw new WildmarkError("bad-file", `${path}: is no manifest of exported images${where}: ${issue?.message}.`, {
      hint,
    });
  }
  const { shape, images } = parsed.data;
  for (const [what, values] of [
    ["name", images.map(({ name }) => name)],
    ["image", images.map(({ sha256 }) => sha256)],
  ] as const) {
    const seen = new Set<string>();
    const twice = values.find((value) => seen.size === seen.add(value).size);
    if (twice !== undefined)
      throw new WildmarkError("bad-file", `${path}: holds the ${what} ${twice} twice.`, { hint });
  }
  return { shape, images };
}
