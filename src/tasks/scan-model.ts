/**
 * @file Looks at one model with every detector that can be run on it, and says which could not, and why.
 *
 * Nothing here says that a model is clean: what was found, what each detector cannot see, and what none of them can.
 */

import { stat } from "node:fs/promises";
import { defined } from "../core/defined.js";
import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import { type Progress, silent } from "../core/progress.js";
import { randomStream } from "../core/random.js";
import { didYouMean } from "../core/suggest.js";
import type { LabelledImages } from "../data/dataset.js";
import { type Baseline, measureBaseline, readBaseline } from "../detection/baseline.js";
import type { Detector, GraphDetector, Subject } from "../detection/detector.js";
import { type Finding, LEVELS } from "../detection/finding.js";
import { gates } from "../detection/gates.js";
import { probe } from "../detection/inspection.js";
import { detectors } from "../detection/registry.js";
import { scanGraph } from "../detection/scan.js";
import { familyOf } from "../detection/family.js";
import { shippedBaseline } from "../detection/shipped.js";
import { shippedBaselines } from "../detection/shipped-baselines.js";
import { statisticFindings, TOGETHER } from "../detection/statistic-findings.js";
import type { ChosenStatistic } from "../detection/statistic-method.js";
import { statistics } from "../detection/statistics.js";
import type { Model } from "../onnx/model.js";
import { ownAnswer } from "../onnx/own-answer.js";
import { ownInput } from "../onnx/own-input.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { throwIfAborted } from "../training/epochs.js";

/** A detector as a scan tells of it. */
export type Described = Pick<Detector, "id" | "kind" | "title" | "summary" | "source" | "blind">;

/** What became of one detector. */
export type Looked =
  | { readonly detector: Described; readonly ran: true; readonly findings: number }
  | { readonly detector: Described; readonly ran: false; readonly why: string };

export interface Scan {
  /** The gravest first. */
  readonly findings: readonly Finding[];
  /** Every detector that was chosen: those that read the graph, then those that ask whether a class stands out. */
  readonly looked: readonly Looked[];
  /** Of the images that the model was shown; undefined where it takes no image. */
  readonly shape: ImageShape | undefined;
  /** Undefined where the file does not say. */
  readonly classes: number | undefined;
  /** What was assumed, in sentences. */
  readonly notes: readonly string[];
}

/** What a scan can be made with: detectors that read the graph, and statistics with options. */
export type ScanDetector = GraphDetector | ChosenStatistic;

export interface ScanOptions {
  /** Ids, or detectors of one's own; all that there are unless told. */
  readonly detectors?: readonly (string | ScanDetector)[];
  /** Of the images that it takes; as its file says, unless told. */
  readonly shape?: ImageShape;
  /** Whether to read the graph without running it; default false. */
  readonly structureOnly?: boolean;
  /** Clean images of the kind that the model is for. */
  readonly images?: LabelledImages;
  /**
   * A folder of clean models of the same architecture, where what they measure is kept too; or that file; or `shipped`
   * for those that come with Wildmark, trained on well-known data.
   */
  readonly baseline?: string;
  /** Draws what the model is shown; default 0. */
  readonly seed?: number;
  readonly runtime?: RuntimeOptions;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/** What no detector can see, whatever it is run on: it stands beside every scan. */
export const UNSEEN: readonly string[] = [
  "marks whose labels were drawn at random for each trigger, as wildmark embed draws them: no class stands out",
  "marks that are untargeted, or that show on a few particular images and on no pattern",
  "a trigger that is answered rightly on every image that the model was shown",
  "what operators of other domains than the standard one compute: their code is not in the file",
];

/** All that there are. */
export const scanDetectors: readonly ScanDetector[] = [
  ...detectors.filter((each) => each.kind === "graph"),
  ...statistics.map(({ choose }) => choose()),
];

/**
 * @throws WildmarkError `usage` for detectors that there are not; `bad-file`, `bad-data` for a baseline that is none;
 *   `interrupted`.
 */
export async function scanModel(model: Model, options: ScanOptions = {}): Promise<Scan> {
  const { seed = 0, structureOnly, images, runtime, progress = silent, signal } = options;
  const chosen = chosenDetectors(options.detectors);
  const { shape, classes, notes } = taken(model, options);
  const subject: Subject = {
    model,
    shape: shape ?? NO_IMAGE,
    classes: classes ?? 0,
    random: randomStream(seed, "scan"),
    progress,
    ...defined({ structureOnly, images, runtime }),
  };
  const looks: Look[] = [];
  const readers = chosen.filter((each) => each.kind === "graph");
  for (const [i, detector] of readers.entries()) {
    throwIfAborted(signal);
    progress.update(`scan: ${detector.title}`, i, readers.length);
    looks.push(await readGraph(detector, subject));
  }
  throwIfAborted(signal);
  const asked = options.detectors !== undefined;
  const measuring = chosen.filter((each) => each.kind === "statistic");
  looks.push(await measureClasses(measuring, subject, { asked, ...defined({ baseline: options.baseline }) }));
  const unprobed = readers.includes(gates) ? await whyUnprobed(subject) : [];
  const findings = looks.flatMap((look) => look.findings);
  return {
    findings: findings.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level)),
    looked: looks.flatMap((look) => look.looked),
    ...{ shape, classes, notes: [...notes, ...unprobed] },
  };
}

