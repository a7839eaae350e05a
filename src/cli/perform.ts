/** @file Gives a loaded command its flags on the command line, and runs it with what was typed. */

import { type Command as CommanderCommand, Option } from "commander";
import type { z } from "zod";
import { cacheNote } from "../core/cache-dir.js";
import { WildmarkError } from "../core/errors.js";
import { silent } from "../core/progress.js";
import { secretSeed } from "../core/random.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Workload } from "../training/devices.js";
import type { Command, CommonFlags, FlagGroup } from "./command.js";
import { commonFlags } from "./common.js";
import { abstractFlag, dataFlags, unrelatedFlag } from "./data.js";
import { type GivenFlags, optionsOf, readFlags } from "./flags.js";
import { examplesText, outputWidth } from "./help.js";
import { interruptible } from "./interrupt.js";
import { modelFlags } from "./model.js";
import { wrapped } from "./output.js";
import { type ProgressOutput, terminalProgress } from "./progress.js";
import { tell } from "./streams.js";
import { defined } from "../core/defined.js";

/** Flags that many commands take: told apart from a command's own of the same name by being the very same schema. */
const SHARED_GROUPS: readonly { readonly heading: string; readonly shape: Readonly<Record<string, z.ZodType>> }[] = [
  { heading: "Data", shape: { ...dataFlags, ...unrelatedFlag, ...abstractFlag } },
  { heading: "What the model expects of its images", shape: modelFlags },
];

const COMMON_HEADING = "Common options:";

/** Adds the command's arguments, flags, description and examples to its place in the program. */
export function describeCommand(place: CommanderCommand, command: Command): void {
  place.description(command.description);
  for (const { name, description, optional } of command.arguments ?? []) {
    place.argument(optional ? `[${name}]` : `<${name}>`, description);
  }
  const own = [...(command.groups ?? []), ...sharedGroups(command.flags)];
  for (const option of groupedOptions(command.flags, "Options", own)) place.addOption(option);
  for (const { schema, heading, groups = [] } of command.extras ?? []) {
    for (const option of groupedOptions(schema, heading, groups)) place.addOption(option);
  }
  for (const option of optionsOf(commonFlags, COMMON_HEADING)) {
    if (option.attributeName() in command.flags.shape) continue; // the command's own flag of that name
    place.addOption(hasEffect(option.attributeName(), command.common ?? {}) ? option : option.hideHelp());
  }
  place.addHelpOption(new Option("-h, --help", "show this help").helpGroup(COMMON_HEADING));
  place.addHelpText("after", `\nExamples:\n${examplesText(command.examples)}`);
}

/** The groups that a command's flags have without its saying so. */
function sharedGroups({ shape }: z.ZodObject): FlagGroup[] {
  return SHARED_GROUPS.map(({ heading, shape: shared }) => ({
    heading,
    keys: Object.keys(shared).filter((key) => shape[key] === shared[key]),
  }));
}

/**
 * The options of a schema, those of each group together after the others; each under the first heading that names it.
 */
function groupedOptions(schema: z.ZodObject, heading: string, groups: readonly FlagGroup[]): Option[] {
  const grouped = new Set(groups.flatMap(({ keys }) => keys));
  const options = optionsOf(schema);
  const all = options.map((option) => option.attributeName());
  const rest = { heading, keys: all.filter((key) => !grouped.has(key)) };
  const headings = [rest, ...groups];
  const headingOf = (option: Option) => headings.find(({ keys }) => keys.includes(option.attributeName()));
  return headings.flatMap((group) =>
    options.filter((option) => headingOf(option) === group).map((option) => option.helpGroup(`${group.heading}:`)),
  );
}

/**
 * Runs the command and prints its outcome.
 *
 * @param typed the command line as it would be typed again.
 * @returns the exit status.
 */
