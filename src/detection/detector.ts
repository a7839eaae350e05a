/**
 * @file What a detector is: a record, run on a model that somebody was given, without any key.
 *
 * Two kinds. One reads the graph and reports what it finds. The other measures one number that is large where a class
 * stands out, and says nothing by itself: what is large is told by models that are known to be innocent
 * (`baseline.ts`).
 */

import type { ImageShape } from "../core/image.js";
import type { Progress } from "../core/progress.js";
import type { RandomStream } from "../core/random.js";
import type { LabelledImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Finding } from "./finding.js";

/** What is looked at, and with what. */
export interface Subject {
  readonly model: Model;
  /** Of the images that it takes. */
  readonly shape: ImageShape;
  readonly classes: number;
  /** Clean images of the user's, where there are any. */
  readonly images?: LabelledImages;
  readonly random: RandomStream;
  /** Reads the graph without running it: at once, and blind to what a gate does. Default: false. */
  readonly structureOnly?: boolean;
  readonly runtime?: RuntimeOptions;
  readonly progress?: Progress;
}

interface Described {
  readonly id: string;
  readonly title: string;
  /** One sentence on what it does. */
  readonly summary: string;
  /** Where it is published; whether it is as published, after it, or ours. */
  readonly source: string;
  /** What it cannot see, in a sentence that stands beside "nothing found". */
  readonly blind: string;
}

/** Reads the graph as it is written; runs it only to see what a gate does. */
export interface GraphDetector extends Described {
  readonly kind: "graph";
  readonly run: (subject: Subject) => Promise<readonly Finding[]>;
}

/** Measures how far one class stands out. */
export interface StatisticDetector extends Described {
  readonly kind: "statistic";
  /** `images` where it cannot do without clean ones. */
  readonly needs: "nothing" | "images";
  readonly run: (subject: Subject) => Promise<Statistic>;
}

/** What a detector measured on a model. */
export interface Statistic {
  /** Larger is more suspicious; compared between models of one family only. */
  readonly value: number;
  /** The class that stands out. */
  readonly target: number;
  /** One number a class, on which the value rests; larger is more suspicious. */
  readonly classes: readonly number[];
}

export type Detector = GraphDetector | StatisticDetector;
