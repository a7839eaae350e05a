/** @file What the study of detection found: for each family and statistic, how many models are told, and how surely. */

import { clopperPearson } from "../src/core/statistics.js";
import type { Statistic } from "../src/detection/detector.js";
import { type Measurement, ranked } from "../src/detection/ranks.js";
import {
  type Family,
  LEAST_RETENTION,
  type MarkName,
  type ModelPlan,
  marks,
  type Way,
  ways,
} from "./detection-models.js";

export interface StudiedModel {
  readonly plan: ModelPlan;
  readonly accuracy: number;
  readonly retention?: number | undefined;
  readonly measured: Readonly<Record<string, Statistic>>;
}

/** A share, with its 95 % interval (Clopper-Pearson). */
export interface Share {
  readonly hits: number;
  readonly of: number;
  readonly interval: readonly [number, number];
}

/** A point of a ROC curve: shares of clean and of marked models whose value is at least some threshold. */
export interface RocPoint {
  readonly clean: number;
  readonly marked: number;
}

/** What models are ranked by: the published value, or the lead of a class that is held against itself (`ranks.ts`). */
export type By = "published" | "class";

export interface DetectorResult {
  /** Of the detector, or `TOGETHER`. */
  readonly detector: string;
  readonly by: By;
  /** Clean models that it is ranked among. */
  readonly baseline: number;
  /** Of fixed targets against clean models. */
  readonly auc: number;
  readonly roc: readonly RocPoint[];
  /** At p ≤ 0.05 among the baseline: models with one target class. */
  readonly found: Share;
  /** Of those found, how many name the target. */
  readonly named: Share | undefined;
  /** Clean models that are called suspicious. */
  readonly falseAlarms: Share;
  /** Of those, by how they were trained. */
  readonly alarmsByWay: readonly (Share | undefined)[];
  /** Models whose stamp was put on images of all classes that are. */
  readonly wide: Share | undefined;
  /** Models with random labels that are. */
  readonly random: Share | undefined;
  readonly forms: readonly { readonly mark: MarkName; readonly way: Way; readonly found: Share | undefined }[];
}

export interface FamilyResult {
  readonly family: Family;
  /** Models that were studied, and those left out, each with the reason. */
  readonly counts: Readonly<Record<ModelPlan["role"], number>>;
  readonly leftOut: readonly { readonly id: string; readonly why: string }[];
  readonly accuracy: Readonly<Record<ModelPlan["role"], number | undefined>>;
  readonly detectors: readonly DetectorResult[];
}

export const TOGETHER = "together";

/** Clean models are called suspicious this often. */
export const LEVEL = 0.05;

/** Ten classes: a model that answers fewer than this rightly has not learnt. */
const LEAST_ACCURACY = 0.2;

/** @param dataFree ids of the detectors that `TOGETHER` is made of. */
export function familyResult(
  family: Family,
  all: readonly StudiedModel[],
  detectors: readonly string[],
  dataFree: readonly string[],
): FamilyResult {
  const leftOut = all.flatMap((model) => {
    const why = whyLeftOut(model);
    return why === undefined ? [] : [{ id: model.plan.id, why }];
  });
  const models = all.filter((model) => whyLeftOut(model) === undefined);
  const of = (role: ModelPlan["role"]): readonly StudiedModel[] => models.filter(({ plan }) => plan.role === role);
  const accuracyOf = (role: ModelPlan["role"]): number | undefined => {
    const own = of(role);
    return own.length === 0 ? undefined : own.reduce((sum, { accuracy }) => sum + accuracy, 0) / own.length;
  };
  const byRole = <T>(value: (role: ModelPlan["role"]) => T) => ({
    baseline: value("baseline"),
    clean: value("clean"),
    fixed: value("fixed"),
    wide: value("wide"),
    random: value("random"),
  });
  return {
    family,
    counts: byRole((role) => of(role).length),
    leftOut,
    accuracy: byRole(accuracyOf),
    detectors: [
      ...detectors.map((id) => detectorResult(id, "published", [id], models)),
      ...detectors.map((id) => detectorResult(id, "class", [id], models)),
      detectorResult(TOGETHER, "class", dataFree, models),
    ].flatMap((result) => result ?? []),
  };
}

