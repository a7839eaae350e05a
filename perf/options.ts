/** @file The benchmark's command line. */

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { z } from "zod";
import { WildmarkError } from "../src/core/errors.js";
import { type Device, devices, threadsFromEnvironment } from "../src/runtime/options.js";
import { cases } from "./cases.js";

export const HELP = `npm run perf -- [options]

Wildmark and PyTorch (where a Python that imports torch is found) on the same weights and batches, in turns.

  --cases LIST     of ${cases.map(({ id }) => id).join(",")},scaling (default: all)
  --device NAME    ${devices.join(", ")}: where Wildmark computes; PyTorch computes on CUDA beside a GPU (default: cpu)
  --threads N      of each side (default: WILDMARK_THREADS, else all cores)
  --turns N        of each side in each case (default: 10)
  --data-dir DIR   where MNIST lies (default: where wildmark looks for it); built-in digits where it is not there
  --seed N         of weights, batches and subsets (default: 0)
  --out FILE       write all times as JSON
  --no-torch       Wildmark alone

${cases.map(({ id, title }) => `  ${id}  ${title}`).join("\n")}
`;

const GROUPS: readonly string[] = [...cases.map(({ id }) => id), "scaling"];

const schema = z.object({
  cases: z
    .string()
    .default(GROUPS.join(","))
    .transform((text) => text.split(",").map((id) => id.trim()))
    .refine((ids) => ids.every((id) => GROUPS.includes(id)), { error: `expected some of ${GROUPS.join(",")}` }),
  device: z.enum(devices).default("cpu"),
  threads: z.coerce.number().int().min(1).optional(),
  turns: z.coerce.number().int().min(1).default(10),
  "data-dir": z.string().optional(),
  seed: z.coerce.number().int().default(0),
  out: z.string().optional(),
  torch: z.boolean().default(true),
});

export interface BenchOptions {
  readonly cases: readonly string[];
  readonly device: Device;
  readonly threads: number;
  readonly turns: number;
  readonly dataDir: string | undefined;
  readonly seed: number;
  readonly out: string | undefined;
  readonly torch: boolean;
}

/** @throws WildmarkError `usage` naming each option that is unknown or wrong. */
export function readOptions(words: readonly string[]): BenchOptions | "help" {
  const values = parsed(words);
  if (values.help) return "help";
  const read = schema.safeParse(values);
  if (!read.success) {
    const complaints = read.error.issues.map(({ path, message }) => `--${path.join(".")}: ${message}`);
    throw new WildmarkError("usage", `${complaints.join("; ")}.`, { hint: "npm run perf -- --help" });
  }
  const { "data-dir": dataDir, threads, out, ...options } = read.data;
  return { ...options, out, dataDir, threads: threads ?? threadsFromEnvironment() ?? availableParallelism() };
}

function parsed(words: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const options = {
    ...{ cases: text, device: text, threads: text, turns: text, "data-dir": text, seed: text, out: text },
    ...{ torch: flag, help: flag },
  };
  try {
    return parseArgs({ args: [...words], options, allowNegative: true }).values;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new WildmarkError("usage", message, { hint: "npm run perf -- --help", cause });
  }
}
