/** @file The findings in a few sentences, as the one who asked wants them: per mark, of one's own model, of a bench. */

import { list, plural, pointsWithUnit, shortPercent, exactPercent } from "../format.js";
import type { Condition, ConditionOutcome } from "../findings/conditions.js";
import { attacksFirst, type Findings, nameOf } from "../findings/findings.js";
import { type Fate, fates, type SubjectFindings } from "../findings/subjects.js";

/** What a reader wants to know first. */
export function headline(findings: Findings): readonly string[] {
  switch (findings.document.statement) {
    case "reproduce":
      return [fateSentence(findings)];
    case "audit":
      return ownerSentences(findings);
    case "bench":
      return [...fallSentences(findings), ...rankSentence(findings)];
  }
}

// reproduce: which marks share a fate under the methods under test

function fateSentence(findings: Findings): string {
  const clauses = fates.flatMap((fate) => {
    const same = findings.subjects.filter(({ done, fateUnderTest }) => done.length > 0 && fateUnderTest === fate);
    return same.length === 0 ? [] : [clause(findings, fate, same)];
  });
  if (clauses.length === 0) return "The document holds no marked model.";
  const sentence = clauses.join("; ");
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
}

function clause({ document }: Findings, fate: Fate, subjects: readonly SubjectFindings[]): string {
  const many = subjects.length > 1;
  const [are, do_, them] = many ? ["are", "do", "them"] : ["is", "does", "it"];
  const marks = `the ${list(subjects.map(({ subject }) => subject.name))} ${many ? "marks" : "mark"}`;
  const attacks = subjects.flatMap(({ strongest }) => strongest ?? []);
  const budget = ({ fraction }: Condition): string =>
    document.budgets.length > 1 ? ` with ${exactPercent(fraction)} of the data` : "";
  const by = list([
    ...new Set(attacks.map((attack) => `${nameOf(document.removers, attack.remover)}${budget(attack)}`)),
  ]);
  const retention = attacks.map((attack) => attack.retention?.mean ?? 0);
  const most = many ? "at most " : "";
  const largest = Math.max(...attacks.map((attack) => attack.drop?.mean ?? 0));
  const price = largest < 0.0005 ? "at no cost in accuracy" : `for ${most}${pointsWithUnit(largest, 1)} of accuracy`;
  const left = (share: number): string => `${shortPercent(share)} retention`;
  switch (fate) {
    case "falls":
      return `${marks} ${do_} not survive ${by}: ${most}${left(Math.max(...retention))} is left, ${price}`;
    case "sometimes":
      return (
        `${marks} ${many ? "survive" : "survives"} some runs only: the strongest attack (${by}) leaves ` +
        `${them} shown in ` +
        `${attacks.map(({ runs, gone }) => `${runs.length - gone} of ${runs.length}`).join(" and ")} runs, ${price}`
      );
    case "costly":
      return (
        `${marks} ${many ? "survive" : "survives"} every attack that is worth its price: the strongest (${by}) ` +
        `removes ${them} ${price}`
      );
    case "survives":
      return (
        `${marks} ${many ? "survive" : "survives"} every run: the strongest attack (${by}) leaves ` +
        `${many ? "at least " : ""}${left(Math.min(...retention))}`
      );
    case "untested":
      return `no method under test was run against ${marks}`;
    case "never-shown":
      return `${marks} could not be shown even before removal, so nothing can be concluded about ${them}`;
    case "unsound":
      return `${marks} ${are} shown on null models too, so nothing can be concluded about ${them}`;
  }
}

/** The answer to "does it survive?" in a word or two. */
export const ANSWERS: Readonly<Record<Fate, string>> = {
  falls: "No",
  sometimes: "Not always",
  costly: "Not at any price",
  survives: "Yes",
  untested: "Not tested",
  "never-shown": "Never shown",
  unsound: "Cannot tell",
};

// audit: the owner's question

function ownerSentences(findings: Findings): readonly string[] {
  return findings.subjects.map((subject) => {
    const sentence = ownerSentence(findings, subject);
    return findings.subjects.length === 1 ? sentence : `${subject.subject.name}: ${sentence}`;
  });
}

function ownerSentence(findings: Findings, { attacks, fate }: SubjectFindings): string {
  const { removers, decision } = findings.document;
  const tried = attacksFirst(findings.document)
    .map(({ at }) => attacks.filter(({ remover }) => remover === at))
    .filter((conditions) => conditions.some(({ done }) => done.length > 0));
  const number = plural(tried.length, "attack");
  const most = `up to ${budgetWords(tried.flat().findLast(({ done }) => done.length > 0))}`;
  switch (fate) {
    case "never-shown":
      return "The mark is not shown even before any attack, so nothing can be said of what removes it.";
    case "unsound":
      return "The key is “shown” on models that never saw the mark, so nothing can be said of what removes it.";
    case "untested":
      return "No attack could be run, so it is open whether your mark survives.";
    case "survives":
      return `Your mark survived every attack tried (${number}), ${most}.`;
    case "falls": {
      const fallen = breaking(tried, "removed");
      const rest = breaking(tried, "costly", "pointless").filter((c) => !fallen.some((f) => f.remover === c.remover));
      const names = list(rest.map(({ remover }) => nameOf(removers, remover)));
      const more =
        rest.length === 0 ? "" : ` ${names} ${rest.length === 1 ? "removes" : "remove"} it only at a higher price.`;
      return `Your mark falls to ${fallen.length} of ${number}: ${told(findings, fallen)}.${more}`;
    }
    case "sometimes": {
      const fallen = breaking(tried, "sometimes");
      return `Your mark falls to ${fallen.length} of ${number} in some of the seeds: ${told(findings, fallen)}.`;
    }
    case "costly": {
      const dear = breaking(tried, "costly", "pointless");
      const { acceptableDrop } = decision;
      const limit = acceptableDrop === null ? "" : `at most ${pointsWithUnit(acceptableDrop, 0)} of accuracy, `;
      return (
        `Your mark survived every attack that is worth its price (${limit}better than training from scratch), ` +
        `${most}. At a higher price, ${dear.length} of ${number} ${dear.length === 1 ? "removes" : "remove"} it: ` +
        `${told(findings, dear)}.`
      );
    }
  }
}

