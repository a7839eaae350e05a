/** @file Optimisers as people write them: "sgd", "adamw", "muon:0.6:3". */

import { z } from "zod";
import { readKind } from "../core/kind-text.js";
import { type Optimizer, optimizerSchema } from "./optimizer.js";

/** What the help and messages say of them. */
export const OPTIMIZERS = "sgd, adam, adamw, muon[:MOMENTUM[:ITERATIONS]] or muon-unit[:MOMENTUM[:ITERATIONS]]";

export const optimizerText = z.string().refine((text) => read(text, {}) !== undefined, {
  error: `expected ${OPTIMIZERS}`,
});

/** What options say of SGD, and of any optimiser. */
interface SgdSays {
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  readonly decayOn?: "all" | "kernels" | undefined;
}

/** What moves the weights, and what moves kernels where that is something else. */
export interface Optimizers {
  readonly main: Optimizer;
  readonly kernels: Optimizer | undefined;
}

/**
 * Reads what `optimizerText` accepts: beside Muon, which is for kernels, SGD moves the rest. `muon-unit` holds each
 * kernel at length √outputs (`optimizerSchema`).
 */
export function parseOptimizer(text: string, sgd: SgdSays): Optimizers {
  const found = read(text, sgd);
  if (found === undefined) throw new RangeError(`"${text}" is no optimiser`);
  return found;
}

function read(text: string, sgd: SgdSays): Optimizers | undefined {
  const { kind, ...numbers } = readKind(text, { muon: MUON, "muon-unit": MUON });
  const only = (fields: object): Optimizers | undefined => {
    const main = optimizerSchema.safeParse(fields);
    return main.success ? { main: main.data, kernels: undefined } : undefined;
  };
  switch (kind) {
    case "sgd":
      return only({ kind, ...sgd });
    case "adam":
    case "adamw":
      return only({ kind, weightDecay: sgd.weightDecay });
    case "muon":
    case "muon-unit": {
      const kernels = optimizerSchema.safeParse({ kind: "muon", unit: kind === "muon-unit", ...numbers });
      const rest = only({ kind: "sgd", ...sgd });
      return kernels.success && rest !== undefined ? { ...rest, kernels: kernels.data } : undefined;
    }
    default:
      return undefined;
  }
}

const MUON = ["momentum", "iterations"];