/** @throws WildmarkError `usage` for an id that no detector has. */
export function chosenDetectors(wanted: readonly (string | ScanDetector)[] = scanDetectors): readonly ScanDetector[] {
  return wanted.map((each) => {
    if (typeof each !== "string") return each;
    const found = scanDetectors.find(({ id }) => id === each);
    if (found !== undefined) return found;
    const known = scanDetectors.map(({ id }) => id);
    throw new WildmarkError("usage", `There is no detector "${each}"${didYouMean(each, known) || "."}`, {
      hint: `There are: ${known.join(", ")}.`,
    });
  });
}

interface Look {
  readonly looked: readonly Looked[];
  readonly findings: readonly Finding[];
}

/** What cannot be run is no failure of the scan: it is said. */
async function readGraph(detector: GraphDetector, subject: Subject): Promise<Look> {
  try {
    const findings = await scanGraph(subject, [detector]);
    return { looked: [{ detector, ran: true, findings: findings.length }], findings };
  } catch (error) {
    return { looked: [notRun(detector, whyNot(error))], findings: [] };
  }
}

/** Gates that were not probed are not gates that slept: a sentence, where that is so. */
async function whyUnprobed(subject: Subject): Promise<readonly string[]> {
  if (subject.structureOnly === true) return ["The graph was read only: what its gates do was not seen."];
  try {
    if ((await probe(subject)) !== undefined) return [];
    return [
      "The model does not run with its values looked at: its graph was read only, and what its gates do not seen.",
    ];
  } catch (error) {
    // Then the detector of gates could not be run either, which is said beside it.
    whyNot(error);
    return [];
  }
}

/**
 * Whether a class stands out. Without clean models that is not known, so that nothing is measured unless somebody asks
 * for a detector by its name.
 */
async function measureClasses(
  chosen: readonly ChosenStatistic[],
  subject: Subject,
  { asked, baseline: path }: { readonly asked: boolean; readonly baseline?: string },
): Promise<Look> {
  const whyEach = (detector: ChosenStatistic): string | undefined => {
    if (path === undefined && !asked) return NO_BASELINE;
    if (subject.classes < 2) return NO_CLASSES;
    return detector.needs === "images" && subject.images === undefined ? NO_IMAGES : undefined;
  };
  const able = chosen.filter((each) => whyEach(each) === undefined);
  const unable = chosen.flatMap((each) => {
    const why = whyEach(each);
    return why === undefined ? [] : [notRun(each, why)];
  });
  if (able.length === 0) return { looked: unable, findings: [] };
  const baseline = path === undefined ? undefined : await baselineAt(path, able, subject);
  try {
    subject.progress?.update("scan: statistics", 0, able.length);
    const findings = await statisticFindings(subject, baseline, able);
    const count = (id: string): number => findings.filter((each) => each.detector === id).length;
    const all = count(TOGETHER) === 0 ? able : [together, ...able];
    const looked = all.map((detector) => ({ detector, ran: true as const, findings: count(detector.id) }));
    return { looked: [...looked, ...unable], findings };
  } catch (error) {
    const why = whyNot(error);
    return { looked: [...able.map((each) => notRun(each, why)), ...unable], findings: [] };
  }
}

