/** @file wildmark data list: which data sets are on this machine, or what one at a path is. */

import { dirname } from "node:path";
import { z } from "zod";
import { type ErrorCode, WildmarkError } from "../../core/errors.js";
import type { Progress } from "../../core/progress.js";
import { isPath, loadData } from "../../data/load.js";
import { findFiles, requireDataDir } from "../../data/places.js";
import { type DatasetRecord, datasets } from "../../data/registry.js";
import { type CommandFile, defineCommand, type Outcome } from "../command.js";
import { dataFlags, doubtLines, sizeOf } from "../data.js";
import { textTable } from "../../core/text-table.js";
import { count } from "../output.js";

const flags = z.object({
  dataDir: dataFlags.dataDir,
  resize: dataFlags.resize,
  dataSeed: dataFlags.dataSeed,
});

export const command: CommandFile = () =>
  defineCommand({
    name: "data list",
    description:
      "Lists the data sets and where they are: --data-dir, WILDMARK_DATA and the cache are searched in this " +
      "order. With " +
      "PATH, says what the data set there is: its classes by label, and what was found or passed over.",
    arguments: [{ name: "PATH", description: "a data set of your own", optional: true }],
    flags,
    examples: [
      ["wildmark data list --data-dir data", ""],
      ["wildmark data list photos/", "the classes of a folder of class folders, and the images of each"],
    ],
    async run({ args: [path], flags: { dataDir, resize, dataSeed }, progress }) {
      if (path !== undefined) return describePath(path, { resize, dataSeed, progress });
      const found: { record: DatasetRecord; state: State }[] = [];
      // One after the other: their files are read, and large.
      for (const record of datasets) found.push({ record, state: await stateOf(record, dataDir) });
      return {
        document: found.map(({ record: { id, title, kind, trainCount, testCount }, state }) => {
          const available = kind === "built-in" || state.place !== undefined;
          return { id, title, trainCount, testCount, available, ...state };
        }),
        text: textTable(
          found.map(({ record, state }) => [
            record.id,
            record.title,
            count(record.trainCount),
            count(record.testCount),
            whereabouts(record, state),
          ]),
          ["name", "title", "train", "test", "where"],
        ),
      };
    },
  });

/** What lies at a path: nothing is trained, but images are decoded, so that a later command finds them sound. */
async function describePath(
  path: string,
  given: { readonly resize?: string | undefined; readonly dataSeed?: number | undefined; readonly progress: Progress },
): Promise<Outcome> {
  if (!isPath(path)) {
    throw new WildmarkError("usage", `data list: ${path} is no path of a data set.`, {
      hint:
        "Give the path of a data set, such as ./photos; wildmark data list alone lists those that are " +
        "known by name.",
    });
  }
  const { id, sha256, train, test, classNames, warnings, doubts } = await loadData(path, {
    resize: sizeOf(given.resize),
    seed: given.dataSeed,
    progress: given.progress,
  });
  const perClass = [train, test].map(({ classes, labels }) => {
    const counts = new Array<number>(classes).fill(0);
    for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
    return counts;
  });
  const classes = Array.from({ length: train.classes }, (_, label) => ({
    label,
    name: classNames?.[label] ?? null,
    train: perClass[0]?.[label] ?? 0,
    test: perClass[1]?.[label] ?? 0,
  }));
  const notes = warnings.filter((warning) => !doubts?.includes(warning));
  const rows = classes.map(({ label, name, ...images }) => {
    return [String(label), name === null ? "" : JSON.stringify(name), count(images.train), count(images.test)];
  });
  return {
    document: {
      id,
      path,
      sha256,
      shape: train.shape,
      trainCount: train.count,
      testCount: test.count,
      classes,
      notes,
      doubts: doubts ?? [],
    },
    text: [notes.join("\n"), textTable(rows, ["label", "class", "train", "test"]), ...doubtLines(doubts ?? [])].join(
      "\n\n",
    ),
  };
}

interface State {
  /** The folder of the files. */
  readonly place?: string;
  /** Why they may not be what was published; absent: they are. */
  readonly doubts?: readonly string[];
  /** Why the files cannot be used. */
  readonly damaged?: string;
  /** `bad-data` where they are another set's. */
  readonly code?: ErrorCode;
}

/** Where the files of a data set are and whether they are sound; nothing of one that is built in or nowhere. */
async function stateOf(record: DatasetRecord, dataDir: string | undefined): Promise<State> {
  if (record.kind === "built-in") return {};
  await requireDataDir({ dataDir });
  try {
    const found = await findFiles(record, { dataDir, force: true });
    const [first] = found?.files.values() ?? [];
    if (found === undefined || first === undefined) return {};
    const { doubts } = found;
    return { place: dirname(first.path), ...(doubts.length === 0 ? {} : { doubts }) };
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    return { damaged: error.message, code: error.code };
  }
}

function whereabouts({ kind, id }: DatasetRecord, { place, damaged, code, doubts = [] }: State): string {
  if (kind === "built-in") return "built in";
  if (damaged !== undefined) {
    return code === "bad-data" ? `refused: ${damaged}` : `damaged (wildmark data fetch ${id}): ${damaged}`;
  }
  if (place !== undefined && doubts.length > 0) {
    const [first = ""] = doubts;
    const more = doubts.length === 1 ? "" : ` (and ${doubts.length - 1} more)`;
    return `${place}, doubtful, taken with --force only: ${first}${more}`;
  }
  return place ?? `not here: wildmark data fetch ${id}`;
}
