/**
 * @file What a command is: a record of what it takes, and a function from that to an outcome.
 *
 * A command never writes to the terminal. It returns its outcome once, as a document and as text, and whoever called it
 * prints the one that was asked for, so that `--json` means the same everywhere.
 */

import type { z } from "zod";
import type { Progress } from "../core/progress.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Workload } from "../training/devices.js";
import { type GivenFlags, readFlags } from "./flags.js";

/** A word on the command line that is no flag: MODEL.onnx. */
export interface Argument {
  readonly name: string;
  readonly description: string;
  readonly optional?: boolean;
}

/** Flags that stand in the help under a heading of their own. */
export interface FlagGroup {
  /** "Data" */
  readonly heading: string;
  /** Properties of the schema; those it does not have are no matter. */
  readonly keys: readonly string[];
}

/** Flags that follow from another record than the command's: those of a removal method or of a mark. */
export interface ExtraFlags {
  /** Heading in the help: "Options of WILD". */
  readonly heading: string;
  readonly schema: z.ZodObject;
  /** Parts of them with headings of their own, after the others. */
  readonly groups?: readonly FlagGroup[];
}

/** A network that a command is about to train, or to ask. */
export type Network = Omit<Workload, "trains">;

/** What every command is called with. */
export interface Call<Flags> {
  /** One for each argument of the command; undefined where an optional one was left out. */
  readonly args: readonly (string | undefined)[];
  readonly flags: Flags;
  /**
   * The flags of another schema, one of the command's `extras`.
   *
   * @throws WildmarkError `usage` naming each that is wrong.
   */
  readonly read: <Schema extends z.ZodObject>(schema: Schema) => z.infer<Schema>;
  readonly seed: number;
  /** Whether the seed was asked for. */
  readonly seedGiven: boolean;
  /** Where models run: as the flags say, and for `--device auto` where `network`, what is going to run, is quickest. */
  readonly runtimeFor: (network: Network) => Promise<RuntimeOptions>;
  /** Whether what exists may be overwritten, and files of data sets be taken that may not be what was published. */
  readonly force: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** The command line as it was typed, for documents that say how to do it again. */
  readonly typed: string;
}

export interface Outcome {
  /** What `--json` prints. */
  readonly document: unknown;
  /** What people read. */
  readonly text: string;
  /** Whether a part of the work failed, though there is an outcome: the command then ends with status 1. */
  readonly failed?: boolean;
  /** Whether something was found that the caller asked to be told of by the status: the command then ends with 3. */
  readonly alarmed?: boolean;
}

/** Which of the common flags mean something to a command; the others are accepted and left out of the help. */
export interface CommonFlags {
  /** `--seed`; "secret" where a seed that others know gives away what it makes: then it is drawn unless given. */
  readonly random?: boolean | "secret";
  /** `--threads` and `--device`; where it "trains", `--autotuning` too. */
  readonly computes?: boolean | "trains";
  /** `--force`, which overwrites. */
  readonly writes?: boolean;
  /** `--force` too, which takes doubtful files of data sets. */
  readonly loads?: boolean;
}

interface CommandRecord<Flags extends z.ZodObject> {
  /** "remove", "data fetch" */
  readonly name: string;
  /** What messages call it where its flags depend on one of them: "remove --method wild". */
  readonly fullName?: string;
  readonly description: string;
  readonly arguments?: readonly Argument[];
  readonly flags: Flags;
  /**
   * Parts of the flags with headings of their own, after the others; those of data and models have theirs in any case.
   */
  readonly groups?: readonly FlagGroup[];
  readonly extras?: readonly ExtraFlags[];
  /** Whether the same command goes on where it was stopped. */
  readonly resumes?: boolean;
  readonly common?: CommonFlags;
  /** What the progress counts: "bytes" for downloads, else steps. */
  readonly unit?: "steps" | "bytes";
  /** Each a command line, and what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  run(call: Call<z.infer<Flags>>): Promise<Outcome>;
}

/** A command with the type of its flags closed over. */
export interface Command extends Omit<CommandRecord<z.ZodObject>, "run"> {
  readonly fullName: string;
  /** Checks what was given and runs. */
  readonly run: (given: GivenFlags, call: Omit<Call<never>, "flags" | "read">) => Promise<Outcome>;
}

/**
 * What a file in `commands/` exports: the command, given the words that follow its name (its flags may depend on them).
 */
export type CommandFile = (words: readonly string[]) => Command;

export function defineCommand<Flags extends z.ZodObject>(record: CommandRecord<Flags>): Command {
  const { run, ...described } = record;
  const fullName = record.fullName ?? record.name;
  return {
    ...described,
    fullName,
    run: async (given, call) =>
      run({
        ...call,
        flags: readFlags(record.flags, given, fullName),
        read: (schema) => readFlags(schema, given, fullName),
      }),
  };
}

/**
 * The value of a flag among unparsed words, the last one as everywhere: what a command looks at to know which other
 * flags it has.
 */
export function wordAfter(words: readonly string[], flag: string): string | undefined {
  const at = words.findLastIndex((word) => word === flag || word.startsWith(`${flag}=`));
  const word = words[at];
  return word === flag ? words[at + 1] : word?.slice(flag.length + 1);
}
