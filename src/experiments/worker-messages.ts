/** @file What passes between the process that directs an experiment and those that compute its cells: plain data. */

import type { ErrorCode } from "../core/errors.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { EndedCell } from "./cells.js";
import type { PackedSpec } from "./packed.js";
import type { CellAddress } from "./plan.js";

export interface WorkerSetup {
  readonly spec: PackedSpec;
  readonly out: string;
  readonly runtime: RuntimeOptions;
}

export type ToWorker =
  /** Comes first, and once. */
  | { readonly kind: "setup"; readonly setup: WorkerSetup }
  | { readonly kind: "compute"; readonly address: CellAddress }
  /** Leave the cell in hand at the next step. */
  | { readonly kind: "stop" };

export type FromWorker =
  | { readonly kind: "progress"; readonly done: number }
  | ({ readonly kind: "finished" } & EndedCell)
  /** A process of another run has it. */
  | { readonly kind: "busy" }
  | {
      readonly kind: "failed";
      readonly message: string;
      readonly stack: string | undefined;
      /** Of a failure that Wildmark foresees. */
      readonly known: { readonly code: ErrorCode; readonly hint: string | undefined } | undefined;
    };
