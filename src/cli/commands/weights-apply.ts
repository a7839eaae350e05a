/** @file wildmark weights apply: a state_dict's values in the model that was exported from another one of the kind. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import type { SafeTensors } from "../../core/safetensors.js";
import type { FloatTensor } from "../../core/tensor.js";
import { type Model, withWeights } from "../../onnx/model.js";
import { readModelFile, writeModelFile } from "../../onnx/model-file.js";
import { floatsOf, storedFrom } from "../../onnx/state-dict/mapping.js";
import { matchStateDict } from "../../onnx/state-dict/match.js";
import { storedTensors } from "../../onnx/traverse.js";
import { type CommandFile, defineCommand } from "../command.js";
import { requireSidecarWritable } from "../model.js";
import { requireWritable } from "../outputs.js";
import { readSafetensors, stateDictFlags } from "./weights.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "weights apply",
    description:
      "Writes a model with the values of a state_dict (safetensors): the way back from wildmark weights, without " +
      "exporting again. Batch normalisation that the exporter folded is folded anew.",
    arguments: [
      { name: "MODEL.onnx", description: "the model, as it was exported" },
      { name: "NEW.safetensors", description: "the values that it gets" },
    ],
    flags: z.object({
      ...stateDictFlags,
      out: z.string().meta({ description: "where the model goes", placeholder: "FILE.onnx" }),
    }),
    common: { writes: true },
    examples: [
      ["wildmark weights apply net.onnx tuned.safetensors --like net.safetensors --out tuned.onnx", ""],
      ["wildmark weights apply net.onnx new.safetensors --out new.onnx", "named as in the model"],
    ],
    async run({ args: [path = "", newer = ""], flags: { like, keepUnmatched, out }, force, progress }) {
      await requireWritable(out, force, [path, newer, ...(like === undefined ? [] : [like])]);
      const model = await readModelFile(path);
      await requireSidecarWritable(out, model, force);
      const given = await readSafetensors(newer);
      let weights: ReadonlyMap<string, FloatTensor>;
      if (like === undefined) weights = underOwnNames(model, given, newer);
      else {
        const mapping = matchStateDict(model.graph, await readSafetensors(like), {
          unmatched: keepUnmatched ? "keep" : "refuse",
        });
        for (const note of mapping.notes) progress.note(`note: ${note}`);
        weights = storedFrom(mapping, given, storedTensors(model.graph));
      }
      await writeModelFile(out, withWeights(model, weights), { force });
      return {
        document: { command: "weights apply", model: path, out, tensors: weights.size },
        text: `Model: ${out}, ${weights.size} stored tensors with new values.`,
      };
    },
  });

/** @throws WildmarkError `bad-data` that lists what the model does not store, or stores in another shape. */
function underOwnNames({ graph }: Model, given: SafeTensors, where: string): ReadonlyMap<string, FloatTensor> {
  const stored = storedTensors(graph);
  const values = floatsOf(given);
  const floats = [...given.tensors].filter(([, { type }]) => type === "float32" || type === "float64");
  const unknown = floats.filter(([name, { dims }]) => {
    const own = stored.get(name);
    return own?.type !== "float32" || own.dims.join() !== dims.join();
  });
  if (unknown.length > 0) {
    throw new WildmarkError("bad-data", `${where} holds tensors that the model does not store so:`, {
      details: unknown.map(([name, { dims }]) => `${name} [${dims.join(", ")}]`),
      hint: "--like names the state_dict that the model was exported from: then tensors are found by value.",
    });
  }
  return new Map(floats.map(([name]) => [name, values(name)]));
}
