/** @file wildmark bench: marks and given models × removers × budgets × seeds, as a file says. */

import { readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, isAbsolute, join, resolve } from "node:path";
import { z } from "zod";
import { readFileBounded, writeFileAtomic } from "../../core/files.js";
import { readExperiment } from "../../experiments/folder.js";
import { type ExperimentSpec, type GivenSubject, picturesNeeded } from "../../experiments/spec.js";
import { benchSpec } from "../../experiments/statements/bench.js";
import { type BenchFile, parseBenchFile } from "../../experiments/statements/bench-file.js";
import { givenSubject, requireFitting, settleGiven } from "../../experiments/statements/given.js";
import { readModelFile } from "../../onnx/model-file.js";
import { readKey } from "../../ownership/key-file.js";
import { type CommandFile, defineCommand } from "../command.js";
import { abstractFor, type DataCall, dataFlags, loadChosen, unrelatedFor } from "../data.js";
import { runFlags, runStatement } from "../experiment.js";
import { requireFolder } from "../outputs.js";

/** More than any list of marks and removers takes. */
const LARGEST_FILE = 2 ** 20;

/** What the folder of a bench is called by default, before the name of its spec. */
const FOLDER = "wildmark-bench-";

/** The spec in a bench's folder, as it was run last; and where it lay, since paths in it are meant from there. */
const KEPT_SPEC = "spec.yaml";
const KEPT_PLACE = "spec.path";

const flags = z.object({
  dataDir: dataFlags.dataDir,
  out: z
    .string()
    .optional()
    .meta({ description: "folder for everything (default: wildmark-bench-<name of the spec>)", placeholder: "DIR" }),
  ...runFlags,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "bench",
    description:
      "Sets removers against marks: every mark, or marked model that you give, under every remover, with every share " +
      "of the data and every seed, as a YAML file says (docs/bench.md). Marked models are trained once and shared. " +
      "Every cell is kept as soon as it is finished: stopped or killed at any moment, the same command goes on, and " +
      "several may work in one folder. Exit status 1 where cells failed.",
    arguments: [
      { name: "SPEC.yaml", description: "marks, removers, budgets, seeds; or a folder where a bench was run" },
    ],
    flags,
    resumes: true,
    common: { computes: "trains", writes: true },
    examples: [
      ["wildmark bench bench-specs/digits.yaml", "built-in digits; a minute or two"],
      ["wildmark bench bench-specs/mnist.yaml --dry-run", "how many cells, how long"],
      ["wildmark bench bench-specs/mnist.yaml --jobs 8 --shard 1/3", "a third of it on this machine"],
      ["wildmark status wildmark-bench-mnist", "how far it is, at any time"],
      ["wildmark report wildmark-bench-mnist", "what is known so far"],
    ],
    async run(call) {
      const {
        args: [path = ""],
        flags: chosen,
        progress,
      } = call;
      const { file, text, place, out, home } = await readSpec(path, chosen.out);
      const spec = await withData(file, { dataDir: chosen.dataDir, home }, call);
      return runStatement(
        spec,
        {
          name: "bench",
          out,
          file: { name: place, places: file.markPlaces },
          prepare: async (runtime) => {
            await settleGiven(spec, { asRead: false, words: "flags", runtime, progress });
            await keepSpec(out, text, home);
          },
        },
        call,
      );
    },
  });

/** The spec that a path means: a file, or what a folder where a bench was run keeps of it. */
export async function readSpec(path: string, wanted: string | undefined) {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const place = isFolder ? join(path, KEPT_SPEC) : path;
  const out = wanted ?? (isFolder ? path : `${FOLDER}${basename(path, extname(path))}`);
  const bytes = await readFileBounded(place, { what: "the spec of a bench", maxBytes: LARGEST_FILE });
  const text = Buffer.from(bytes).toString("utf8");
  // A spec in a folder has lost its file's name.
  const title = isFolder ? ((await keptTitle(path)) ?? basename(resolve(path)).replace(FOLDER, "")) : undefined;
  const home = isFolder
    ? (await readFile(join(path, KEPT_PLACE), "utf8").catch(() => ".")).trim()
    : dirname(resolve(path));
  return { file: parseBenchFile(text, place, { title }), place, out, text, home };
}

async function keptTitle(out: string): Promise<string | undefined> {
  return (await readExperiment(out).catch(() => undefined))?.title;
}

async function withData(
  file: BenchFile,
  { dataDir, home }: { readonly dataDir: string | undefined; readonly home: string },
  call: DataCall,
): Promise<ExperimentSpec> {
  const { name, seed: dataSeed, ...sizes } = file.dataset;
  const dataset = await loadChosen({ dataset: name, dataDir, dataSeed, ...sizes }, call);
  const needed = picturesNeeded(file.marks.map(({ chosen }) => chosen));
  const from = { dataset: name, dataDir };
  const given: GivenSubject[] = [];
  for (const { model, key, name: called } of file.models) {
    const files = { model: fromSpec(home, model), key: fromSpec(home, key) };
    const subject = givenSubject(await readModelFile(files.model), await readKey(files.key), files, called ?? model);
    requireFitting(subject, dataset);
    given.push(subject);
  }
  return benchSpec(
    file,
    {
      dataset,
      ...(await unrelatedFor(needed.unrelated, dataset, { ...from, unrelated: file.unrelated }, call)),
      ...(await abstractFor(needed.abstract, dataset, from, call)),
    },
    given,
  );
}

/** A path in a spec is meant from where the spec lies. */
function fromSpec(home: string, path: string): string {
  return isAbsolute(path) ? path : join(home, path);
}

/** Keeps the spec in the bench's folder, so that the folder can be run again without its file. */
async function keepSpec(out: string, text: string, home: string): Promise<void> {
  await requireFolder(out);
  await writeFileAtomic(join(out, KEPT_SPEC), Buffer.from(text), { force: true });
  await writeFileAtomic(join(out, KEPT_PLACE), Buffer.from(`${home}\n`), { force: true });
}
