/**
 * @file A file that holds how far a run is: its trainings, and what was measured on their way. Whoever runs the same
 * again, after Ctrl-C, a crash or a power cut, goes on after the last epoch that it holds, and ends with the same bytes.
 *
 * It is a safetensors file, written in one step, for its owner's eyes only: it may hold the secret that a key is drawn
 * from. Another run's file is not read, and written over.
 */

import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { writeFileAtomic } from "../core/files.js";
import { parsedJson } from "../core/json.js";
import { decodeSafetensors, encodeSafetensors } from "../core/safetensors.js";
import type { FloatTensor, Tensor } from "../core/tensor.js";
import type { Checkpoint, SavedTraining } from "../training/checkpoint.js";
import { type EpochRecord, epochSchema } from "./records.js";

/** Records of epochs: those that another process left, and those that follow. */
export interface Journal {
  readonly known: readonly EpochRecord[];
  add(record: EpochRecord): void;
}

/** No file; one that this run goes on from; one of another run; or a file of another kind, or a damaged one. */
export type FoundFile = "nothing" | "this run" | "another run" | "another file";

export interface RunCheckpoint {
  readonly training: Checkpoint;
  /** That of the epochs that are recorded now: journals come in the same order every time. */
  journal(): Journal;
  /** What the run drew for itself: as it was drawn first. */
  readonly drawn: string;
  /** What the file is that was there. */
  readonly found: FoundFile;
  /** Writes what the file does not hold yet. */
  flush(): Promise<void>;
  /** Takes the file away: there is nothing to go on with. */
  remove(): Promise<void>;
}

/**
 * Does the work that a checkpoint is for, its output included: then the file goes. Where it is stopped, all finished
 * epochs are in the file; where training diverges, the file goes too, since it would diverge again.
 */
export async function keeping<T>(checkpoint: RunCheckpoint, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    await checkpoint.remove();
    return result;
  } catch (error) {
    const code = error instanceof WildmarkError ? error.code : undefined;
    if (code === "interrupted") await checkpoint.flush();
    if (code === "numeric") await checkpoint.remove();
    throw error;
  }
}

export interface CheckpointOptions {
  /** All that the run's result depends on, as plain data. */
  readonly identity: unknown;
  /** What this process has drawn for itself, which a run that goes on takes from the file: a secret, say. */
  readonly drawn?: string;
  /**
   * Seconds that must have passed since the file was written last; default: WILDMARK_CHECKPOINT_SECONDS, else 10, so
   * that short epochs stay short.
   */
  readonly every?: number;
}

const FORMAT = "wildmark training";

const trainingSchema = z.object({
  epochs: z.array(
    z.object({ epoch: z.int().min(1), loss: z.number(), learningRate: z.number(), seconds: z.number().min(0) }),
  ),
  steps: z.int().min(0),
  averaged: z.boolean(),
  memory: z.array(z.number()),
});

const metadataSchema = z.object({
  format: z.literal(FORMAT),
  identity: z.string(),
  drawn: z.string(),
  trainings: z.string().transform(parsedJson).pipe(z.array(trainingSchema)),
  journals: z
    .string()
    .transform(parsedJson)
    .pipe(z.array(z.array(epochSchema))),
});

/** @param path may be there or not; its folder is. */
export async function openCheckpoint(path: string, options: CheckpointOptions): Promise<RunCheckpoint> {
  const identity = createHash("sha256").update(JSON.stringify(options.identity)).digest("hex");
  const everyMs = 1000 * (options.every ?? secondsFromEnvironment() ?? 10);
  const read = await readCheckpoint(path, identity);
  const found = typeof read === "string" ? undefined : read;
  const drawn = found?.drawn ?? options.drawn ?? "";
  /** By training, and by journal: what the next file holds. */
  const trainings: SavedTraining[] = [...(found?.trainings ?? [])];
  const journals: EpochRecord[][] = [];
  let [begun, written, waiting] = [0, performance.now(), false];

  const write = async (): Promise<void> => {
    await writeFileAtomic(path, encode({ identity, drawn, trainings, journals }), { force: true, mode: 0o600 });
    [written, waiting] = [performance.now(), false];
  };
  return {
    drawn,
    found: typeof read === "string" ? read : "this run",
    training: {
      next() {
        const place = begun++;
        return {
          saved: found?.trainings[place],
          async keep(saved, finished) {
            const { state, ...rest } = await saved();
            // Of one that is finished nothing but its model is wanted.
            trainings[place] = { ...rest, state: finished ? { ...state, slots: new Map() } : state };
            waiting = true;
            if (performance.now() - written >= everyMs) await write();
          },
        };
      },
    },
    journal() {
      const known = found?.journals[journals.length] ?? [];
      const records = [...known];
      journals.push(records);
      return {
        known,
        add(record) {
          records.push(record);
        },
      };
    },
    async flush() {
      if (waiting) await write();
    },
    remove: () => rm(path, { force: true }),
  };
}

