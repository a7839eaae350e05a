/** @file The matrix: every attack with every budget, and what became of the mark. */

import type { Condition } from "../findings/conditions.js";
import { attacksFirst, type Findings, isBaseline } from "../findings/findings.js";
import { exactPercent, percent, plural, points } from "../format.js";
import { type Content, html, type Markup } from "../html.js";
import { outcomeMeaning, outcomeSigns, outcomeWords } from "../sentences/outcomes.js";
import { table } from "../table.js";

type Line = ReturnType<typeof attacksFirst>[number] & { readonly conditions: readonly Condition[] };

/** One matrix for each subject, and a legend. */
export function matrix(findings: Findings): Markup {
  const { document, subjects } = findings;
  const outcomes = new Set(subjects.flatMap(({ attacks }) => attacks.map(({ outcome }) => outcome)));
  const shown = Object.keys(outcomeSigns).flatMap((name) => [...outcomes].filter((outcome) => outcome === name));
  return html`${subjects.map(({ subject, conditions }) => {
    const lines = attacksFirst(document).map((remover): Line => {
      return { ...remover, conditions: conditions.filter(({ remover: at }) => at === remover.at) };
    });
    return html`${subjects.length > 1 && html`<h3>${subject.name}</h3>\n`}${oneMatrix(findings, lines, conditions)}`;
  })}<ul class="legend">${shown.map(
    (outcome) => html`<li>${outcomeSigns[outcome]}
${outcomeMeaning(outcome, findings)}</li>`,
  )}</ul>
`;
}

function oneMatrix({ document }: Findings, lines: readonly Line[], conditions: readonly Condition[]): Markup {
  const { budgets, seeds } = document;
  const digits = seeds.length > 1 ? 1 : 0;
  const at = (b: number) => (line: Line) => line.conditions[b];
  return table<Line>({
    kind: "matrix",
    columns: [
      { heading: "Attack", cell: attackName },
      ...budgets.map((fraction, b) => ({
        heading: budgetHeading(fraction, conditions),
        cell: (line: Line) => (line.ignoresModel ? yardstickCell(at(b)(line)) : attackCell(at(b)(line), digits)),
        kind: (line: Line) => (line.ignoresModel ? "control" : at(b)(line)?.outcome),
      })),
    ],
    groups: [
      { rows: lines.filter(({ ignoresModel }) => !ignoresModel) },
      { rows: lines.filter(({ ignoresModel }) => ignoresModel), kind: "controls" },
    ],
  });
}

function attackName(line: Line): Content {
  const remark = line.ignoresModel ? "baseline: ignores the marked weights" : "baseline";
  return isBaseline(line) ? html`${line.name}<small>${remark}</small>` : line.name;
}

function budgetHeading(fraction: number, conditions: readonly Condition[]): Content {
  const [first] = conditions.flatMap((condition) => (condition.fraction === fraction ? condition.done : []));
  const images = first && first.images.labelled + first.images.unlabelled;
  return html`${exactPercent(fraction)} of the
data${images !== undefined && html`<small>${plural(images, "image")}</small>`}`;
}

function attackCell(condition: Condition | undefined, digits: number): Content {
  if (condition === undefined) return "–";
  const { outcome, retention, drop, behindScratch = 0, returned, gone, runs } = condition;
  const sign = html`<span class="sign" aria-hidden="true">${outcomeSigns[outcome]}</span>`;
  const verdict = html`<b>${sign}${outcomeWords(condition)}</b>`;
  const reasons = reasonsBelow(condition);
  if (retention === undefined || drop === undefined) return html`${verdict}${reasons}`;
  return html`${verdict}<span>keeps ${percent(retention.mean, retention.mean === 0 ? 0 : digits)} of triggers</span><br>
<span>costs ${points(drop.mean)} points</span>${
    behindScratch > 0 && outcome !== "pointless" && html`<br><span>(less accurate than from scratch)</span>`
  }${
    returned > 0 && html`<br><span>comes back when tuned on${runs.length > 1 && ` (${returned} of ${gone})`}</span>`
  }${reasons !== "" && html`<br>${reasons}`}`;
}

/** What the attacker's data are worth without the marked weights; the key must not be shown there. */
function yardstickCell(condition: Condition | undefined): Content {
  const { accuracy, drop, runs = [], gone = 0 } = condition ?? {};
  if (accuracy === undefined || drop === undefined)
    return `– ${condition === undefined ? "" : reasonsBelow(condition)}`;
  const shown = runs.length - gone;
  const below = `${points(drop.mean)} points below marked`;
  return html`<span>accuracy ${percent(accuracy.mean, 2)}</span><br><span>${below}</span>${
    shown > 0 && html`<br><b>key shown in ${shown} of ${runs.length}</b>`
  }`;
}

/** Whether runs are missing; why stands with the evidence. */
function reasonsBelow({ reasons, outcome }: Condition): string {
  if (outcome === "never-shown") return "";
  const kinds = [...new Set(reasons.map((reason) => reason.split(":")[0] ?? ""))];
  return kinds.length === 0 ? "" : `${kinds.join(" or ")}, see below`;
}