export async function perform(
  command: Command,
  place: CommanderCommand,
  { typed, print }: { readonly typed: string; readonly print: (text: string) => Promise<void> },
): Promise<0 | 1 | 3> {
  const given = givenFlags(place);
  const notOwn = Object.entries(given).filter(([flag]) => !(flag in command.flags.shape));
  const common = readFlags(commonFlags, Object.fromEntries(notOwn), command.fullName);
  const progress = common.quiet
    ? { ...silent, end: () => {} }
    : terminalProgress({ output: listener, unit: command.unit });
  const note = cacheNote();
  if (note !== undefined && usesCache(command)) progress.note(note);
  const outcome = await interruptible(async (signal) =>
    command.run(given, {
      args: place.processedArgs,
      seed: command.common?.random === "secret" && given.seed === undefined ? secretSeed() : common.seed,
      seedGiven: given.seed !== undefined,
      runtimeFor: (network) =>
        runtimeOf(common, { ...network, trains: command.common?.computes === "trains" }, (line) => progress.note(line)),
      force: common.force,
      progress,
      signal,
      typed,
    }),
  )
    .catch((error) => Promise.reject(withWayOn(error, command, typed)))
    .finally(() => progress.end());
  const text = process.stdout.isTTY ? wrapped(outcome.text, outputWidth()) : outcome.text;
  await print(`${common.json ? JSON.stringify(outcome.document, undefined, 2) : text}\n`);
  return outcome.failed === true ? 1 : outcome.alarmed === true ? 3 : 0;
}

/** Standard error, as long as anybody listens. */
const listener: ProgressOutput = {
  get isTTY() {
    return process.stderr.isTTY;
  },
  get columns() {
    return process.stderr.columns;
  },
  write: tell,
};

/** Whether it may read or keep downloads, decoded images or measured lowerings. */
function usesCache({ name, common }: Command): boolean {
  return common?.computes !== undefined || name.startsWith("data ");
}

/** `auto` becomes the device that it picks, and is said: only then is it known what a result was computed with. */
async function runtimeOf(
  { device, threads, autotuning, winograd }: z.infer<typeof commonFlags>,
  work: Workload,
  note: (line: string) => void,
): Promise<RuntimeOptions> {
  const rest = { ...defined({ threads, autotuning }), ...(winograd ? {} : { winograd }) };
  if (device !== "auto") return { device, ...rest };
  const { quickest, TRIAL_IMAGES, tryDevices } = await import("../training/devices.js");
  const trials = await tryDevices(work, rest);
  const picked = quickest(trials);
  const told = trials.map(({ device: tried, milliseconds }) =>
    milliseconds === undefined ? `${tried} does not run it` : `${tried} ${milliseconds.toPrecision(3)} ms`,
  );
  const tried = work.trains ? `a training step on ${TRIAL_IMAGES} images` : `answers to ${TRIAL_IMAGES} images`;
  note(`device: ${picked} (${tried}: ${told.join(", ")})`);
  return { device: picked, ...rest };
}

/** What was stopped says how to go on. */
function withWayOn(error: unknown, { resumes }: Command, typed: string): unknown {
  if (!(error instanceof WildmarkError) || error.code !== "interrupted" || !resumes) return error;
  return new WildmarkError(error.code, error.message, { hint: `To go on where it stopped: ${typed}`, cause: error });
}

/** Only what stands on the command line: defaults are the schemas' business. */
function givenFlags(place: CommanderCommand): GivenFlags {
  const given = Object.entries(place.opts<Record<string, string | boolean>>());
  return Object.fromEntries(given.filter(([key]) => place.getOptionValueSource(key) === "cli"));
}

function hasEffect(flag: string, common: CommonFlags): boolean {
  switch (flag) {
    case "seed":
      return common.random !== undefined && common.random !== false;
    case "threads":
    case "device":
      return common.computes !== undefined && common.computes !== false;
    case "autotuning":
    case "winograd":
      return common.computes === "trains";
    case "force":
      return common.writes === true || common.loads === true;
    default:
      return true;
  }
}
