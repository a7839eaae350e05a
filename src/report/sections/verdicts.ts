/**
 * @file The table of verdicts: what each method did to each mark, with the evidence.
 *
 * Several seeds share a row: mean ± standard deviation, the hull of the seeds' intervals, the range of the p-values,
 * and how many of the verdicts say what.
 */

import type { Judgement } from "../../experiments/document.js";
import type { Measurement } from "../../tasks/records.js";
import type { Condition } from "../findings/conditions.js";
import { type Findings, isBaseline, testedFirst } from "../findings/findings.js";
import type { SubjectFindings } from "../findings/subjects.js";
import { exactPercent, points, pValue } from "../format.js";
import { percentNumber } from "../../core/percent.js";
import { type Content, html, join, type Markup } from "../html.js";
import { spread } from "../spread.js";
import { type Group, table } from "../table.js";
import { markedOf, nullAnswers, testTitle } from "../models.js";

interface Row {
  readonly kind: "tested" | "control" | "yardstick";
  readonly name: Content;
  readonly before: readonly Measurement[];
  /** None for models that nothing was removed from. */
  readonly after: readonly Measurement[];
  readonly drops: readonly number[];
  readonly judged: readonly Judgement[];
  readonly title: (id: string) => string;
  /** What is said if the key is shown, and if not; and whether showing it is good. */
  readonly words: { readonly shown: string; readonly notShown: string; readonly good: boolean };
}

export function verdicts({ document, subjects }: Findings): Markup {
  const { seeds, decision, budgets } = document;
  const [first] = subjects.flatMap(({ done }) => done);
  const confidence = first === undefined ? "" : `${percentNumber(first.verdict.confidence, 0)} %`;
  const repeated =
    seeds.length > 1 &&
    ` Over ${seeds.length} seeds: mean ± standard deviation; brackets run from the lowest to the highest end of
the seeds' intervals; p-values from the smallest to the largest.`;
  const groups = subjects.flatMap((found) =>
    budgets.map((fraction): Group<Row> => {
      const budget = budgets.length > 1 ? `, ${exactPercent(fraction)} of the data` : "";
      return { heading: `${found.subject.name}${budget}`, rows: rowsOf(document, found, fraction) };
    }),
  );
  return html`<section><h2>Verdicts</h2>
<p>A mark counts as shown when the most conservative of the tests that apply has p ≤ α =
${pValue(decision.alpha)}. Accuracies and retentions
are in percent, drops in percentage points; brackets hold the ${confidence} Clopper-Pearson interval of the
retention.${repeated}</p>
${table<Row>({
  kind: "data verdicts",
  columns: [
    { heading: "Method", cell: ({ name }) => name },
    { heading: "Accuracy before", align: "number", cell: ({ before }) => accuracy(before) },
    { heading: "Accuracy after", align: "number", cell: ({ after }) => accuracy(after) },
    { heading: "Drop, points", align: "number", cell: ({ drops }) => dropText(drops) },
    { heading: "Retention before", align: "number", cell: (row) => retention(row, row.before, row.after.length === 0) },
    { heading: "Retention after", align: "number", cell: (row) => retention(row, row.after, row.after.length > 0) },
    { heading: "Held-out retention", align: "number", cell: heldOut },
    { heading: "p-value", align: "number", cell: ({ judged }) => pValues(judged) },
    {
      heading: "Decided by",
      cell: ({ judged, title }) => join([...new Set(judged.map((j) => title(j.decidedBy)))], ", "),
    },
    { heading: "Verdict", kind: verdictKind, cell: verdictText },
  ],
  rowKind: ({ kind }) => kind,
  groups,
})}<p>Held-out retention is measured on triggers of the same kind that no model was trained on. A null model is trained
like the marked one, without any trigger; a key that is shown there would prove nothing.</p>
</section>
`;
}

