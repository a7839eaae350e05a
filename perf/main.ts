/**
 * @file `npm run perf`: Wildmark against PyTorch on the same cores.
 *
 * Results go to stdout as they come; with --out everything that was measured goes to a JSON file.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeFileAtomic } from "../src/core/files.js";
import type { Dataset } from "../src/data/dataset.js";
import { findFiles } from "../src/data/places.js";
import { findRecord, loadDataset } from "../src/data/registry.js";
import { thisMachine, thisSoftware } from "../src/experiments/machine.js";
import type { RuntimeOptions } from "../src/runtime/options.js";
import { cases, type Setting } from "./cases.js";
import type { Turns } from "./contest.js";
import { type MatchResult, runMatch } from "./match.js";
import { type BenchOptions, HELP, readOptions } from "./options.js";
import { peakContestant } from "./peak.js";
import { describeMatch, describeScaling } from "./report.js";
import { runScaling, type ScalingResult } from "./scaling.js";
import { findPython, startTorch, type Torch } from "./torch-side.js";
import { runProgram, say } from "./program.js";

const TURN_MS = 300;

/** Idle threads of ONNX Runtime, OpenMP and OpenBLAS spin for some tens of milliseconds before they sleep. */
const PAUSE_MS = 150;

/** Beside the sources; this file runs from dist-perf/perf. */
const TORCH_SCRIPT = fileURLToPath(new URL("../../perf/torch_side.py", import.meta.url));

async function main(words: readonly string[]): Promise<void> {
  const options = readOptions(words);
  if (options === "help") {
    say(HELP);
    return;
  }
  const runtime: RuntimeOptions = { device: options.device, threads: options.threads };
  const folder = await mkdtemp(join(tmpdir(), "wildmark-bench-"));
  const torch = options.torch ? await torchIfThere(options) : undefined;
  try {
    const dataset = await imagesFor(options);
    const machine = thisMachine(runtime, options.threads);
    say(
      `${options.device} (${machine.cpu}), ${options.threads} threads a side, ${options.turns} turns; ` +
        `images: ${dataset.title}`,
    );
    const started = new Date();
    const results = await measureAll(options, { seed: options.seed, dataset, folder, runtime }, torch);
    if (options.out === undefined) return;
    const document = {
      schema: 1,
      started: started.toISOString(),
      finished: new Date().toISOString(),
      machine,
      software: { ...thisSoftware(), ...(torch === undefined ? {} : { torch: torch.about }) },
      options: {
        device: options.device,
        turns: options.turns,
        turnMilliseconds: TURN_MS,
        pauseMilliseconds: PAUSE_MS,
        seed: options.seed,
        threads: options.threads,
      },
      dataset: { id: dataset.id, sha256: dataset.sha256 },
      ...results,
    };
    await writeFileAtomic(options.out, Buffer.from(`${JSON.stringify(document, undefined, 1)}\n`), { force: true });
  } finally {
    await torch?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureAll(options: BenchOptions, setting: Setting, torch: Torch | undefined) {
  const turns: Turns = { turns: options.turns, milliseconds: TURN_MS, pause: PAUSE_MS };
  const matches: ({ readonly id: string; readonly title: string; readonly target: number } & MatchResult)[] = [];
  const peak = await peakContestant(options.seed, setting.runtime);
  for (const each of cases.filter(({ id }) => options.cases.includes(id))) {
    const result = await runMatch(await each.prepare(setting), torch, peak, turns);
    say(describeMatch(each, result, options.device));
    matches.push({ id: each.id, title: each.title, target: each.target, ...result });
    if (result.agreement?.sound === false) process.exitCode = 1;
  }
  await peak.release();
  const scaling: ScalingResult[] = [];
  if (options.cases.includes("scaling")) {
    for await (const result of runScaling(setting, turns)) {
      say(describeScaling(result));
      scaling.push(result);
    }
  }
  return { cases: matches, scaling };
}

async function torchIfThere({ device, threads }: BenchOptions): Promise<Torch | undefined> {
  const beside = device === "cpu" ? "cpu" : "cuda";
  const python = await findPython(beside);
  if (python === undefined) {
    const wanted = beside === "cpu" ? "torch and numpy" : "torch with a CUDA card, and numpy";
    say(`No Python that can import ${wanted} was found: Wildmark alone. $WILDMARK_PYTHON may name one.`);
    return undefined;
  }
  const torch = await startTorch(python, TORCH_SCRIPT, { device: beside, threads });
  say(`PyTorch ${torch.about.version} (${python}, ${torch.about.device}): ${torch.about.about.join("; ")}`);
  return torch;
}

/** MNIST where it is on this machine, else built-in digits. */
async function imagesFor({ dataDir, seed }: BenchOptions): Promise<Dataset> {
  const mnist = findRecord("mnist");
  if (mnist.kind === "download" && (await findFiles(mnist, { dataDir })) !== undefined) {
    return loadDataset("mnist", { dataDir });
  }
  say("MNIST is not on this machine (wildmark data fetch mnist): built-in digits instead.");
  return loadDataset("digits", { seed });
}

await runProgram(main);
