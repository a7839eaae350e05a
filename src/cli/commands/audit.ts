/** @file wildmark audit: the owner's question, answered by every attack that applies. */

import { z } from "zod";
import { cellRuntime } from "../../experiments/run-cells.js";
import { DEFAULT_BUDGETS } from "../../experiments/spec.js";
import { auditSpec } from "../../experiments/statements/audit.js";
import { requireShown, settleGiven } from "../../experiments/statements/given.js";
import { findArchitecture } from "../../models/registry.js";
import { readKey } from "../../ownership/key-file.js";
import { removalMethods } from "../../removal/registry.js";
import { type CommandFile, defineCommand } from "../command.js";
import { dataFlags, loadChosen } from "../data.js";
import { askFlags, budgetsFlag, runFlags, runStatement, seedsOf } from "../experiment.js";
import { asReadFlag, modelFlags, openModel } from "../model.js";
import { defined } from "../../core/defined.js";

const attacks = removalMethods.filter((method) => method.ignoresModel !== true).map(({ id }) => id);

const flags = z.object({
  key: z.string().meta({ description: "the owner's key; no attack sees it", placeholder: "FILE" }),
  ...dataFlags,
  budgets: budgetsFlag(DEFAULT_BUDGETS),
  methods: z
    .array(z.string())
    .min(1)
    .default(attacks)
    .meta({ description: "attacks, each tried in all its variants", placeholder: "LIST" }),
  baselines: z.boolean().default(true).describe("leave out training from scratch, against which attacks are measured"),
  reactivation: z
    .boolean()
    .default(true)
    .describe("do not follow removals up: whether 200 steps of tuning on clean training images bring the mark back"),
  nullModels: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .meta({ description: "train N models without the mark, and hold the key against them too", placeholder: "N" }),
  ...askFlags,
  ...runFlags,
  out: z
    .string()
    .default("wildmark-audit")
    .meta({ description: "folder for cells, result.json and report.html", placeholder: "DIR" }),
  ...modelFlags,
  ...asReadFlag,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "audit",
    description:
      "Runs every removal method that applies against your marked model, with each share of the training data, and " +
      "says which break the mark, at what cost in accuracy, and how sure that is. Writes result.json and " +
      "report.html. Stopped at any moment, the same command goes on; more budgets, seeds or methods in the same " +
      "folder reuse what is finished.",
    arguments: [{ name: "MARKED.onnx", description: "the marked model" }],
    flags,
    groups: [
      { heading: "What is tried", keys: ["budgets", "methods", "baselines", "reactivation", "epochs", "seeds"] },
      { heading: "How it is judged", keys: ["alpha", "acceptableDrop", "nullModels", "arch"] },
    ],
    resumes: true,
    common: { random: true, computes: "trains", writes: true },
    examples: [
      ["wildmark audit marked.onnx --key mark.safetensors --dataset digits", "then open wildmark-audit/report.html"],
      ["wildmark audit marked.onnx --key mark.safetensors --dataset digits --budgets 0.01,0.1 --seeds 5", ""],
      ["wildmark audit marked.onnx --key mark.safetensors --dataset digits --dry-run", "what would be run"],
    ],
    async run(call) {
      const {
        args: [path = ""],
        flags: { key: keyPath, out, seeds, arch, epochs, ...chosen },
        progress,
        seed,
        force,
      } = call;
      const architecture = arch === undefined ? undefined : findArchitecture(arch);
      const model = await openModel(path, chosen, progress);
      const key = await readKey(keyPath);
      const dataset = await loadChosen(chosen, call);
      const spec = auditSpec({
        ...{ model, key, dataset, files: { model: path, key: keyPath }, seeds: seedsOf(seed, seeds) },
        ...{ methods: chosen.methods, baselines: chosen.baselines, budgets: chosen.budgets },
        ...{ reactivation: chosen.reactivation, nullModels: chosen.nullModels },
        ...{ alpha: chosen.alpha, acceptableDrop: chosen.acceptableDrop },
        ...defined({ epochs, architecture }),
      });
      const prepare = async (runtime: Parameters<typeof cellRuntime>[0]): Promise<void> => {
        await settleGiven(spec, { asRead: chosen.asRead, words: "flags", runtime, progress });
        if (!force) await requireShown({ spec, out, run: { runtime: cellRuntime(runtime) } });
      };
      return runStatement(spec, { name: "audit", out, prepare }, call);
    },
  });
