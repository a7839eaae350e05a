/** @file `verify --out`: where the document of a verdict goes, as a page for people or as data. */

import { extname } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { writeFileAtomic } from "../core/files.js";
import type { VerdictDocument } from "../experiments/verdict-result.js";
import type { Key } from "../ownership/key.js";
import { renderReport } from "../report/render.js";
import { requireWritable } from "./outputs.js";

export const verdictOutFlags = {
  out: z.array(z.string()).min(1).optional().meta({
    description: "write the verdict as a document to hand over: a page (.html), data (.json), or one of each",
    placeholder: "FILE.html,FILE.json",
  }),
  pictures: z
    .boolean()
    .default(false)
    .describe(
      "with --out: show the first triggers and what was answered to them; without, it holds no image and no label",
    ),
};

export type VerdictOutFlags = z.infer<z.ZodObject<typeof verdictOutFlags>>;

/**
 * Checks before anything is asked that the document can be written.
 *
 * @param others files that are read.
 * @throws WildmarkError `usage` for other endings, a file named twice, pictures without a document or of images that
 *   are no pictures; `cannot-write` as `requireWritable` does.
 */
export async function requireVerdictOut(
  { out = [], pictures }: VerdictOutFlags,
  { key, force, others }: { readonly key: Key; readonly force: boolean; readonly others: readonly string[] },
): Promise<void> {
  const stray = out.find((path) => formOf(path) === undefined);
  if (stray !== undefined) {
    throw new WildmarkError("usage", `verify: --out ${stray}: the verdict is written as .html or .json.`, {
      hint: "Give --out verdict.html for people, --out verdict.json for programs, or both with a comma between.",
    });
  }
  if (pictures && out.length === 0) {
    throw new WildmarkError("usage", "verify: --pictures shows triggers in a document, and none is written.", {
      hint: "Give --out verdict.html too, or leave --pictures out.",
    });
  }
  if (pictures && key.shape.channels !== 1 && key.shape.channels !== 3) {
    throw new WildmarkError("usage", `verify: --pictures: images of ${key.shape.channels} channels cannot be shown.`, {
      hint: "Leave --pictures out.",
    });
  }
  for (const [i, path] of out.entries()) await requireWritable(path, force, [...others, ...out.slice(0, i)]);
}

/** Writes the document in each form that was asked for. */
export async function writeVerdict(document: VerdictDocument, out: readonly string[], force: boolean): Promise<void> {
  for (const path of out) {
    const text = formOf(path) === "html" ? await renderReport(document) : `${JSON.stringify(document, undefined, 1)}\n`;
    await writeFileAtomic(path, Buffer.from(text), { force });
  }
}

function formOf(path: string): "html" | "json" | undefined {
  const ending = extname(path).toLowerCase();
  return ending === ".html" ? "html" : ending === ".json" ? "json" : undefined;
}
