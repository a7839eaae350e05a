/**
 * @file PyTorch's side: one long-lived Python process (`torch_side.py`) that is told over stdin what to do.
 *
 * Weights, batches and data go there in safetensors files, so that both sides compute on the same bits.
 */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { z } from "zod";
import type { Contestant } from "./contest.js";
import type { Sgd } from "./work.js";

/** What PyTorch is to do; paths are of safetensors files. */
export type TorchWork =
  | {
      readonly kind: "steps";
      readonly architecture: string;
      readonly weights: string;
      readonly objective: "cross-entropy" | "wild";
      readonly sgd: Sgd;
      /** `images` [batches, rows, C, H, W] in [0, 1], `labels` [batches, batch]. */
      readonly batches: string;
      /** How many first losses `check` tells. */
      readonly checked: number;
    }
  | {
      readonly kind: "epochs";
      readonly architecture: string;
      readonly weights: string;
      readonly objective: "wild";
      readonly sgd: Sgd;
      readonly batch: number;
      readonly seed: number;
      /** `train_images`, `test_images` (uint8) and `train_labels`, `test_labels`. */
      readonly data: string;
    }
  | {
      readonly kind: "inference";
      readonly architecture: string;
      readonly weights: string;
      /** `images` (uint8). */
      readonly data: string;
    };

const aboutSchema = z.object({
  version: z.string(),
  python: z.string(),
  threads: z.int(),
  /** "cpu", or the name of the card. */
  device: z.string(),
  about: z.array(z.string()),
});

export type AboutTorch = z.infer<typeof aboutSchema>;

export interface Torch {
  readonly about: AboutTorch;
  /** Loads the work; one at a time, so release the contestant before the next. */
  load(work: TorchWork): Promise<Contestant>;
  stop(): Promise<void>;
}

/**
 * The first Python that can import torch, with a card where `device` wants one: `$WILDMARK_PYTHON` alone where that is
 * set, else `python3`, else `/usr/bin/python3`, which is another one where people have installed their own.
 */
export async function findPython(
  device: TorchOptions["device"],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string | undefined> {
  const candidates = env.WILDMARK_PYTHON ? [env.WILDMARK_PYTHON] : ["python3", "/usr/bin/python3"];
  for (const python of candidates) {
    const found = await promisify(execFile)(python, [
      "-c",
      device === "cpu" ? "import torch, numpy" : "import torch, numpy; torch.cuda.get_device_name()",
    ]).then(
      () => true,
      () => false,
    );
    if (found) return python;
  }
  return undefined;
}

/**
 * glibc gives large blocks back to the system by default and gets them anew in each step, which took twice the time of
 * a step of a ResNet-18 of width 16, unless an earlier case had taught it better. ONNX Runtime keeps its memory too.
 */
const MEMORY = { MALLOC_MMAP_THRESHOLD_: String(2 ** 25), MALLOC_TRIM_THRESHOLD_: String(2 ** 32) };

export interface TorchOptions {
  readonly device: "cpu" | "cuda";
  readonly threads: number;
}

/** @param script the path of torch_side.py */
export async function startTorch(python: string, script: string, { device, threads }: TorchOptions): Promise<Torch> {
  const child = spawn(python, [script], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...MEMORY, ...process.env, OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) },
  });
  const ask = conversation(child);
  const about = aboutSchema.parse(await ask({ do: "start", device, threads }));
  return {
    about,
    async load(work) {
      await ask({ do: "load", work });
      return {
        check: async () => z.object({ values: z.array(z.number()) }).parse(await ask({ do: "check" })).values,
        run: async (units) =>
          z.object({ milliseconds: z.array(z.number()).length(units) }).parse(await ask({ do: "run", units }))
            .milliseconds,
        release: async () => {
          await ask({ do: "free" });
        },
      };
    },
    async stop() {
      child.stdin?.end();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

/** Sends one JSON line and waits for the one that answers it. */
function conversation({ stdin, stdout }: ChildProcess): (order: object) => Promise<unknown> {
  if (stdin === null || stdout === null) throw new Error("the child process has no pipes");
  stdin.on("error", () => {}); // the missing answer tells
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async (order) => {
    stdin.write(`${JSON.stringify(order)}\n`);
    const answer = await lines.next();
    if (answer.done) throw new Error(`PyTorch's process ended at ${JSON.stringify(order)}; its words stand above.`);
    return JSON.parse(answer.value);
  };
}
