/** @file What a statistic detector is made from: a record with options, of which a choice makes the detector. */

import type { z } from "zod";
import { chooseOptions } from "../core/options.js";
import type { Statistic, StatisticDetector, Subject } from "./detector.js";

/** A flat record, so that baselines can hold it. */
export type StatisticOptions = Readonly<Record<string, string | number | boolean>>;

export interface StatisticMethod<Options extends StatisticOptions = StatisticOptions>
  extends Omit<StatisticDetector, "kind" | "run"> {
  /** Options with defaults and descriptions; `{}` is always valid. */
  readonly options: z.ZodObject & z.ZodType<Options>;
  /** The published setting, where the defaults are quicker. */
  readonly published: Readonly<Partial<Options>>;
  readonly measure: (subject: Subject, options: Options) => Promise<Statistic>;
}

/** A detector whose options have been checked: what it measures depends on them, and baselines hold them. */
export interface ChosenStatistic extends StatisticDetector {
  readonly options: StatisticOptions;
}

/** A method as others list and choose it. */
export interface RegisteredStatistic extends Omit<StatisticMethod, "measure"> {
  /** @throws WildmarkError `usage` naming each option that is wrong. */
  readonly choose: (options?: Readonly<Record<string, unknown>>) => ChosenStatistic;
}

export function register<Options extends StatisticOptions>(method: StatisticMethod<Options>): RegisteredStatistic {
  const { options, published, measure, ...described } = method;
  return {
    ...described,
    options,
    published,
    choose(given = {}) {
      const chosen = chooseOptions(options, given, method.id);
      return { ...described, kind: "statistic", options: chosen, run: (subject) => measure(subject, chosen) };
    },
  };
}
