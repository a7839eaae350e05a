/** @file What a careful reader asks next: doubts, null models, baselines, what is missing, the number of seeds. */

import { count, list, percent, plural, exactPercent, shortPercent } from "../format.js";
import { type Findings, isBaseline, nameOf } from "../findings/findings.js";
import type { Shown, SubjectFindings } from "../findings/subjects.js";

/** A remark beside the findings; a warning puts the findings themselves in doubt. */
export interface Remark {
  readonly kind: "note" | "warning";
  readonly text: string;
}

/** In the order in which they matter to who asks. */
export function remarks(findings: Findings): readonly Remark[] {
  const asked: Readonly<Record<Findings["document"]["statement"], readonly ((f: Findings) => readonly Remark[])[]>> = {
    reproduce: [doubts, incomplete, failed, unshown, nullModels, baselines, worth, seeds],
    audit: [doubts, incomplete, nullModels, scratch, noYardstick, otherFile, astray, failed, lasting, skipped],
    bench: [doubts, incomplete, failed, unshown, nullModels, scratch, fewSeeds],
  };
  return asked[findings.document.statement].flatMap((remark) => remark(findings));
}

export function warnings(findings: Findings): readonly string[] {
  return remarks(findings).flatMap(({ kind, text }) => (kind === "warning" ? [text] : []));
}

const warning = (text: string): readonly Remark[] => [{ kind: "warning", text }];
const note = (text: string): readonly Remark[] => [{ kind: "note", text }];

function doubts({ document }: Findings): readonly Remark[] {
  return (document.data.doubts ?? []).flatMap((doubt) => {
    return warning(`The data are doubtful: ${doubt}${/[.?]$/.test(doubt) ? "" : "."}`);
  });
}

function incomplete({ document: { attacks, complete } }: Findings): readonly Remark[] {
  if (complete) return [];
  const missing = attacks.filter(({ status }) => status === "missing").length;
  return warning(`Incomplete: ${missing} of ${plural(attacks.length, "cell")} are not computed yet.`);
}

function failed({ document: { attacks, statement } }: Findings): readonly Remark[] {
  const number = attacks.filter(({ status }) => status === "failed").length;
  if (number === 0) return [];
  const reasons = statement === "audit" ? "" : "; the reasons stand in the table";
  return warning(`${number} of ${plural(attacks.length, "cell")} failed${reasons}.`);
}

function lasting({ document: { attacks } }: Findings): readonly Remark[] {
  const number = attacks.filter((cell) => cell.status === "failed" && !cell.mayPass).length;
  if (number === 0) return [];
  return warning(`${plural(number, "cell")} would fail again with the same seed: change the method's options.`);
}

function skipped({ document: { attacks } }: Findings): readonly Remark[] {
  const number = attacks.filter(({ status }) => status === "skipped").length;
  return number === 0 ? [] : warning(`${plural(number, "cell")} of ${attacks.length} could not be tried.`);
}

/** Marked models with nothing to remove; the headline of `reproduce` says so itself of marks that never had. */
function unshown({ subjects, document: { statement } }: Findings): readonly Remark[] {
  const of = subjects
    .filter(({ fate }) => statement !== "reproduce" || fate !== "never-shown")
    .map((each) => ({ each, n: each.done.filter(({ verdict }) => !verdict.owned).length }))
    .filter(({ n }) => n > 0);
  if (of.length === 0) return [];
  const number = of.reduce((sum, { n }) => sum + n, 0);
  return warning(
    `${plural(number, "marked model")} (${names(of.map(({ each }) => each))}) did not show the mark before any ` +
      `attack and ${number === 1 ? "is" : "are"} left out of all comparisons.`,
  );
}

/** Keys on models that were trained without any mark. */
function nullModels({ subjects }: Findings): readonly Remark[] {
  const keys = subjects.flatMap((each) =>
    each.done.flatMap(({ onNullModels }) => {
      const judged = onNullModels.flatMap(({ judgement }) => judgement ?? []);
      return judged.length === 0 ? [] : [{ each, guilty: judged.some(({ owned }) => owned) }];
    }),
  );
  if (keys.length === 0) return [];
  const guilty = keys.filter((key) => key.guilty);
  if (guilty.length > 0) {
    return warning(
      `${guilty.length} of ${plural(keys.length, "key")} (${names(guilty.map(({ each }) => each))}) ` +
        `${guilty.length === 1 ? "was" : "were"} “shown” on a null model as well: verdicts for such a mark prove ` +
        "nothing.",
    );
  }
  return note(
    keys.length === 1
      ? "The key was also tried on null models, which were trained without any mark: it was not shown there."
      : `All ${keys.length} keys were also tried on null models, which were trained without any mark: none was ` +
          "shown there.",
  );
}

