/**
 * @file The ledger beside a key: which of its images were disclosed, when and to whom.
 *
 * Whoever has seen a trigger can make a filter for it, train a model that answers it, or claim it. So each image of the
 * key that leaves the house is entered before it does, a line of JSON each; the rest of the key is still secret. The
 * file is only ever appended to.
 */

import { open, readFile } from "node:fs/promises";
import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { writeError } from "../../core/files.js";
import type { Secret } from "./key-queries.js";

const entrySchema = z.object({
  /** `imageSha256` of the image as the key holds it. */
  image: z.string().regex(/^[0-9a-f]{64}$/),
  what: z.enum(["trigger", "placebo", "held-out"]),
  /** ISO 8601, UTC. */
  at: z.string(),
  /** An endpoint's address, a folder, a person. */
  to: z.string(),
});

export type LedgerEntry = z.infer<typeof entrySchema>;

/** Where the ledger of a key lies unless told. */
export function ledgerPath(keyPath: string): string {
  return `${keyPath}.ledger.jsonl`;
}

export interface Ledger {
  readonly path: string;
  /** Enters those of the images that are the key's and were not disclosed to the same place before. */
  readonly disclose: (hashes: readonly string[]) => Promise<void>;
  /** How many lines this ledger wrote. */
  readonly entered: () => number;
}

/**
 * Opens the ledger of a key; it is made with the first entry, readable by its owner only.
 *
 * @param secrets the key's images by hash (`keySecrets`): what else is shown is no secret.
 * @param to whom images go.
 * @throws WildmarkError `bad-file` where a line is no entry: a ledger that cannot be read is not written on.
 */
export async function openLedger(path: string, secrets: ReadonlyMap<string, Secret>, to: string): Promise<Ledger> {
  const known = new Set((await readLedger(path)).filter((entry) => entry.to === to).map(({ image }) => image));
  let entered = 0;
  return {
    path,
    entered: () => entered,
    disclose: async (hashes) => {
      const at = new Date().toISOString();
      const fresh = [...new Set(hashes)].flatMap((image): LedgerEntry[] => {
        const what = secrets.get(image);
        return what === undefined || known.has(image) ? [] : [{ image, what, at, to }];
      });
      if (fresh.length === 0) return;
      // Known at once, so that a second call in the meantime does not enter them again.
      for (const { image } of fresh) known.add(image);
      await append(path, fresh.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
      entered += fresh.length;
    },
  };
}

/** What a ledger holds; nothing where there is none. @throws WildmarkError `bad-file`. */
export async function readLedger(path: string): Promise<LedgerEntry[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw new WildmarkError("bad-file", `${path}: the ledger cannot be read.`, { cause });
  }
  return text.split("\n").flatMap((line, i): LedgerEntry[] => {
    if (line === "") return [];
    const entry = entryOf(line);
    if (entry !== undefined) return [entry];
    throw new WildmarkError("bad-file", `${path}: line ${i + 1} is no entry of a ledger of disclosed triggers.`, {
      hint: "Mend that line, or move the file away: then it is no longer known what was disclosed.",
    });
  });
}

function entryOf(line: string): LedgerEntry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

async function append(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, "a", 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw writeError(path, error);
  }
}
