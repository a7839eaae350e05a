/** @file The pages of the study of detection: tables in Markdown, and ROC curves as pictures that stand alone. */

import { percent } from "../src/core/percent.js";
import { findStatistic } from "../src/detection/statistics.js";
import type { Figure } from "../src/report/figures/frame.js";
import { type Line, linePanels } from "../src/report/figures/lines.js";
import { colours, lookOf, looksOf } from "../src/report/figures/palette.js";
import { families as planned, modelsOf } from "./detection-models.js";
import { type DetectorResult, type FamilyResult, LEVEL, type Share, TOGETHER } from "./detection-analysis.js";

/** What stands between these lines of a page is written anew. */
export const MARKERS = { from: "<!-- measured -->", to: "<!-- /measured -->" } as const;

/** @throws Error where the page lacks the markers. */
export function withMeasured(page: string, measured: string): string {
  const [from, to] = [page.indexOf(MARKERS.from), page.indexOf(MARKERS.to)];
  if (from === -1 || to < from) throw new Error(`the page has no ${MARKERS.from} … ${MARKERS.to}`);
  return `${page.slice(0, from + MARKERS.from.length)}\n\n${measured}\n\n${page.slice(to)}`;
}

export function measuredText(families: readonly FamilyResult[]): string {
  const missing = planned.filter((family) => !families.some((each) => each.family.id === family.id));
  const unread = missing.map(({ title }) => `Not run yet: ${title}.`);
  return [...families.map(familyText), ...unread].join("\n\n");
}

const TITLE_OF_ALL = "all without data, by class";

const titleOf = ({ detector, by }: DetectorResult): string => {
  if (detector === TOGETHER) return TITLE_OF_ALL;
  const { title } = findStatistic(detector);
  return by === "class" ? `${title}, by class` : title;
};

function familyText(result: FamilyResult): string {
  const { family, counts, leftOut, accuracy, detectors } = result;
  const done = Object.values(counts).reduce((sum, count) => sum + count, leftOut.length);
  const all = modelsOf(family).length;
  const partly = done < all ? ` So far ${done} of ${all} models are made.` : "";
  const of = (share: number | undefined): string => (share === undefined ? "–" : percent(share));
  const marked =
    `${counts.fixed} models with a published mark of one target class, ${counts.wide} with such a mark on images of ` +
    `all classes, ${counts.random} with random labels`;
  return [
    `## ${family.title}`,
    `${counts.clean} clean models and ${marked}, ranked among ${counts.baseline} other clean models. Mean accuracy ` +
      `${of(accuracy.clean)} without a mark, ${of(accuracy.fixed)} with one target class, ${of(accuracy.random)} with ` +
      `random labels.${leftOut.length === 0 ? "" : ` Left out: ${leftOut.length} (${reasons(result)}).`}${partly}`,
    `![ROC curves of the published values, ${family.title}](${rocName(family.id, "published")}) ` +
      `![ROC curves by class, ${family.title}](${rocName(family.id, "class")})`,
    table(
      [
        "",
        "AUC",
        `found at ${percent(LEVEL, 0)}`,
        "target named",
        "false alarms",
        "of them two-stage",
        "stamped on all classes",
        "random labels",
      ],
      detectors.map((each) => [
        titleOf(each),
        each.auc.toFixed(3),
        shareText(each.found),
        each.named === undefined ? "–" : `${each.named.hits} of ${each.named.of}`,
        shareText(each.falseAlarms),
        String(each.alarmsByWay.at(-1)?.hits ?? "–"),
        each.wide === undefined ? "–" : `${each.wide.hits} of ${each.wide.of}`,
        each.random === undefined ? "–" : `${each.random.hits} of ${each.random.of}`,
      ]),
    ),
    "Found, by mark and way of embedding:",
    table(
      ["", ...(detectors[0]?.forms.map(({ mark, way }) => `${mark}, ${way}`) ?? [])],
      detectors.map((each) => [
        titleOf(each),
        ...each.forms.map(({ found }) => (found === undefined ? "–" : `${found.hits} of ${found.of}`)),
      ]),
    ),
  ].join("\n\n");
}

function reasons({ leftOut }: FamilyResult): string {
  const count = (word: string): number => leftOut.filter(({ why }) => why.includes(word)).length;
  const [weak, unlearnt] = [count("take hold"), count("did not learn")];
  return [
    ...(weak > 0 ? [`${weak} whose mark did not take hold`] : []),
    ...(unlearnt > 0 ? [`${unlearnt} that did not learn`] : []),
  ].join(", ");
}

/** "45 of 54, 83 % (71 to 92)" */
function shareText({ hits, of, interval: [low, high] }: Share): string {
  return `${hits} of ${of}, ${percent(hits / of, 0)} (${Math.round(100 * low)} to ${Math.round(100 * high)})`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Two panels a family, an SVG file each: by the published values, and by class. */
export function rocFigures(families: readonly FamilyResult[]): ReadonlyMap<string, string> {
  const shown = families.flatMap(({ family, detectors }) =>
    (["published", "class"] as const).map((by) => ({ family, by, drawn: detectors.filter((each) => each.by === by) })),
  );
  const nameOf = ({ detector }: DetectorResult): string =>
    detector === TOGETHER ? "together" : findStatistic(detector).title;
  const looks = looksOf(
    shown.flatMap(({ drawn }) => drawn.map((each) => ({ remover: nameOf(each), baseline: false }))),
  );
  const panels = shown.map(({ family, by, drawn }) => ({
    title: `${family.title}, ${by === "class" ? "by class" : "as published"}`,
    name: `ROC curves of ${family.title}`,
    description: drawn.map((each) => `${titleOf(each)}: AUC ${each.auc.toFixed(2)}`).join("; "),
    y: "marked models found, %",
    lines: drawn.map((each): Line => {
      const name = nameOf(each);
      const end = each.auc.toFixed(2);
      return { name, look: lookOf(looks, name), dashed: false, strong: false, points: staircase(each), end };
    }),
  }));
  const figures = linePanels(panels, {
    domain: [0, 1],
    ticks: [0, 0.25, 0.5, 0.75, 1],
    tickText: (tick) => String(100 * tick),
    label: "clean models found, %",
  });
  return new Map(shown.map(({ family, by }, i) => [rocName(family.id, by), standalone(figures[i])]));
}

const rocName = (family: string, by: string): string => `roc-${family}-${by}.svg`;

function staircase({ roc }: DetectorResult): Line["points"] {
  return roc.map(({ clean, marked }) => ({ x: clean, mean: marked, low: marked, high: marked }));
}

/** On white, with the colours that a page would bring in place of their names. */
function standalone(figure: Figure | undefined): string {
  const named = (figure?.svg ?? "").replace(/^<svg /, '<svg style="background:#fff" ');
  return `${colours("light").reduce((svg, [name, ink]) => svg.replaceAll(`var(--${name})`, ink), named)}\n`;
}
