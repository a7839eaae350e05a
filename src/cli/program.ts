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
import { examplesText, helpLayout, outputWidth } from "./help.js";
import { wrapped } from "./output.js";
import { guardStreams, print, tell } from "./streams.js";

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
        summary: "marks or given models × removers × budgets × seeds, as a file says; goes on where it was stopped",
        load: () => import("./commands/bench.js"),
      },
      {
        name: "reproduce",
        summary: "WILD and baselines against three marks; writes a report",
        load: () => import("./commands/reproduce.js"),
      },
      {
        name: "remove",
        summary: "attack one marked model as someone with its weights and a little data would",
        load: () => import("./commands/remove.js"),
      },
      {
        name: "status",
        summary: "how far an experiment is",
        load: () => import("./commands/status.js"),
      },
      {
        name: "report",
        summary: "draw the report of a result again, or of what is finished of an experiment",
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
        name: "combine",
        summary: "several keys on several suspects, judged together",
        load: () => import("./commands/combine.js"),
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
        name: "key check",
        summary: "what a judge asks of a key: can it be made again, do null models fit it, what can it prove",
        load: () => import("./commands/key-check.js"),
      },
      {
        name: "key make",
        summary: "a key of triggers that were made elsewhere",
        load: () => import("./commands/key-make.js"),
      },
      {
        name: "key show",
        summary: "what a key holds and says of itself",
        load: () => import("./commands/key-show.js"),
      },
      {
        name: "key open",
        summary: "single triggers of a committed key, while the rest stays secret",
        load: () => import("./commands/key-open.js"),
      },
      {
        name: "key check-opened",
        summary: "hold opened triggers against a commitment, and ask a suspect",
        load: () => import("./commands/key-check-opened.js"),
      },
      {
        name: "key export",
        summary: "the key's images as files, for a suspect that somebody else asks",
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
        name: "scan",
        summary: "what may be planted in a model, without a key",
        load: () => import("./commands/scan.js"),
      },
      {
        name: "info",
        summary: "what a model is and what Wildmark sees in it",
        load: () => import("./commands/info.js"),
      },
      {
        name: "weights",
        summary: "a trained model's weights back in PyTorch's state_dict",
        load: () => import("./commands/weights.js"),
      },
      {
        name: "weights apply",
        summary: "a state_dict's values in the model that was exported",
        load: () => import("./commands/weights-apply.js"),
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
  key: "make, look at, check and publish keys, give images away to be asked",
};

const ENTRIES = GROUPS.flatMap((group) => group.entries);

/** "remove", "data fetch" */
export const commandNames: readonly string[] = ENTRIES.map(({ name }) => name);

const ROOT_EXAMPLES = [
  "wildmark demo",
  "wildmark embed --scheme content --dataset digits --out marked.onnx --key mark.safetensors",
  "wildmark remove marked.onnx --dataset digits --fraction 10% --out cleaned.onnx --key mark.safetensors",
  "wildmark verify cleaned.onnx --key mark.safetensors",
];

function afterRootHelp(): string {
  return `
Every command: wildmark COMMAND --help
Exit status:   0 done, 1 failed, 2 bad input, 3 found (scan), 130 stopped

Examples:
${examplesText(ROOT_EXAMPLES.map((line) => [line, ""]))}

${wrapped("Responsible use: audit models and marks that you own or have permission to test.", outputWidth())}`;
}

export interface Ended {
  readonly status: number;
  /** Whether work that was stopped may still be running. */
  readonly abandoned: boolean;
}

/** Where outcomes and help go. @throws WildmarkError `cannot-write` */
export type Print = (text: string) => Promise<void>;

/** Runs what stands on the command line as this process, and ends it. */
export async function runProcess(words: readonly string[]): Promise<void> {
  guardStreams();
  const ended = await runCommandLine(words, print);
  process.exitCode = ended.status;
  // Work that did not stop in time would keep the process alive.
  if (ended.abandoned) process.exit();
}

/**
 * Runs what stands on the command line; whatever goes wrong ends as a line on stderr and a status, and with `--json` as
 * a document as well.
 */
export async function runCommandLine(words: readonly string[], print: Print): Promise<Ended> {
  try {
    return { status: await runChosen(words.length === 0 ? ["--help"] : words, print), abandoned: false };
  } catch (error) {
    for (const line of complaint(error)) tell(`${line}\n`);
    // Where stdout itself has failed, stderr has said so.
    if (wantsJson(words)) await print(`${JSON.stringify(errorDocument(error), undefined, 2)}\n`).catch(() => undefined);
    return { status: exitStatus(error), abandoned: true };
  }
}

/** @returns the exit status. */
async function runChosen(words: readonly string[], print: Print): Promise<number> {
  // "help remove" is another way to say "remove --help".
  const [first, ...others] = words;
  const said = first === "help" ? [...others, "--help"] : words;
  // Of "bench" and "bench status", the longer name is meant where both are there.
  const entry = ENTRIES.findLast(({ name }) => name === said.slice(0, name.split(" ").length).join(" "));
  let help = "";
  const program = commandTree((text) => {
    help += text;
  });
  let status = 0;
  if (entry === undefined) {
    const isGroup = said.length === 1 && said[0] !== undefined && said[0] in GROUP_SUMMARIES;
    await parse(program, isGroup ? [...said, "--help"] : said, "");
  } else {
    const [{ command: file }, { describeCommand, perform }] = await Promise.all([entry.load(), import("./perform.js")]);
    const command = file(said.slice(entry.name.split(" ").length));
    const place = placeOf(program, entry.name);
    describeCommand(place, command);
    place.action(async () => {
      status = await perform(command, place, { typed: typedLine(words), print });
    });
    await parse(program, said, command.fullName);
  }
  if (help !== "") await print(help);
  return status;
}

/** All commands with their summaries, none loaded. */
function commandTree(writeOut: (text: string) => void): CommanderCommand {
  const program = new CommanderCommand("wildmark")
    .description(
      "Does a backdoor-based watermark survive someone who has the weights and a little data?\n" +
        "Wildmark marks image classifiers, proves ownership, attacks the marks, and measures. ONNX in, ONNX out.",
    )
    .version(WILDMARK_VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut, writeErr: () => {}, getOutHelpWidth: outputWidth })
    .configureHelp(helpLayout)
    .addHelpText("after", afterRootHelp);
  for (const { heading, entries } of GROUPS) {
    for (const { name, summary } of entries) {
      const place = placeOf(program, name).summary(summary);
      if (!name.includes(" ")) place.helpGroup(heading);
    }
    const own = new Set(entries.map(({ name }) => name.split(" ")[0]));
    for (const group of program.commands.filter((command) => own.has(command.name()))) {
      if (!(group.name() in GROUP_SUMMARIES)) continue;
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

/** Parses and runs; usage errors become Wildmark's own, and help that was asked for is no error. */
async function parse(program: CommanderCommand, words: readonly string[], of: string): Promise<void> {
  try {
    await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
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

/** A failure as the document that `--json` promises. */
function errorDocument(error: unknown) {
  const { message } = error instanceof Error ? error : new Error(String(error));
  const { code, hint, details } =
    error instanceof WildmarkError ? error : { code: "bug", hint: "Please report it.", details: [] };
  return { error: { code, message, hint: hint ?? null, details, status: exitStatus(error) } };
}

/** Whether `--json` was given, also where what was given could not be parsed. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return words.slice(0, end < 0 ? words.length : end).includes("--json");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ");
}

/** The command line as it would be typed again. */
function typedLine(words: readonly string[]): string {
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ["wildmark", ...quoted].join(" ");
}
