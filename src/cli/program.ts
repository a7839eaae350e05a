/**
 * @file The program: which commands there are, how the chosen one is loaded, and how everything ends.
 *
 * Only the chosen command's file is imported, and with it what it needs (the schema library, ONNX Runtime), so that
 * `wildmark --help` answers at once.
 */

import { Command as CommanderCommand, CommanderError } from "commander";
import { exitStatus, WildmarkError } from "../core/errors.js";
import { WILDMARK_VERSION } from "../core/version.js";
import type { CommandFile } from "./command.js";

interface Entry {
  /** "remove", "data fetch" */
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandFile }>;
}

interface EntryGroup {
  readonly heading: string;
  readonly entries: readonly Entry[];
}

const GROUPS: readonly EntryGroup[] = [
  {
    heading: "Audit marks against removal:",
    entries: [
      {
        name: "demo",
        summary: "the experiment below in about a minute, on digits that need no download",
        load: () => import("./commands/demo.js"),
      },
      {
        name: "audit",
        summary: "which attacks break your mark, at what cost, with how much data; writes a report",
        load: () => import("./commands/audit.js"),
      },
      {
        name: "bench",
        summary: "marks × removers × budgets × seeds, as a file says; goes on where it was stopped",
        load: () => import("./commands/bench.js"),
      },
      {
        name: "bench status",
        summary: "how far a bench is",
        load: () => import("./commands/bench-status.js"),
      },
      {
        name: "bench report",
        summary: "the result of what is finished of a bench",
        load: () => import("./commands/bench-report.js"),
      },
      {
        name: "reproduce",
        summary: "WILD and its controls against three marks; writes a report",
        load: () => import("./commands/reproduce.js"),
      },
      {
        name: "remove",
        summary: "attack one marked model as someone with its weights and a little data would",
        load: () => import("./commands/remove.js"),
      },
      {
        name: "report",
        summary: "draw the report of a result again",
        load: () => import("./commands/report.js"),
      },
    ],
  },
  {
    heading: "Mark and prove:",
    entries: [
      {
        name: "embed",
        summary: "train a mark into a model and write its key",
        load: () => import("./commands/embed.js"),
      },
      {
        name: "verify",
        summary: "test whether a suspect model carries a key's mark",
        load: () => import("./commands/verify.js"),
      },
      {
        name: "certify",
        summary: "how far a model's weights may be moved before its mark can be lost under noise",
        load: () => import("./commands/certify.js"),
      },
      {
        name: "key commit",
        summary: "a hash of a key to publish, so that nobody can say it was made up afterwards",
        load: () => import("./commands/key-commit.js"),
      },
      {
        name: "key export",
        summary: "the key's images as files under random names, for a suspect that somebody else asks",
        load: () => import("./commands/key-export.js"),
      },
    ],
  },
  {
    heading: "Models and data:",
    entries: [
      { name: "train", summary: "train a classifier without a mark", load: () => import("./commands/train.js") },
      { name: "evaluate", summary: "accuracy of a model on a test set", load: () => import("./commands/evaluate.js") },
      {
        name: "info",
        summary: "what a model is and what Wildmark sees in it",
        load: () => import("./commands/info.js"),
      },
      {
        name: "list",
        summary: "the methods, marks, data sets or architectures there are",
        load: () => import("./commands/list.js"),
      },
      {
        name: "data fetch",
        summary: "download a data set into the cache",
        load: () => import("./commands/data-fetch.js"),
      },
      {
        name: "data list",
        summary: "which data sets are on this machine",
        load: () => import("./commands/data-list.js"),
      },
    ],
  },
];

/** What the commands of two words are about, by the first. */
const GROUP_SUMMARIES: Readonly<Record<string, string>> = {
  data: "the data sets themselves",
  key: "publish what proves the key's age, give images away to be asked",
};

const ENTRIES = GROUPS.flatMap((group) => group.entries);

const AFTER_ROOT_HELP = `
Every command: wildmark COMMAND --help. Exit status: 0 done, 1 failed, 2 bad input, 130 stopped.

Examples:
  wildmark demo
  wildmark embed --scheme content --dataset digits --out marked.onnx --key mark.safetensors
  wildmark remove marked.onnx --dataset digits --fraction 0.1 --out cleaned.onnx --key mark.safetensors
  wildmark verify cleaned.onnx --key mark.safetensors

Responsible use: audit models and marks that you own or have permission to test.`;

