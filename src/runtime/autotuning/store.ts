/**
 * @file Measured choices on disk: one small JSON file each, in a folder of the cache.
 *
 * A file appears whole or not at all and is named after what the choice holds for, so any number of processes may read
 * and write at once without a lock. The first to write a choice decides: the others take it over. So a choice, once
 * kept, stays as it is until somebody deletes the file, and with it the bytes of what is computed.
 */

import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { defaultCacheDir } from "../../core/cache-dir.js";
import { WildmarkError } from "../../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../../core/files.js";
import { type ChoiceIdentity, identityKey, identitySchema } from "./identity.js";
import { measuredSchema } from "./rule.js";

const FORMAT = "wildmark-lowering";
const VERSION = 1;
const LARGEST_FILE = 2 ** 20;

const keptSchema = z
  .strictObject({
    format: z.literal(FORMAT),
    version: z.literal(VERSION),
    identity: identitySchema,
    measured: z.array(measuredSchema).min(1),
    /** The choice. */
    lowering: z.string(),
    /** When. */
    at: z.iso.datetime(),
  })
  .refine(({ identity, lowering }) => identity.lowerings.includes(lowering), "the choice is none of the candidates");

/** A choice, what it holds for, and the times that it rests on. */
export type KeptChoice = Omit<z.infer<typeof keptSchema>, "format" | "version">;

export type Lookup =
  | { readonly kind: "found"; readonly choice: KeptChoice }
  | { readonly kind: "absent" }
  /** There is a file that cannot be used; `why` names it. */
  | { readonly kind: "damaged"; readonly why: string };

/** `lowerings` in the cache (`defaultCacheDir`). */
export function choicesFolder(): string {
  return join(defaultCacheDir(), "lowerings");
}

export async function findChoice(folder: string, identity: ChoiceIdentity): Promise<Lookup> {
  const path = pathOf(folder, identity);
  if ((await stat(path).catch(() => undefined)) === undefined) return { kind: "absent" };
  try {
    const bytes = await readFileBounded(path, { what: "a measured lowering", maxBytes: LARGEST_FILE });
    const { format: _, version: __, ...choice } = keptSchema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    if (isDeepStrictEqual(choice.identity, identity)) return { kind: "found", choice };
    return { kind: "damaged", why: `${path} holds the choice for something else` };
  } catch (error) {
    return { kind: "damaged", why: `${path} cannot be used: ${reasonOf(error)}` };
  }
}

/**
 * Keeps a choice, unless another process has kept one for the same in the meantime; a damaged file is replaced.
 *
 * @returns the choice that is kept now.
 * @throws WildmarkError `cannot-write` when the folder cannot be made or written to.
 */
export async function keepChoice(folder: string, choice: KeptChoice): Promise<KeptChoice> {
  const path = pathOf(folder, choice.identity);
  const bytes = Buffer.from(`${JSON.stringify({ format: FORMAT, version: VERSION, ...choice }, undefined, 1)}\n`);
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw new WildmarkError("cannot-write", `${folder} cannot be made: ${reasonOf(cause)}`, { cause });
  });
  try {
    await writeFileAtomic(path, bytes);
    return choice;
  } catch (error) {
    const there = await findChoice(folder, choice.identity);
    if (there.kind === "found") return there.choice;
    if (there.kind === "absent") throw error;
    await writeFileAtomic(path, bytes, { force: true });
    return choice;
  }
}

function pathOf(folder: string, identity: ChoiceIdentity): string {
  return join(folder, `${identityKey(identity)}.json`);
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) return "it is no measured lowering of this version";
  return error instanceof SyntaxError ? "it is no JSON" : error instanceof Error ? error.message : String(error);
}