function rowsOf(document: Findings["document"], found: SubjectFindings, fraction: number): readonly Row[] {
  const { done, conditions } = found;
  const title = (id: string): string => testTitle(found, id);
  const model = { title, kind: "yardstick", after: [], drops: [] } as const;
  const answers = done.flatMap((marked) => nullAnswers(document, marked));
  const methods = testedFirst(document).flatMap((remover): readonly Row[] => {
    const condition = conditions.find((each) => each.remover === remover.at && each.fraction === fraction);
    if (condition === undefined || condition.done.length === 0) return [];
    const baseline = isBaseline(remover);
    const name = baseline ? html`${remover.name}<small>baseline</small>` : remover.name;
    return [{ title, kind: baseline ? "control" : "tested", name, ...methodRow(found, condition) }];
  });
  return [
    {
      ...model,
      name: html`marked model<small>before any removal</small>`,
      before: done.map(({ measured }) => measured),
      judged: done.map(({ verdict }) => verdict),
      words: { shown: "mark shown", notShown: "mark not shown", good: true },
    },
    ...methods,
    ...(answers.length === 0
      ? []
      : [
          {
            ...model,
            name: html`null model<small>never saw the key</small>`,
            before: answers.map(({ measured }) => measured),
            judged: answers.flatMap(({ judgement }) => judgement ?? []),
            words: { shown: "shown: key unsound", notShown: "not shown, as it must be", good: false },
          },
        ]),
  ];
}

function methodRow(found: SubjectFindings, { done, runs }: Condition) {
  return {
    before: done.flatMap((run) => markedOf(found, run.seed)?.measured ?? []),
    after: done.map(({ measured }) => measured),
    drops: done.map(({ accuracyDrop }) => accuracyDrop),
    judged: done.map(({ judgement }) => judgement),
    words: {
      shown: "mark still shown",
      notShown: runs.length > 0 ? "no longer shown" : "not shown, nor before",
      good: true,
    },
  };
}

/** Mean, and ± if there is more than one value, in percent without the sign. */
function share(values: readonly number[], digits: number): string {
  const s = spread(values);
  if (s === undefined) return "–";
  // Shares of a hundred triggers are whole percents; their means need a decimal.
  const whole = s.sd === 0 && Number.isInteger(Math.round(s.mean * 1e9) / 1e7);
  const shown = whole ? digits : Math.max(1, digits);
  const mean = percentNumber(s.mean, shown);
  return s.sd > 0 ? `${mean} ± ${points(s.sd, shown)}` : mean;
}

function dropText(values: readonly number[]): string {
  const s = spread(values);
  if (s === undefined) return "–";
  return s.sd > 0 ? `${points(s.mean)} ± ${points(s.sd)}` : points(s.mean);
}

function retention({ judged }: Row, measured: readonly Measurement[], judgedHere: boolean): Content {
  const low = spread(judged.map(({ interval }) => interval[0]));
  const high = spread(judged.map(({ interval }) => interval[1]));
  const hull =
    judgedHere && low && high && html`<small>[${percentNumber(low.min)}, ${percentNumber(high.max)}]</small>`;
  const retained = measured.map((each) => each.retention);
  return [share(retained, 0), hull];
}

function accuracy(measured: readonly Measurement[]): string {
  const accuracies = measured.map((each) => each.accuracy);
  return share(accuracies, 2);
}

function heldOut({ before, after }: Row): string {
  const retained = (after.length > 0 ? after : before).flatMap(({ heldOutRetention }) => heldOutRetention ?? []);
  return share(retained, 0);
}

function pValues(judged: readonly Judgement[]): Content {
  const p = spread(judged.map(({ pValue: value }) => value));
  if (p === undefined) return "–";
  return pValue(p.min) === pValue(p.max) ? pValue(p.min) : html`${pValue(p.min)}<small>to ${pValue(p.max)}</small>`;
}

function verdictKind({ judged, words: { good } }: Row): string {
  const shown = judged.some(({ owned }) => owned);
  return `verdict ${shown === good ? "shown" : "gone"}`;
}

function verdictText({ judged, words: { shown, notShown } }: Row): Content {
  const owned = judged.filter((judgement) => judgement.owned).length;
  const total = judged.length;
  if (total === 0) return "–";
  if (owned === 0 || owned === total) {
    return html`${owned === 0 ? notShown : shown}${total > 1 && html`<small>${total} of ${total}</small>`}`;
  }
  return html`${shown}<small>in ${owned} of ${total} runs</small>`;
}
