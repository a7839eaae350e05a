/** @file The marked models before any attack, and how null models answer their keys. */

import type { Judgement, MarkedCell } from "../../experiments/document.js";
import { attacksFirst, type Findings, nameOf } from "../findings/findings.js";
import { duration, exactPercent, list, plural, pValueRelation, pValue } from "../format.js";
import { percentNumber } from "../../core/percent.js";
import { type Content, html, type Markup } from "../html.js";
import { type NullAnswer, nullAnswers, testTitle } from "../models.js";
import { spread } from "../spread.js";
import { table } from "../table.js";

/** Empty if nothing but one given model is there: the first screen says what that answers. */
export function models({ document }: Findings): Markup {
  const { subjects, marked, nullModels } = document;
  if (nullModels.length === 0 && subjects.every(({ kind }) => kind === "given")) return html``;
  return html`<section><h2>The marked models</h2>
<p>Before any attack. “Null models” is what models that never saw the mark answer of the key.</p>
${table<MarkedCell>({
  columns: [
    { heading: "Mark", cell: ({ subject }) => nameOf(subjects, subject) },
    { heading: "Seed", align: "number", cell: ({ seed }) => seed ?? "–" },
    { heading: "Accuracy, %", align: "number", cell: done(({ measured }) => percentNumber(measured.accuracy, 2)) },
    { heading: "Matches", align: "number", cell: done(({ verdict, triggers }) => `${verdict.matches} of ${triggers}`) },
    { heading: "Held-out, %", align: "number", cell: done(({ measured }) => optional(measured.heldOutRetention)) },
    { heading: "Null models, %", align: "number", cell: done(({ onNullModels }) => range(onNullModels)) },
    { heading: "p-value", align: "number", cell: done(({ verdict }) => pValue(verdict.pValue)) },
    { heading: "Mark", cell: done(({ verdict }) => (verdict.owned ? "shown" : "not shown")) },
  ],
  rows: marked,
  instead: {
    from: 2,
    text: (cell) => (cell.status === "done" ? undefined : cell.status === "failed" ? cell.reason : "not computed yet"),
  },
})}${notThere(document)}</section>
`;
}

type DoneMarked = Extract<MarkedCell, { readonly status: "done" }>;

function done(cell: (marked: DoneMarked) => Content): (cell: MarkedCell) => Content {
  return (marked) => (marked.status === "done" ? cell(marked) : undefined);
}

function optional(share: number | undefined): string {
  return share === undefined ? "–" : percentNumber(share, 1);
}

function range(answers: readonly { readonly retention: number }[]): string {
  const s = spread(answers.map(({ retention }) => 100 * retention));
  return s === undefined ? "–" : `${s.min.toFixed(0)}–${s.max.toFixed(0)}`;
}

/** Null models that a run has not made, or could not. */
function notThere({ nullModels }: Findings["document"]): Content {
  const missing = nullModels.filter(({ status }) => status === "missing").length;
  const failed = nullModels.flatMap((model) => (model.status === "failed" ? [model.reason] : []));
  if (missing + failed.length === 0) return undefined;
  const why = failed.length === 0 ? [] : [`${failed.length} failed (${list([...new Set(failed)])})`];
  const said = list([...(missing === 0 ? [] : [`${missing} are not computed yet`]), ...why]);
  return html`<p>Of ${plural(nullModels.length, "null model")}, ${said}.</p>\n`;
}

interface Run {
  readonly mark: string;
  readonly seed: number | null;
  readonly model: string;
  readonly measured: NullAnswer["measured"];
  readonly judgement?: Judgement | undefined;
  /** What the tests found, if it was written down. */
  readonly details?: readonly string[];
  readonly title: (id: string) => string;
  readonly seconds?: number;
  readonly hashes: readonly string[];
}

/** Every model by itself, with every test and every hash: the part for those who check. */
export function runs({ document, subjects }: Findings): Markup {
  const rows = subjects.flatMap((found): readonly Run[] => {
    const common = { mark: found.subject.name, title: (id: string) => testTitle(found, id) };
    const ofMarked = found.done.flatMap((marked): readonly Run[] => {
      const { seed, measured, verdict, modelSha256, keySha256 } = marked;
      const hashes = [modelSha256, `key ${keySha256}`];
      const details = verdict.tests.map(({ detail }) => detail);
      const own = { ...common, seed, model: "marked model", measured, judgement: verdict, details, hashes };
      const nulls = nullAnswers(document, marked).map((answer) => {
        return { ...common, ...answer, model: "null model", hashes: [answer.modelSha256] };
      });
      return [own, ...nulls];
    });
    const cleaned = attacksFirst(document).flatMap(({ at, name }) =>
      found.conditions
        .filter(({ remover }) => remover === at)
        .flatMap(({ done: all, fraction }) => {
          const model = document.budgets.length > 1 ? `${name}, ${exactPercent(fraction)}` : name;
          return all.map(({ modelSha256, ...run }) => ({ ...common, ...run, model, hashes: [modelSha256] }));
        }),
    );
    return [...ofMarked, ...cleaned];
  });
  if (rows.length === 0) return html``;
  return html`<section><h2>Every run</h2>
<details><summary>All ${rows.length} models: counts, each test, hashes</summary>
${table<Run>({
  kind: "data runs",
  named: 2,
  columns: [
    { heading: "Mark", cell: ({ mark }) => mark },
    { heading: "Seed", align: "number", cell: ({ seed }) => seed ?? "–" },
    { heading: "Model", cell: ({ model }) => model },
    { heading: "Accuracy, %", align: "number", cell: ({ measured }) => percentNumber(measured.accuracy, 2) },
    {
      heading: "Matches",
      align: "number",
      cell: ({ judgement: j }) => (j === undefined ? "–" : `${j.matches} of ${j.n}`),
    },
    { heading: "Held-out, %", align: "number", cell: ({ measured }) => optional(measured.heldOutRetention) },
    { heading: "Tests", cell: testLines },
    { heading: "Verdict", cell: ({ judgement: j }) => (j === undefined ? "–" : j.owned ? "shown" : "not shown") },
    { heading: "Time", align: "number", cell: ({ seconds }) => (seconds === undefined ? "–" : duration(seconds)) },
    {
      heading: "SHA-256",
      cell: ({ hashes }) => hashes.map((hash) => html`<div><code class="hash">${hash}</code></div>`),
    },
  ],
  rows,
})}</details>
</section>
`;
}

function testLines({ judgement, title, details = [] }: Run): Content {
  return judgement?.tests.map(
    ({ id, pValue: p }, i) => html`<div>${title(id)}: p ${pValueRelation(p)} <small>${details[i]}</small></div>`,
  );
}
