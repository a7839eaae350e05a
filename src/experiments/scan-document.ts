/**
 * @file The document of a scan: which model was looked at, with which detectors, what they found, and what they cannot
 * see.
 */

import { z } from "zod";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { type Looked, type Scan, UNSEEN } from "../tasks/scan-model.js";
import { documentShape, RESULT_FORMAT } from "./document.js";
import { thisMachine, thisSoftware } from "./machine.js";

export const SCAN_VERSION = 1;

const findingSchema = z.object({
  /** The detector's id. */
  detector: z.string(),
  level: z.enum(["planted", "suspicious", "note"]),
  what: z.string(),
  /** Names in the file, from the input's side to the scores'. */
  nodes: z.array(z.string()),
  path: z.array(z.string()),
  target: z.int().min(0).optional(),
  sure: z.string(),
  innocent: z.string(),
  advice: z.string(),
});

const lookedShape = {
  id: z.string(),
  kind: z.enum(["graph", "statistic"]),
  title: z.string(),
  summary: z.string(),
  source: z.string(),
  /** What it cannot see. */
  blind: z.string(),
};

const lookedSchema = z.discriminatedUnion("ran", [
  z.object({ ...lookedShape, ran: z.literal(true), findings: z.int().min(0) }),
  z.object({ ...lookedShape, ran: z.literal(false), why: z.string() }),
]);

const { data: _, ...said } = documentShape;

export const scanDocumentSchema = z.object({
  ...said,
  version: z.literal(SCAN_VERSION),
  kind: z.literal("scan"),
  model: z.object({
    /** As it was named. */
    path: z.string(),
    /** Of the file as it lies there. */
    bytes: z.int().positive(),
    sha256: z.string(),
    /** Of what was read from it: what keys and results know a model by. */
    readSha256: z.string(),
    /** Channels, height, width of the images that it was shown; null where it takes none. */
    shape: z.tuple([z.int(), z.int(), z.int()]).nullable(),
    /** Null where the file does not say. */
    classes: z.int().positive().nullable(),
  }),
  /** Clean images that it was shown; null for none. */
  images: z.object({ id: z.string(), sha256: z.string(), count: z.int().positive() }).nullable(),
  /** The gravest first. */
  findings: z.array(findingSchema),
  detectors: z.array(lookedSchema),
  /** What none of the detectors can see. */
  unseen: z.array(z.string()),
  /** What was assumed, and what reading the file changed. */
  notes: z.array(z.string()),
});

export type ScanDocument = z.infer<typeof scanDocumentSchema>;

export interface ScanFacts {
  /** The command line as it was typed. */
  readonly command: string;
  readonly started: Date;
  readonly runtime?: RuntimeOptions;
  readonly path: string;
  readonly model: Model;
  /** Of the file as it lies there. */
  readonly file: { readonly bytes: number; readonly sha256: string };
  readonly images?: ScanDocument["images"];
}

export function scanDocument(scan: Scan, facts: ScanFacts): ScanDocument {
  const { command, started, runtime = {}, path, model, file, images = null } = facts;
  const finished = new Date();
  const { shape, classes } = scan;
  return {
    format: RESULT_FORMAT,
    version: SCAN_VERSION,
    kind: "scan",
    title: `Is something planted in ${path}?`,
    command,
    started: started.toISOString(),
    finished: finished.toISOString(),
    seconds: (finished.getTime() - started.getTime()) / 1000,
    software: thisSoftware(),
    machine: thisMachine(runtime, runtime.threads ?? 1),
    model: {
      path,
      ...file,
      readSha256: modelSha256(encodeModel(model)),
      shape: shape === undefined ? null : [shape.channels, shape.height, shape.width],
      classes: classes ?? null,
    },
    images,
    findings: scan.findings.map(({ nodes, path: way, ...finding }) => ({
      ...finding,
      nodes: [...nodes],
      path: [...way],
    })),
    detectors: scan.looked.map(lookedIn),
    unseen: [...UNSEEN],
    notes: [...model.notes, ...scan.notes],
  };
}

function lookedIn(looked: Looked): ScanDocument["detectors"][number] {
  const { id, kind, title, summary, source, blind } = looked.detector;
  const detector = { id, kind, title, summary, source, blind };
  return looked.ran
    ? { ...detector, ran: true, findings: looked.findings }
    : { ...detector, ran: false, why: looked.why };
}
