/** @file The statistic detectors: adding one is one file and one line here. */

import { WildmarkError } from "../core/errors.js";
import { freeEagle } from "./free-eagle.js";
import { headProbes } from "./head-probes.js";
import { lastLayer } from "./last-layer.js";
import { mmBd } from "./mm-bd.js";
import { neuralCleanse } from "./neural-cleanse.js";
import { smoothAccuracy } from "./smooth-accuracy.js";
import { type ChosenStatistic, type RegisteredStatistic, register } from "./statistic-method.js";

/** Those that need no data first. */
export const statistics: readonly RegisteredStatistic[] = [
  register(mmBd),
  register(freeEagle),
  register(smoothAccuracy),
  register(lastLayer),
  register(headProbes),
  register(neuralCleanse),
];

/** As a scan runs them: all with their defaults, those that need images where there are some. */
export function usualStatistics(hasImages: boolean): readonly ChosenStatistic[] {
  return statistics.filter(({ needs }) => hasImages || needs === "nothing").map(({ choose }) => choose());
}

/** @throws WildmarkError `usage` naming the detectors there are. */
export function findStatistic(id: string): RegisteredStatistic {
  const found = statistics.find((method) => method.id === id);
  if (found !== undefined) return found;
  throw new WildmarkError("usage", `No statistic detector "${id}".`, {
    hint: `Choose one of: ${statistics.map((method) => method.id).join(", ")}.`,
  });
}
