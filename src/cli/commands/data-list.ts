/** @file wildmark data list: which data sets are on this machine. */

import { z } from "zod";
import { findFolder } from "../../data/places.js";
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
      const found = await Promise.all(
        datasets.map(async (record) => ({ record, place: await placeOf(record, dataDir) })),
      );
      return {
        document: found.map(({ record: { id, title, kind, trainCount, testCount }, place }) => {
          return { id, title, trainCount, testCount, available: kind === "built-in" || place !== undefined, place };
        }),
        text: table(
          found.map(({ record, place }) => [
            record.id,
            record.title,
            count(record.trainCount),
            count(record.testCount),
            whereabouts(record, place),
          ]),
          ["name", "title", "train", "test", "where"],
        ),
      };
    },
  });

/** The folder of a data set's files; undefined when it is built in or nowhere. */
async function placeOf(record: DatasetRecord, dataDir: string | undefined): Promise<string | undefined> {
  return record.kind === "built-in" ? undefined : findFolder(record, { dataDir });
}

function whereabouts({ kind, id }: DatasetRecord, place: string | undefined): string {
  if (kind === "built-in") return "built in";
  return place ?? `not here: wildmark data fetch ${id}`;
}