/**
 * Of each attack that reaches one of the outcomes, the condition with the least data; least data and least cost first.
 */
function breaking(
  attacks: readonly (readonly Condition[])[],
  ...outcomes: readonly ConditionOutcome[]
): readonly Condition[] {
  return attacks
    .flatMap((conditions) => conditions.find(({ outcome }) => outcomes.includes(outcome)) ?? [])
    .sort((a, b) => a.fraction - b.fraction || (a.drop?.mean ?? 0) - (b.drop?.mean ?? 0));
}

/** The first attack in full, two more in short, the rest as a number. */
function told({ document }: Findings, broken: readonly Condition[]): string {
  const [first, ...others] = broken;
  if (first === undefined) return "none";
  const name = ({ remover }: Condition): string => nameOf(document.removers, remover);
  const opening = `${name(first)} with ${budgetWords(first)} removes it${seedWords(first)} ${cost(first)}`;
  const more = others.slice(0, 2).map((condition) => {
    const budget = condition.fraction === first.fraction ? "the same data" : exactPercent(condition.fraction);
    return `${name(condition)} with ${budget}${seedWords(condition)} ${cost(condition)}`;
  });
  const rest = others.length > 2 ? [`${others.length - 2} more`] : [];
  return [opening, ...(more.length === 0 ? [] : [list([...more, ...rest])])].join("; ");
}

function seedWords({ outcome, gone, removed, runs }: Condition): string {
  const count = outcome === "pointless" ? gone : removed || gone;
  return gone === runs.length || count === runs.length ? "" : ` in ${count} of ${plural(runs.length, "seed")}`;
}

function budgetWords(condition: Condition | undefined): string {
  if (condition === undefined) return "no data";
  const [first] = condition.done;
  const images = first === undefined ? "" : ` (${plural(first.images.labelled + first.images.unlabelled, "image")})`;
  return `${exactPercent(condition.fraction)} of the training data${images}`;
}

function cost({ drop }: Condition): string {
  if (drop === undefined) return "";
  return drop.mean < 0.0005 ? "at no cost in accuracy" : `at ${pointsWithUnit(drop.mean, 1)} of accuracy`;
}

// bench: to how many attacks marks fall, and what ranks first

/** For each mark: to how many of the attacks it falls. Removers that ignore the model are no attacks. */
function fallSentences({ subjects, focus }: Findings): readonly string[] {
  const counted = subjects.map(({ subject: { name }, attacks }) => {
    const tried = attacks.filter(({ fraction, runs }) => fraction === focus && runs.length > 0);
    const falls = tried.filter(({ removed, runs }) => removed === runs.length).length;
    const sometimes = tried.filter(({ removed, runs }) => removed > 0 && removed < runs.length).length;
    return { name, tried: tried.length, falls, sometimes };
  });
  const tested = counted.filter(({ tried }) => tried > 0);
  if (tested.length === 0) return ["Nothing can be said yet: no attack on a mark that was shown has been computed."];
  const standing = tested.filter(({ falls, sometimes }) => falls + sometimes === 0);
  const falling = tested.filter(({ falls, sometimes }) => falls + sometimes > 0);
  const data = `With ${exactPercent(focus)} of the training data`;
  const said = ({ name, tried, falls, sometimes }: (typeof counted)[number]): string =>
    `${name} to ${falls} of ${tried}${sometimes > 0 ? ` (and sometimes to ${sometimes} more)` : ""}`;
  return [
    ...(falling.length > 0 ? [`${data} marks fall to so many of the attacks: ${list(falling.map(said))}.`] : []),
    ...(standing.length > 0
      ? [`${falling.length > 0 ? "No attack" : `${data} no attack`} removes ${list(standing.map(({ name }) => name))}.`]
      : []),
  ];
}

function rankSentence({ document, rankings, focus }: Findings): readonly string[] {
  const ranking = rankings.find(({ fraction }) => fraction === focus);
  const [best, ...others] = ranking?.standings ?? [];
  if (ranking === undefined || best === undefined || others.length === 0) return [];
  const name = ({ remover }: { readonly remover: number }): string => nameOf(document.removers, remover);
  const tied = others.filter((standing) => standing.tied);
  const beside =
    tied.length === 0
      ? "and is ahead of all others by more than chance"
      : `and cannot be told from ${list(tied.map(name))}`;
  const rank = `mean rank ${best.rank.mean.toFixed(1)} of ${ranking.standings.length}`;
  return [`Over ${plural(ranking.blocks, "marked model")} ${name(best)} ranks first (${rank}) ${beside}.`];
}