/** Keys on what came of training from scratch on the attacker's data. */
function scratch({ subjects }: Findings): readonly Remark[] {
  const guilty = subjects.filter(({ onScratch }) => onScratch.shown > 0);
  if (guilty.length === 0) return [];
  const { shown, of } = guilty.reduce((sum, { onScratch }) => plus(sum, onScratch), { shown: 0, of: 0 });
  if (subjects.length === 1) {
    return warning(
      `The key is “shown” on ${shown} of ${plural(of, "model")} trained from scratch, which never saw the mark.`,
    );
  }
  return warning(
    `${names(guilty)}: the key is shown on ${plural(shown, "model")} trained from scratch, which never saw it. What ` +
      "such a key shows proves nothing.",
  );
}

function plus(a: Shown, b: Shown): Shown {
  return { shown: a.shown + b.shown, of: a.of + b.of };
}

function noYardstick({ document: { removers } }: Findings): readonly Remark[] {
  if (removers.some(({ ignoresModel }) => ignoresModel)) return [];
  return warning("Nothing was trained from scratch, so it is open what the marked weights are worth to the attacker.");
}

function otherFile({ subjects }: Findings): readonly Remark[] {
  return subjects.flatMap(({ subject }) => {
    if (subject.kind !== "given" || subject.key.madeForThisModel) return [];
    const which = subjects.length === 1 ? "The key" : `The key of ${subject.name}`;
    return warning(`${which} was made for another file than this one (it may have been trained on or re-saved since).`);
  });
}

/** Attacks that left nothing of the model: what else they removed says little of the mark. */
function astray({ document, subjects, conditions }: Findings): readonly Remark[] {
  const [guessing] = subjects.flatMap(({ done }) => done.filter(({ atChance }) => atChance));
  if (guessing !== undefined) {
    return warning(
      `The marked model only guesses before any attack (${shortPercent(guessing.measured.accuracy)} of the test ` +
        "images): accuracies say nothing here. Perhaps it expects other images (wildmark info MODEL --dataset D " +
        "tries what is usual), or other data.",
    );
  }
  const lost = conditions
    .filter(({ done }) => done.some(({ atChance }) => atChance))
    .map(({ remover, fraction }) => `${nameOf(document.removers, remover)} with ${exactPercent(fraction)}`);
  if (lost.length === 0) return [];
  return warning(
    `After ${list([...new Set(lost)])} the model only guesses: the training went astray, so that says little of the ` +
      "mark. Try a smaller rate (wildmark remove --learning-rate).",
  );
}

/** What methods do that nobody proposes as a removal. */
function baselines({ document, subjects }: Findings): readonly Remark[] {
  const { removers, budgets } = document;
  if (!removers.some(isBaseline))
    return note("No baseline was run, so it is open what plain fine-tuning would have done.");
  const parts = removers.flatMap((remover, at) => {
    if (!isBaseline(remover)) return [];
    return budgets.map((fraction) => {
      const tried = subjects.flatMap(({ subject: { name }, conditions }) => {
        const found = conditions.find((c) => c.remover === at && c.fraction === fraction);
        return found === undefined || found.runs.length === 0 ? [] : [{ name, ...found }];
      });
      const gone = tried.filter((c) => c.gone === c.runs.length).map(({ name }) => name);
      const partly = tried.filter((c) => c.gone > 0 && c.gone < c.runs.length).map(({ name }) => name);
      const sometimes = partly.length === 0 ? "" : ` (and ${list(partly)} in some runs)`;
      const who = budgets.length > 1 ? `${remover.name} with ${exactPercent(fraction)}` : remover.name;
      if (gone.length === 0) return `${who} removed ${tried.length > 1 ? "none of the marks" : "nothing"}${sometimes}`;
      if (gone.length === tried.length && tried.length > 1) return `${who} removed all of them`;
      return `${who} removed ${list(gone)}${sometimes}`;
    });
  });
  return note(`The baselines: ${parts.join("; ")}.`);
}

/** A removal that ends below a model trained on the attacker's data alone has stolen nothing. */
function worth({ document, subjects }: Findings): readonly Remark[] {
  return subjects.flatMap(({ subject, strongest }) => {
    const { accuracy, behindScratch } = strongest ?? {};
    if (strongest === undefined || accuracy === undefined || behindScratch === undefined || behindScratch < 0)
      return [];
    return warning(
      `Against the ${subject.name} mark, ${nameOf(document.removers, strongest.remover)} ends at ` +
        `${percent(accuracy.mean)} accuracy, no better than training from scratch on the attacker's own data ` +
        `(${percent(accuracy.mean + behindScratch)}): the marked weights were worth nothing to the attacker.`,
    );
  });
}

function seeds({ document: { seeds: all } }: Findings): readonly Remark[] {
  if (all.length === 1) return note("One seed: how much these numbers vary from run to run is not known.");
  return note(`Numbers are means over ${count(all.length)} seeds; bands and brackets show the lowest and highest.`);
}

function fewSeeds({ document: { seeds: all } }: Findings): readonly Remark[] {
  if (all.length >= 5) return [];
  return warning(`${plural(all.length, "seed")}: too few to tell how much results vary; intervals are too narrow.`);
}

function names(subjects: readonly SubjectFindings[]): string {
  return list([...new Set(subjects.map(({ subject }) => subject.name))]);
}
