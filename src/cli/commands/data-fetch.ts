/** @file wildmark data fetch: a data set into the cache. */

import { z } from "zod";
import { fetchDataset } from "../../data/fetch.js";
import { type CommandFile, defineCommand } from "../command.js";
import { defined } from "../../core/defined.js";

const flags = z.object({
  cache: z
    .string()
    .optional()
    .meta({ description: "folder that downloads go to (default: ~/.cache/wildmark)", placeholder: "DIR" }),
});

export const command: CommandFile = () =>
  defineCommand({
    name: "data fetch",
    description: "Downloads a data set, checks it against its published checksums, and continues what was broken off.",
    arguments: [{ name: "NAME", description: "a data set, such as mnist or cifar-10" }],
    flags,
    unit: "bytes",
    examples: [
      ["wildmark data fetch mnist", ""],
      ["wildmark data fetch cifar-10", "162 MB, unpacked into the cache; interrupted, it goes on where it was"],
      ["wildmark data fetch mnist --cache data", "then: WILDMARK_DATA=data wildmark reproduce --dataset mnist"],
    ],
    async run({ args: [id = ""], flags: { cache }, progress, signal }) {
      const files = await fetchDataset(id, {
        ...defined({ cacheDir: cache }),
        onProgress: ({ file, received, total }) => progress.update(file, received, total),
        signal,
      });
      const lines = files.map(({ path, already }) => `${path}${already ? " (was there)" : ""}`);
      return { document: { command: "data fetch", dataset: id, files }, text: lines.join("\n") };
    },
  });
