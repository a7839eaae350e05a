/** @file Processes that compute the cells of one experiment, each cell in whichever process is free. */

import { type ChildProcess, fork } from "node:child_process";
import { builtScript } from "../core/built.js";
import { WildmarkError } from "../core/errors.js";
import type { EndedCell } from "./cells.js";
import type { CellAddress } from "./plan.js";
import { CellBusy } from "./store.js";
import type { FromWorker, ToWorker, WorkerSetup } from "./worker-messages.js";

export interface CellPool {
  /**
   * Computes a cell in a free process; it is then found finished in the experiment's folder. At most as many at a time
   * as there are processes.
   *
   * @throws WildmarkError `runtime` where the process died of it; the next cell gets a new one.
   */
  compute(address: CellAddress, onProgress: (done: number) => void): Promise<EndedCell>;
  /** Asks all processes to leave what they compute at the next step: it then fails as `interrupted`. */
  stop(): void;
  /** Stops, and ends the processes once they have left their work. */
  close(): Promise<void>;
}

/** What is kept of what a process says on stderr: enough for the line that says why it died. */
const KEPT_WORDS = 8_000;

interface Worker {
  readonly child: ChildProcess;
  /** The end of its stderr. */
  readonly lastWords: () => string;
}

/**
 * At most `jobs` processes, started when they are needed; the records of the experiment must be those of the
 * registries.
 */
export function openCellPool(setup: WorkerSetup, jobs: number): CellPool {
  const idle: Worker[] = [];
  const busy = new Map<Worker, Promise<unknown>>();
  const stop = (): void => {
    for (const { child } of busy.keys()) send(child, { kind: "stop" });
  };
  return {
    async compute(address, onProgress) {
      if (busy.size >= jobs) throw new Error("more cells at a time than processes");
      const worker = takeLiving(idle) ?? startWorker(setup);
      const work = computeIn(worker, address, onProgress);
      busy.set(worker, work);
      try {
        return await work;
      } finally {
        busy.delete(worker);
        idle.push(worker);
      }
    },
    stop,
    async close() {
      stop();
      await Promise.allSettled(busy.values());
      for (const { child } of idle) if (child.connected) child.disconnect();
    },
  };
}

/** A process that has not died since its last cell. */
function takeLiving(idle: Worker[]): Worker | undefined {
  for (let worker = idle.shift(); worker !== undefined; worker = idle.shift())
    if (worker.child.connected) return worker;
  return undefined;
}

function startWorker(setup: WorkerSetup): Worker {
  const script = builtScript("experiments/cell-worker.js");
  // "advanced": data sets go as the bytes that they are.
  const child = fork(script, { serialization: "advanced", stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let words = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    words = `${words}${text}`.slice(-KEPT_WORDS);
  });
  // What cannot be sent because the process has died is told by its exit.
  child.on("error", () => {});
  send(child, { kind: "setup", setup });
  return { child, lastWords: () => words };
}

function send(child: ChildProcess, message: ToWorker): void {
  if (child.connected) child.send(message, () => {});
}

function computeIn(worker: Worker, address: CellAddress, onProgress: (done: number) => void): Promise<EndedCell> {
  const { child } = worker;
  return new Promise((resolve, reject) => {
    const onMessage = (message: FromWorker): void => {
      if (message.kind === "progress") {
        onProgress(message.done);
        return;
      }
      settle();
      if (message.kind === "finished") resolve({ line: message.line, computed: message.computed });
      else if (message.kind === "busy") reject(new CellBusy("another process is computing it"));
      else reject(errorFrom(message));
    };
    // "close" and not "exit": by then all of its last words have come.
    const onClose = (status: number | null, signal: NodeJS.Signals | null): void => {
      settle();
      reject(died(status, signal, worker.lastWords()));
    };
    const settle = (): void => {
      child.off("message", onMessage).off("close", onClose);
    };
    child.on("message", onMessage).on("close", onClose);
    send(child, { kind: "compute", address });
  });
}

function errorFrom({ message, stack, known }: FromWorker & { readonly kind: "failed" }): Error {
  if (known !== undefined) {
    return new WildmarkError(known.code, message, known.hint === undefined ? {} : { hint: known.hint });
  }
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

function died(status: number | null, signal: NodeJS.Signals | null, lastWords: string): WildmarkError {
  const how = signal === null ? `ended with status ${status}` : `was killed (${signal})`;
  const memory = signal === "SIGKILL" || /out of memory|bad_alloc/i.test(lastWords);
  const said = lastWords.split("\n").find((line) => /^FATAL ERROR|what\(\)|Error: /.test(line));
  return new WildmarkError(
    "runtime",
    `The process that computed it ${how}${memory ? ", as happens when memory runs out" : ""}` +
      `${said === undefined ? "" : `: ${said.trim()}`}.`,
    { hint: memory ? "Run it again with fewer --jobs; what is finished is kept." : "What is finished is kept." },
  );
}