interface Held {
  readonly identity: string;
  readonly drawn: string;
  readonly trainings: readonly SavedTraining[];
  readonly journals: readonly (readonly EpochRecord[])[];
}

function encode({ identity, drawn, trainings, journals }: Held): Uint8Array {
  const tensors = new Map<string, Tensor>();
  const put = (prefix: string, weights: ReadonlyMap<string, FloatTensor>): void => {
    for (const [name, tensor] of weights) tensors.set(`${prefix}/${name}`, tensor);
  };
  trainings.forEach(({ state, average }, i) => {
    put(`${i}/weights`, state.weights);
    for (const [slot, weights] of state.slots) put(`${i}/slot:${slot}`, weights);
    put(`${i}/average`, average ?? new Map());
  });
  const told = trainings.map(({ epochs, state: { steps }, average, memory }) => {
    return { epochs, steps, averaged: average !== undefined, memory };
  });
  const metadata = { format: FORMAT, identity, drawn };
  const lists = { trainings: JSON.stringify(told), journals: JSON.stringify(journals) };
  return encodeSafetensors({ metadata: new Map(Object.entries({ ...metadata, ...lists })), tensors });
}

function secondsFromEnvironment(): number | undefined {
  const text = process.env.WILDMARK_CHECKPOINT_SECONDS;
  const seconds = text === undefined || text.trim() === "" ? Number.NaN : Number(text);
  return seconds >= 0 ? seconds : undefined;
}

async function readCheckpoint(path: string, identity: string): Promise<Held | Exclude<FoundFile, "this run">> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return "nothing";
  try {
    const { metadata, tensors } = decodeSafetensors(new Uint8Array(bytes), path);
    const parsed = metadataSchema.safeParse(Object.fromEntries(metadata));
    if (!parsed.success) return "another file";
    if (parsed.data.identity !== identity) return "another run";
    const { trainings, ...rest } = parsed.data;
    const parts = partsOf(tensors);
    return {
      ...rest,
      trainings: trainings.map(({ epochs, steps, averaged, memory }, i): SavedTraining => {
        const own = parts.get(String(i)) ?? new Map<string, Map<string, FloatTensor>>();
        const slots = [...own].flatMap(([part, weights]) =>
          part.startsWith("slot:") ? [[part.slice("slot:".length), weights] as const] : [],
        );
        const state = { steps, weights: own.get("weights") ?? new Map(), slots: new Map(slots) };
        return { epochs, state, average: averaged ? own.get("average") : undefined, memory };
      }),
    };
  } catch (error) {
    if (error instanceof WildmarkError) return "another file";
    throw error;
  }
}

/** "0/slot:momentum/conv.weight": by training, by part, by weight. */
function partsOf(tensors: ReadonlyMap<string, Tensor>): Map<string, Map<string, Map<string, FloatTensor>>> {
  const trainings = new Map<string, Map<string, Map<string, FloatTensor>>>();
  for (const [name, tensor] of tensors) {
    const [training = "", part = "", ...rest] = name.split("/");
    if (tensor.type !== "float32") continue;
    const parts = trainings.get(training) ?? new Map<string, Map<string, FloatTensor>>();
    const weights = parts.get(part) ?? new Map<string, FloatTensor>();
    trainings.set(training, parts.set(part, weights.set(rest.join("/"), tensor)));
  }
  return trainings;
}