/** Undefined for a model that counts. */
export function whyLeftOut({ accuracy, retention }: Pick<StudiedModel, "accuracy" | "retention">): string | undefined {
  if (accuracy < LEAST_ACCURACY) return `accuracy ${accuracy.toFixed(2)}: it did not learn`;
  if (retention !== undefined && retention < LEAST_RETENTION) {
    return `retention ${retention.toFixed(2)}: the mark did not take hold`;
  }
  return undefined;
}

/** A model that is told, with how rare it is among the baseline. */
interface Told {
  readonly model: StudiedModel;
  readonly p: number;
  /** Larger is more suspicious. */
  readonly score: number;
  /** The class that is named. */
  readonly target: number;
}

function detectorResult(
  name: string,
  by: By,
  ids: readonly string[],
  models: readonly StudiedModel[],
): DetectorResult | undefined {
  const measured = models.filter((model) => ids.every((id) => model.measured[id] !== undefined));
  const measuredBy = (model: StudiedModel, id: string): Measurement => model.measured[id] ?? { value: 0, classes: [] };
  const baseline = measured.filter(({ plan }) => plan.role === "baseline");
  const clean = ids.map((id) => baseline.map((model) => measuredBy(model, id)));
  const told = measured
    .filter(({ plan }) => plan.role !== "baseline")
    .map((model): Told => {
      const ranks = ranked(
        ids.map((id) => measuredBy(model, id)),
        clean,
      );
      const [id = ""] = ids;
      const [first] = ranks.each;
      const { value = 0, target = 0 } = model.measured[id] ?? {};
      if (by === "published") return { model, p: first?.published ?? 1, score: value, target };
      return {
        model,
        p: ranks.together,
        score: ids.length === 1 ? (first?.lead ?? 0) : ranks.score,
        target: ranks.target,
      };
    });
  const of = (role: ModelPlan["role"]): readonly Told[] => told.filter(({ model }) => model.plan.role === role);
  const [fixed, unmarked, random] = [of("fixed"), of("clean"), of("random")];
  if (baseline.length === 0 || fixed.length === 0 || unmarked.length === 0) return undefined;
  const roc = rocOf(
    fixed.map(({ score }) => score),
    unmarked.map(({ score }) => score),
  );
  const isTarget = ({ model: { plan }, target }: Told): boolean => "target" in plan && plan.target === target;
  return {
    detector: name,
    by,
    baseline: baseline.length,
    auc: areaUnder(roc),
    roc,
    found: shareOf(fixed, isFound),
    named: optionalShare(fixed.filter(isFound), isTarget),
    falseAlarms: shareOf(unmarked, isFound),
    alarmsByWay: ways.map((way) =>
      optionalShare(
        unmarked.filter(({ model: { plan } }) => plan.way === way),
        isFound,
      ),
    ),
    wide: optionalShare(of("wide"), isFound),
    random: optionalShare(random, isFound),
    forms: marks.flatMap((mark) =>
      ways.map((way) => {
        const own = fixed.filter(({ model: { plan } }) => "mark" in plan && plan.mark === mark && plan.way === way);
        return { mark, way, found: optionalShare(own, isFound) };
      }),
    ),
  };
}

const isFound = ({ p }: Told): boolean => p <= LEVEL;

function shareOf<T>(items: readonly T[], hit: (item: T) => boolean): Share {
  const hits = items.filter(hit).length;
  return { hits, of: items.length, interval: clopperPearson(hits, items.length) };
}

function optionalShare<T>(items: readonly T[], hit: (item: T) => boolean): Share | undefined {
  return items.length === 0 ? undefined : shareOf(items, hit);
}

/** From (0, 0) to (1, 1); scores that are equal move both shares at once. */
export function rocOf(marked: readonly number[], clean: readonly number[]): readonly RocPoint[] {
  const thresholds = [...new Set([...marked, ...clean])].toSorted((a, b) => b - a);
  const atLeast = (values: readonly number[], threshold: number): number =>
    values.filter((value) => value >= threshold).length / values.length;
  return [
    { clean: 0, marked: 0 },
    ...thresholds.map((threshold) => ({ clean: atLeast(clean, threshold), marked: atLeast(marked, threshold) })),
  ];
}

/** By trapezia: ties count half, as in the Mann-Whitney statistic. */
export function areaUnder(roc: readonly RocPoint[]): number {
  return roc.slice(1).reduce((sum, point, i) => {
    const before = roc[i] ?? point;
    return sum + ((point.clean - before.clean) * (point.marked + before.marked)) / 2;
  }, 0);
}