/** For `baseline`: the clean models that come with Wildmark. Whether they saw data like the model's, who asks knows. */
export const SHIPPED = "shipped";

function shippedFor({ model, shape, classes }: Subject): Baseline {
  const found = shippedBaseline(familyOf(model, shape, classes));
  if (found !== undefined) return found;
  throw new WildmarkError("usage", "No clean models of this architecture come with Wildmark.", {
    hint: `There are: ${shippedBaselines.map(({ about }) => about).join("; ")}. Give a folder of your own.`,
  });
}

/** A baseline that is none is the caller's mistake, and not the model's. */
async function baselineAt(path: string, chosen: readonly ChosenStatistic[], subject: Subject): Promise<Baseline> {
  if (path === SHIPPED) return shippedFor(subject);
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const { model: _, random: __, ...measuring } = subject;
  return isFolder ? measureBaseline(path, chosen, measuring) : readBaseline(path);
}

/** What all statistics find that none of them finds alone. */
const together: Described = {
  id: TOGETHER,
  kind: "statistic",
  title: "all statistics together",
  summary: "Ranks the model among clean ones by all statistics at once, so that many tries count as one.",
  source: "Ours.",
  blind:
    "What none of the statistics sees, and what sets models apart that were trained otherwise than the clean ones.",
};

const NO_BASELINE = "A number tells nothing without those of clean models of the same architecture (--baseline).";
const NO_CLASSES = "How many classes the model tells apart is not known.";
const NO_IMAGES = "It needs clean images of the kind that the model is for (--dataset).";

function notRun(detector: Described, why: string): Looked {
  return { detector, ran: false, why };
}

/** In words; what is no foreseen failure of a detector is thrown on. */
function whyNot(error: unknown): string {
  if (error instanceof WildmarkError && error.code !== "interrupted") return error.message;
  throw error;
}

/** What a model is shown that takes no image: what looks at the graph alone does not mind. */
const NO_IMAGE: ImageShape = { channels: 1, height: 1, width: 1 };

/** Where a file leaves the size of its images open. */
const ASSUMED: ImageShape = { channels: 3, height: 32, width: 32 };

/** The images that a model takes and the classes that it answers, as far as can be told. */
function taken(model: Model, { shape: said, images }: ScanOptions): Pick<Scan, "shape" | "classes" | "notes"> {
  const given = said ?? images?.shape ?? ASSUMED;
  const classes = model.head.classes?.length ?? (model.head.binary === true ? 2 : columnsOf(model));
  try {
    const { shape } = ownInput(model, given);
    const open = (model.graph.inputs[0]?.dims ?? [undefined]).slice(1).some((dim) => typeof dim !== "number");
    const assumed = open && said === undefined && images === undefined;
    const size = `${shape.channels}×${shape.height}×${shape.width}`;
    const note = `The file leaves the size of its images open; ${size} was assumed (--input-shape says another).`;
    return { shape, classes, notes: assumed ? [note] : [] };
  } catch (error) {
    return { shape: undefined, classes, notes: [whyNot(error)] };
  }
}

function columnsOf(model: Model): number | undefined {
  try {
    const columns = ownAnswer(model).output.dims?.[1];
    return typeof columns === "number" ? columns : undefined;
  } catch (error) {
    if (error instanceof WildmarkError) return undefined;
    throw error;
  }
}
