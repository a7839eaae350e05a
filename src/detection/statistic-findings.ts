/**
 * @file What the statistic detectors find in a model: with a baseline, how seldom clean models measure as much; without
 * one, numbers that tell nothing alone.
 */

import { WildmarkError } from "../core/errors.js";
import { percent } from "../core/percent.js";
import { type Baseline, LEAST_MODELS, measuredIn } from "./baseline.js";
import type { Statistic, Subject } from "./detector.js";
import { familyOf, sameFamily } from "./family.js";
import type { Finding } from "./finding.js";
import { type DetectorRank, type Measurement, type Ranked, ranked } from "./ranks.js";
import type { ChosenStatistic } from "./statistic-method.js";
import { usualStatistics } from "./statistics.js";

/** The detector's id in the finding that all of them make together. */
export const TOGETHER = "statistics";

/** Models that are clean are called suspicious this often. */
const LEVEL = 0.05;

/** A detector, and what it measured. */
interface Measured {
  readonly detector: ChosenStatistic;
  readonly statistic: Statistic;
}

/** The same, with what clean models measured. */
interface Compared extends Measured {
  readonly clean: readonly Measurement[];
}

/**
 * One finding of all detectors together, `suspicious` where at most 5 % of clean models stand out as much, and a note
 * of each. None says `planted`: every number here is one that some clean model has too.
 *
 * @param baseline clean models of the same family; without one all findings are notes.
 * @param detectors default: all that the subject has the data for.
 * @throws WildmarkError as the detectors do, but for `bad-model` and `unsupported-operator`: a detector that cannot read
 *   the model says so in a note.
 */
export async function statisticFindings(
  subject: Subject,
  baseline?: Baseline,
  detectors: readonly ChosenStatistic[] = usualStatistics(subject.images !== undefined),
): Promise<readonly Finding[]> {
  const measured: Measured[] = [];
  const unread: Finding[] = [];
  for (const detector of detectors) {
    try {
      const random = subject.random.stream(detector.id);
      measured.push({ detector, statistic: await detector.run({ ...subject, random }) });
    } catch (error) {
      if (!(error instanceof WildmarkError) || !UNREAD.has(error.code)) throw error;
      unread.push(unreadFinding(detector, error));
    }
  }
  const why = whyNoRank(subject, baseline);
  if (baseline === undefined || why !== undefined) {
    return [...measured.map((each) => aloneFinding(each, why ?? "there is no baseline")), ...unread];
  }
  const compared = measured.flatMap((each): readonly Compared[] => {
    const clean = measuredIn(baseline, each.detector);
    return clean === undefined ? [] : [{ ...each, clean }];
  });
  const rest = measured.filter(({ detector }) => !compared.some((each) => each.detector === detector));
  const alone = rest.map((each) => aloneFinding(each, "the baseline holds no values of it under these options"));
  return [...rankedFindings(compared, baseline), ...alone, ...unread];
}

const UNREAD: ReadonlySet<string> = new Set(["bad-model", "unsupported-operator"]);

/** In words; undefined where the baseline fits. */
function whyNoRank({ model, shape, classes }: Subject, baseline: Baseline | undefined): string | undefined {
  if (baseline === undefined) return undefined;
  const { models, family } = baseline;
  if (models.length < LEAST_MODELS) return `the baseline has ${models.length} models, and ${LEAST_MODELS} are needed`;
  if (!sameFamily(familyOf(model, shape, classes), family)) return "the baseline is of models of another architecture";
  return undefined;
}

function rankedFindings(compared: readonly Compared[], baseline: Baseline): readonly Finding[] {
  if (compared.length === 0) return [];
  const ranks = ranked(
    compared.map(({ statistic }) => statistic),
    compared.map(({ clean }) => clean),
  );
  const notes = compared.flatMap((each, i) => {
    const rank = ranks.each[i];
    return rank === undefined ? [] : [rankFinding(each, rank)];
  });
  return [togetherFinding(compared, ranks, baseline), ...notes];
}

function togetherFinding(compared: readonly Compared[], ranks: Ranked, { models, about }: Baseline): Finding {
  const { together: p, target } = ranks;
  const suspicious = p <= LEVEL;
  const named = compared.filter((_, i) => ranks.each[i]?.target === target).map(({ detector }) => detector.title);
  const limit = `With ${models.length} clean models (${about}) p cannot fall below ${pText(1 / (models.length + 1))}`;
  return {
    ...NOWHERE,
    detector: TOGETHER,
    level: suspicious ? "suspicious" : "note",
    what: suspicious
      ? `Class ${target} stands out more than in clean models: p = ${pText(p)} from ${compared.length} statistics ` +
        `together, of which ${named.join(", ")} ${named.length === 1 ? "names" : "name"} it.`
      : `No class stands out more than in clean models: p = ${pText(p)} from ${compared.length} statistics together.`,
    ...(suspicious ? { target } : {}),
    sure:
      `${limit}; ${percent(LEVEL, 0)} of clean models are called suspicious. All statistics count as one try. The ` +
      "p-value holds if the model was trained like those, on data like theirs.",
    innocent:
      "A clean model that was trained on other data, for longer, or on more images of one class than of others stands " +
      "out among these too. A mark with a label for each trigger does not stand out at all.",
    advice: suspicious
      ? `Compare it with clean models of your own data (--baseline), and look at what it answers ${target} to.`
      : "Take it for no proof: what these statistics cannot see is said beside each.",
  };
}

function rankFinding({ detector, statistic, clean }: Compared, rank: DetectorRank): Finding {
  const larger = clean.filter(({ value }) => value >= statistic.value).length;
  return {
    ...NOWHERE,
    detector: detector.id,
    level: "note",
    what:
      `${detector.title}: held against itself in clean models, class ${rank.target} leads by ` +
      `${shortNumber(rank.lead)} deviations; p = ${pText(rank.byClass)}.`,
    target: rank.target,
    sure:
      `As published, class ${statistic.target} stands out by ${shortNumber(statistic.value)}, and ${larger} of ` +
      `${clean.length} clean models measure as much. One try of several: the p-value of all together counts.`,
    innocent: detector.blind,
    advice: "See what all statistics say together.",
  };
}

function aloneFinding({ detector, statistic }: Measured, why: string): Finding {
  return {
    ...NOWHERE,
    detector: detector.id,
    level: "note",
    what: `${detector.title}: class ${statistic.target} stands out most, by ${shortNumber(statistic.value)}.`,
    target: statistic.target,
    sure: `The number tells nothing alone: ${why}, so that nobody knows what clean models measure.`,
    innocent: `In every model some class stands out most. ${detector.blind}`,
    advice: `Give ${LEAST_MODELS} or more clean models of the same architecture and data (--baseline).`,
  };
}

function unreadFinding({ id, title }: ChosenStatistic, { message }: WildmarkError): Finding {
  return {
    ...NOWHERE,
    detector: id,
    level: "note",
    what: `${title} was not measured. ${message}`,
    sure: "Nothing was looked at.",
    innocent: "Many models are built in a way that a detector cannot read.",
    advice: "Go by the others.",
  };
}

/** Statistics are about the whole model. */
const NOWHERE = { nodes: [], path: [] } as const;

function pText(p: number): string {
  return p.toPrecision(2);
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(3)));
}
