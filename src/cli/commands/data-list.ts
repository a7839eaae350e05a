/** @file wildmark data list: which data sets are on this machine. */

import { dirname } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { findFiles, requireDataDir } from "../../data/places.js";
import { type DatasetRecord, datasets } from "../../data/registry.js";
import { type CommandFile, defineCommand } from "../command.js";
import { count, table } from "../output.js";

const flags = z.object({
  dataDir: z.string().optional().meta({ description: "folder with local copies of data sets", placeholder: "DIR" }),
});

export const command: CommandFile = () =>
  defineCommand({
    name: "data list",
    description:
      "Lists the data sets and where they are: --data-dir, WILDMARK_DATA and the cache are searched in this order.",
    flags,
    examples: [["wildmark data list --data-dir data", ""]],
    async run({ flags: { dataDir } }) {
      const found: { record: DatasetRecord; state: State }[] = [];
      // One after the other: their files are read, and large.
      for (const record of datasets) found.push({ record, state: await stateOf(record, dataDir) });
      return {
        document: found.map(({ record: { id, title, kind, trainCount, testCount }, state }) => {
          const available = kind === "built-in" || state.place !== undefined;
          return { id, title, trainCount, testCount, available, ...state };
        }),
        text: table(
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

interface State {
  /** The folder of the files. */
  readonly place?: string;
  /** Why the files cannot be used. */
  readonly damaged?: string;
}

/** Where the files of a data set are and whether they are sound; nothing of one that is built in or nowhere. */
async function stateOf(record: DatasetRecord, dataDir: string | undefined): Promise<State> {
  if (record.kind === "built-in") return {};
  await requireDataDir({ dataDir });
  try {
    const [first] = (await findFiles(record, { dataDir }))?.files.values() ?? [];
    return first === undefined ? {} : { place: dirname(first.path) };
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    return { damaged: error.message };
  }
}

function whereabouts({ kind, id }: DatasetRecord, { place, damaged }: State): string {
  if (kind === "built-in") return "built in";
  if (damaged !== undefined) return `damaged (wildmark data fetch ${id}): ${damaged}`;
  return place ?? `not here: wildmark data fetch ${id}`;
}