export interface Ended {
  readonly status: number;
  /** Whether work that was stopped may still be running. */
  readonly abandoned: boolean;
}

/** Runs what stands on the command line; whatever goes wrong ends as a line on stderr and a status. */
export async function runCommandLine(words: readonly string[]): Promise<Ended> {
  try {
    await runChosen(words.length === 0 ? ["--help"] : words);
    return { status: 0, abandoned: false };
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return { status: 0, abandoned: false };
    for (const line of complaint(error)) process.stderr.write(`${line}\n`);
    return { status: exitStatus(error), abandoned: true };
  }
}

async function runChosen(words: readonly string[]): Promise<void> {
  const program = commandTree();
  // "help remove" is another way to say "remove --help".
  const [first, ...others] = words;
  const said = first === "help" ? [...others, "--help"] : words;
  // Of "bench" and "bench status", the longer name is meant where both are there.
  const entry = ENTRIES.findLast(({ name }) => name === said.slice(0, name.split(" ").length).join(" "));
  if (entry === undefined) {
    await parse(
      program,
      said.length === 1 && said[0] !== undefined && said[0] in GROUP_SUMMARIES ? [...said, "--help"] : said,
      "",
    );
    return;
  }

  const [{ command: file }, { describeCommand, perform }] = await Promise.all([entry.load(), import("./perform.js")]);
  const command = file(said.slice(entry.name.split(" ").length));
  const place = placeOf(program, entry.name);
  describeCommand(place, command);
  place.action(() => perform(command, place, typedLine(words)));
  await parse(program, said, command.fullName);
}

/** All commands with their summaries, none loaded. */
function commandTree(): CommanderCommand {
  const program = new CommanderCommand("wildmark")
    .description(
      "Does a backdoor-based watermark survive someone who has the weights and a little data?\n" +
        "Wildmark marks image classifiers, proves ownership, attacks the marks, and measures. ONNX in, ONNX out.",
    )
    .version(WILDMARK_VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .addHelpText("after", AFTER_ROOT_HELP);
  for (const { heading, entries } of GROUPS) {
    for (const { name, summary } of entries) placeOf(program, name).summary(summary).helpGroup(heading);
    for (const group of program.commands.filter((command) => command.name() in GROUP_SUMMARIES)) {
      const names = group.commands.map((command) => command.name());
      group
        .summary(`${names.join(", ")}: ${GROUP_SUMMARIES[group.name()] ?? ""}`)
        .helpGroup(heading)
        .helpCommand(false);
    }
  }
  return program;
}

/** The place of a command in the tree, made where it is not there yet. */
function placeOf(program: CommanderCommand, name: string): CommanderCommand {
  return name
    .split(" ")
    .reduce((parent, word) => parent.commands.find((child) => child.name() === word) ?? parent.command(word), program);
}

/** Parses and runs; usage errors become Wildmark's own. */
async function parse(program: CommanderCommand, words: readonly string[], of: string): Promise<void> {
  try {
    await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode === 0) throw error;
    const [message = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
    const said = message.replace(/ for '\S+'\./, ";").replace(/\.$/, "");
    throw new WildmarkError("usage", of === "" ? `${said}.` : `${of}: ${said}.`, {
      hint:
        suggestion?.replace(/^\((.*)\)$/, "$1") ??
        `${["wildmark", of].join(" ").trimEnd()} --help shows what can be given.`,
    });
  }
}

/** One line that says what went wrong, and one that says what to do; the stack only for those who ask. */
function complaint(error: unknown): string[] {
  const stack = process.env.WILDMARK_DEBUG === "1" && error instanceof Error ? [error.stack ?? ""] : [];
  if (error instanceof WildmarkError) {
    return [
      `wildmark: ${oneLine(error.message)}`,
      ...error.details.map((detail) => `  ${oneLine(detail)}`),
      ...(error.hint === undefined ? [] : [`  ${oneLine(error.hint)}`]),
      ...stack,
    ];
  }
  return [
    `wildmark: ${oneLine(error instanceof Error ? error.message : String(error))}`,
    "  This is a bug in Wildmark. WILDMARK_DEBUG=1 shows where; please report it.",
    ...stack,
  ];
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ");
}

/** The command line as it would be typed again. */
function typedLine(words: readonly string[]): string {
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ["wildmark", ...quoted].join(" ");
}
