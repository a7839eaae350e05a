/** @file wildmark weights: a changed model's weights, back in the state_dict that it was exported from. */

import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../../core/files.js";
import { decodeSafetensors, encodeSafetensors, type SafeTensors } from "../../core/safetensors.js";
import { LARGEST_MODEL } from "../../onnx/external.js";
import type { Model } from "../../onnx/model.js";
import { readModelFile } from "../../onnx/model-file.js";
import { stateDictFrom } from "../../onnx/state-dict/mapping.js";
import { matchStateDict, storedNames } from "../../onnx/state-dict/match.js";
import { storedTensors } from "../../onnx/traverse.js";
import { type CommandFile, defineCommand } from "../command.js";
import { requireWritable } from "../outputs.js";

/** What both directions share. */
export const stateDictFlags = {
  like: z.string().optional().meta({
    description: "the state_dict that the original was exported from (safetensors); without it names are the model's",
    placeholder: "FILE",
  }),
  keepUnmatched: z
    .boolean()
    .default(false)
    .describe("leave tensors of the state_dict that the model does not hold as they are, instead of refusing"),
};

export const command: CommandFile = () =>
  defineCommand({
    name: "weights",
    description:
      "Writes the weights of a marked or otherwise trained model as a state_dict for the framework that it came from " +
      "(safetensors), with the names, shapes and types of the one that it was exported from. Tensors are found by " +
      "value, not by name; what was transposed is transposed back, and batch normalisation that the exporter folded " +
      "into convolutions is unfolded exactly. A tensor that is not found is an error.",
    arguments: [{ name: "MARKED.onnx", description: "the model with the new weights" }],
    flags: z.object({
      from: z.string().meta({ description: "the file that it was made from, as it was exported", placeholder: "ONNX" }),
      ...stateDictFlags,
      out: z.string().meta({ description: "where the state_dict goes", placeholder: "FILE.safetensors" }),
    }),
    common: { writes: true },
    examples: [
      ["wildmark weights marked.onnx --from net.onnx --like net.safetensors --out marked.safetensors", ""],
      ["wildmark weights marked.onnx --from net.onnx --out marked.safetensors", "under the model's own names"],
    ],
    async run({ args: [path = ""], flags: { from, like, keepUnmatched, out }, force, progress }) {
      await requireWritable(out, force, [path, from, ...(like === undefined ? [] : [like])]);
      const [marked, original] = [await readModelFile(path), await readModelFile(from)];
      requireSameGraph(marked, original, { path, from });
      const stored = storedTensors(marked.graph);
      const changed = changedTensors(marked, original);
      if (like === undefined) {
        await writeSafetensors(out, { metadata: new Map(), tensors: stored }, force);
        return said({ out, tensors: stored.size, changed: changed.length, kept: [], folded: 0 });
      }
      const stateDict = await readSafetensors(like);
      const mapping = matchStateDict(original.graph, stateDict, { unmatched: keepUnmatched ? "keep" : "refuse" });
      for (const note of mapping.notes) progress.note(`note: ${note}`);
      const told = storedNames(mapping);
      const untold = changed.filter((name) => !told.has(name));
      if (untold.length > 0) {
        throw new WildmarkError("bad-data", `${path} changed tensors that ${like} knows nothing of:`, {
          details: untold,
          hint: "Give the state_dict of the whole network.",
        });
      }
      await writeSafetensors(out, stateDictFrom(mapping, stateDict, stored), force);
      const folded = mapping.parts.filter(({ kind }) => kind === "folded").length;
      return said({ out, tensors: stateDict.tensors.size, changed: changed.length, kept: mapping.kept, folded });
    },
  });

/** The same layers with other numbers: what training leaves of a model. */
export function requireSameGraph(
  { graph }: Model,
  { graph: original }: Model,
  { path, from }: { readonly path: string; readonly from: string },
): void {
  const nodes = ({ nodes: all }: typeof graph) =>
    all.map(({ opType, domain, inputs, outputs }) => [opType, domain, inputs, outputs]);
  const shapes = (of: typeof graph) => [...storedTensors(of)].map(([name, { type, dims }]) => [name, type, dims]);
  if (isDeepStrictEqual(nodes(graph), nodes(original)) && isDeepStrictEqual(shapes(graph), shapes(original))) return;
  throw new WildmarkError("bad-model", `${path} is not ${from} with other weights: their graphs differ.`, {
    hint: "Give the very file that was marked or trained with --from.",
  });
}

function changedTensors({ graph }: Model, { graph: original }: Model): readonly string[] {
  const before = storedTensors(original);
  return [...storedTensors(graph)].flatMap(([name, { data }]) => {
    const old = before.get(name)?.data;
    return old !== undefined && Buffer.from(bytesOf(old)).equals(bytesOf(data)) ? [] : [name];
  });
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** @throws WildmarkError `bad-file` as `decodeSafetensors` does. */
export async function readSafetensors(path: string): Promise<SafeTensors> {
  const bytes = await readFileBounded(path, { what: "a state_dict (safetensors)", maxBytes: LARGEST_MODEL });
  return decodeSafetensors(bytes, path);
}

async function writeSafetensors(path: string, content: SafeTensors, force: boolean): Promise<void> {
  // PyTorch's and Transformers' loaders look for this word.
  const metadata = new Map([["format", "pt"], ...content.metadata]);
  await writeFileAtomic(path, encodeSafetensors({ ...content, metadata }), { force });
}

function said(found: {
  readonly out: string;
  readonly tensors: number;
  readonly changed: number;
  readonly kept: readonly string[];
  readonly folded: number;
}) {
  const { out, tensors, changed, kept, folded } = found;
  const others = kept.filter((name) => !name.endsWith("num_batches_tracked"));
  const counters = kept.length - others.length;
  return {
    document: { command: "weights", ...found },
    text: [
      `State_dict: ${out}, ${tensors} tensors; ${changed} stored tensors of the model had changed.`,
      ...(folded === 0 ? [] : [`Unfolded ${folded} normalisations.`]),
      ...(counters === 0 ? [] : [`${counters} counters (num_batches_tracked) stay as they were.`]),
      ...(others.length === 0 ? [] : [`Left as they were: ${others.join(", ")}.`]),
      "In Python: net.load_state_dict(safetensors.torch.load_file(FILE), strict=True)",
    ].join("\n"),
  };
}
