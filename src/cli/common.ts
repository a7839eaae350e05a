/** @file The flags that every command takes. */

import { z } from "zod";
import { devices } from "../runtime/options.js";
import { autotunings } from "../runtime/autotuning/mode.js";

/** Of no effect where nothing is random, computed or written: then accepted, so that scripts can pass them to all. */
export const commonFlags = z.object({
  seed: z.int().default(0).meta({ description: "seed of everything random", placeholder: "N" }),
  threads: z.int().min(1).max(1024).optional().meta({
    description: "threads of one model (default: WILDMARK_THREADS, else all cores; in experiments 1)",
    placeholder: "N",
  }),
  device: z
    .enum([...devices, "auto"])
    .default("cpu")
    .describe("where models run; auto: tries the network on all and takes the quickest"),
  autotuning: z
    .enum(autotunings)
    .optional()
    .meta({
      description:
        "how layers and their gradients are computed: by rule (off), as measured before (cached), or " +
        "measured first where it " +
        "was not (full) (default: WILDMARK_AUTOTUNING, else off)",
      placeholder: autotunings.join("|"),
    }),
  winograd: z
    .boolean()
    .default(true)
    .describe("train wide convolutions of 3×3 by their definition: slower, and rounded a little less"),
  force: z
    .boolean()
    .default(false)
    .describe("overwrite what exists; take doubtful files of data sets, which results then say"),
  json: z.boolean().default(false).describe("print one JSON document instead of text"),
  quiet: z.boolean().default(false).describe("no progress on stderr"),
});
