/** @file How removers rank over the same marked models, and what is more than chance. */

import { costsAt, type Findings, isBaseline, nameOf } from "../findings/findings.js";
import type { Ranking, Standing } from "../findings/rankings.js";
import { count, duration, exactPercent, list, plural, points, pointsWithUnit, pValue } from "../format.js";
import { percentNumber } from "../../core/percent.js";
import { html, type Markup } from "../html.js";
import { table } from "../table.js";

export function rankings(findings: Findings): Markup {
  const some = findings.rankings.filter(({ standings }) => standings.length > 1);
  if (some.length === 0) return html``;
  const { acceptableDrop, alpha } = findings.document.decision;
  const price =
    acceptableDrop !== null &&
    `; one that costs more than ${pointsWithUnit(acceptableDrop, 0)} of accuracy has won nothing and counts as if ` +
      "the mark stood as before (our own choice)";
  return html`<section><h2>What beats what</h2>
<p>On each marked model removers are ranked by what they leave of the mark${price}. Mean ranks carry 95 %
intervals over resampled marked models. Each remover is then compared with
the best-ranked one over the same models by Wilcoxon's exact signed-rank test, p-values adjusted for all
comparisons of the table (Holm): “=” marks those that
cannot be told from the best at α = ${alpha}. Models of one seed share their data, and the best one was found on
the same cells, so take p-values near α with
care.</p>
${some.toReversed().map((ranking) => rankingTable(findings, ranking))}</section>
`;
}

function rankingTable(findings: Findings, { fraction, blocks, standings, unranked }: Ranking): Markup {
  const { removers, observe } = findings.document;
  type Row = Standing & { readonly costs: ReturnType<typeof costsAt> };
  const name = ({ remover }: { readonly remover: number }): string => nameOf(removers, remover);
  const baseline = (remover: number): boolean => {
    const found = removers[remover];
    return found !== undefined && isBaseline(found);
  };
  const found = ({ costs }: Row) => costs?.found;
  const tied = ({ tied: same, versusBest }: Row): boolean => same && versusBest !== undefined;
  const ranks = table<Row>({
    kind: "data ranks",
    rowKind: (row) => (row.versusBest === undefined ? "best" : row.tied ? "tied" : "behind"),
    columns: [
      { heading: "Remover", cell: (row) => `${name(row)}${baseline(row.remover) ? " (baseline)" : ""}` },
      {
        heading: "Mean rank",
        align: "number",
        kind: (row) => (tied(row) ? "tied" : undefined),
        cell: ({ rank }) => rank.mean.toFixed(2),
      },
      { heading: "95 %", align: "number", cell: ({ rank }) => `${rank.low.toFixed(1)}–${rank.high.toFixed(1)}` },
      { heading: "Score, %", align: "number", cell: ({ score }) => percentNumber(score, 1) },
      {
        heading: "p, adjusted",
        align: "number",
        cell: ({ versusBest }) => (versusBest === undefined ? "–" : pValue(versusBest.adjusted)),
      },
      { heading: "Drop, points", align: "number", cell: (row) => points(found(row)?.drop ?? 0) },
      { heading: "Images", align: "number", cell: (row) => images(found(row)) },
      { heading: "Time", align: "number", cell: (row) => duration(found(row)?.seconds ?? 0) },
      ...(observe.reactivation === null
        ? []
        : [{ heading: "Came back", align: "number" as const, cell: ({ costs }: Row) => cameBack(costs) }]),
    ],
    rows: standings.map((standing) => ({ ...standing, costs: costsAt(findings, standing.remover, fraction) })),
  });
  const missing = unranked.map((each) => `${name(each)} (${each.lacking} of ${blocks > 0 ? blocks : "all"})`);
  const rest = unranked.length > 0 && html`<p>Not ranked, because cells are missing: ${list(missing)}.</p>`;
  const title = html`${exactPercent(fraction)} of the data, ${plural(blocks, "marked model")}`;
  return fraction === findings.focus
    ? html`<h3>${title}</h3>${ranks}${rest}`
    : html`<details><summary>${title}</summary>${ranks}${rest}</details>`;
}

function images(found: NonNullable<ReturnType<typeof costsAt>>["found"]): string {
  if (found === undefined) return "";
  return `${count(found.labelled)}${found.unlabelled > 0 ? ` + ${count(found.unlabelled)}` : ""}`;
}

function cameBack(costs: ReturnType<typeof costsAt>): string {
  return costs === undefined || costs.of === 0 ? "–" : `${costs.returned} of ${costs.of}`;
}
