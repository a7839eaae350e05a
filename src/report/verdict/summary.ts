/** @file What the document of a verdict says, in the sentences of its first screen. */

import type { VerdictDocument } from "../../experiments/verdict-result.js";
import { decide, triesOf } from "../../ownership/decide.js";
import type { Verdict } from "../../ownership/verdict.js";
import { count, exactPValue, exactPValueRelation, list, percent, plural } from "../format.js";

/** Whether ownership is shown; is not; or could not have been with this key, whatever the suspect had answered. */
export type Outcome = "shown" | "not-shown" | "cannot-be-shown";

export interface GroundSummary {
  readonly title: string;
  /** The innocent explanation as a question. */
  readonly question: string;
  readonly answer: "ruled out" | "not ruled out" | "not tested";
  readonly text: string;
}

export interface VerdictSummary {
  readonly outcome: Outcome;
  readonly headline: string;
  /** What was counted, and what the p-value means. */
  readonly meaning: readonly string[];
  readonly warnings: readonly string[];
  readonly grounds: readonly GroundSummary[];
}

export function summariseVerdict(document: VerdictDocument): VerdictSummary {
  const outcome = outcomeOf(document.verdict);
  return {
    outcome,
    headline: headline(document.verdict, outcome),
    meaning: meaning(document, outcome),
    warnings: warnings(document),
    grounds: document.grounds.map((ground) => ({
      ...ASKED[ground.against],
      answer: ground.tested ? answer(document.verdict, ground.against) : "not tested",
      text: ground.text,
    })),
  };
}

export function outcomeOf({ owned, alpha, missing, least }: Verdict): Outcome {
  if (owned) return "shown";
  return missing !== undefined || (least !== undefined && least > alpha) ? "cannot-be-shown" : "not-shown";
}

function headline({ alpha, pValue, missing, least = 0 }: Verdict, outcome: Outcome): string {
  switch (outcome) {
    case "shown":
      return `Ownership is shown at the significance level ${alpha}: p ${exactPValueRelation(pValue)}.`;
    case "not-shown":
      return `Ownership is not shown at the significance level ${alpha}: p ${exactPValueRelation(pValue)}.`;
    case "cannot-be-shown":
      return missing === undefined
        ? `With this key, asked like this, ownership cannot be shown at the significance level ${alpha}, ` +
            `whatever the suspect answers: its p-value is at least ${exactPValue(least)}.`
        : `Ownership cannot be shown, whatever the suspect answers, without ${list(missing)}.`;
  }
}

function meaning({ verdict, compared, suspect }: VerdictDocument, outcome: Outcome): string[] {
  const { matches, n, tests, decidedBy } = verdict;
  const title = tests.find((test) => test.id === decidedBy)?.title ?? decidedBy;
  const luck = compared.luck === undefined ? "" : `; ${Number((n * compared.luck).toFixed(1))} are expected by luck`;
  const triggers = plural(n, "secret trigger");
  const counted = `${suspect.name} answered ${matches} of ${triggers} with the label that the key says${luck}.`;
  if (outcome === "cannot-be-shown") {
    return [counted, "Nothing follows from that, neither for nor against the claim."];
  }
  return [
    counted,
    `The p-value says how often answers at least as telling would be seen if the claim were false in the ` +
      `likeliest of the ways that were tested: the weakest evidence decides, here that of the ${title}. It is not ` +
      "the probability that the suspect is innocent.",
    ...(outcome === "not-shown"
      ? ["Not shown does not mean that the claim is false: a mark can be too weak to be seen."]
      : []),
  ];
}

const ASKED: Readonly<Record<VerdictDocument["grounds"][number]["against"], { title: string; question: string }>> = {
  luck: { title: "Luck", question: "Could the suspect match the key by chance?" },
  "look-alikes": { title: "Look-alikes", question: "Would a model without the mark answer such images so too?" },
  forgers: { title: "Forgers", question: "Could somebody have made up a key that fits?" },
};

/** By the weakest of the tests that stand against it, with all that was tried paid for. */
function answer(verdict: Verdict, against: VerdictDocument["grounds"][number]["against"]): GroundSummary["answer"] {
  const tests = verdict.tests.filter((test) => test.against === against);
  return decide(tests, triesOf(verdict)).pValue <= verdict.alpha ? "ruled out" : "not ruled out";
}

function warnings({ verdict, key, suspect, compared }: VerdictDocument): string[] {
  const { provenance, keysTried = 1, readings = 1, stops = 1, unheard, duplicates, refused, n, unmarked } = verdict;
  return [
    ...(provenance === "chosen"
      ? ["Evidence of the weaker kind: this key was not drawn from a secret; somebody chose what it holds."]
      : []),
    ...(provenance === "made-here"
      ? [
          "The verdict takes the word of whoever asked that the key was made by himself and for this: it " +
            "convinces nobody else.",
        ]
      : []),
    ...(suspect.isTheMarkedFile === true ? ["The suspect is, byte for byte, the file that the key was made for."] : []),
    ...(suspect.through === undefined
      ? []
      : [`Every image went through ${suspect.through} first: this is a verdict on the model behind that way.`]),
    ...(suspect.kind === "model"
      ? []
      : [
          "The suspect was asked from afar and may have filtered triggers out: ownership that is not shown " +
            "is weaker evidence than a model's file would give.",
        ]),
    ...(compared.strangers?.sameBase === false
      ? ["The strangers' keys were drawn from other data than this key: they may fit worse for that reason alone."]
      : []),
    ...(keysTried > 1
      ? [`${count(keysTried)} keys were tried on this suspect: the p-value is multiplied by ${count(keysTried)}.`]
      : []),
    ...(readings > 1
      ? [`The suspect's images were read in ${count(readings)} ways: the p-value is multiplied by ${count(readings)}.`]
      : []),
    ...(stops > 1
      ? [
          `${count(n)} of ${count(stops)} triggers were asked, and whoever stopped there may have seen the ` +
            `answers: the p-value is multiplied by ${count(stops)}.`,
        ]
      : []),
    ...(unheard === undefined
      ? []
      : [
          `${count(unheard.answers)} of ${plural(unheard.of, "answer")} were read from a transcript, and ` +
            "not heard by the command that made this document: a transcript can be made up.",
        ]),
    ...(duplicates === undefined
      ? []
      : [`${plural(duplicates, "trigger")} of ${key.triggers} repeat a picture, and were not counted.`]),
    ...(refused === undefined
      ? []
      : [`${plural(refused, "trigger")} of ${n} (${percent(refused / n)}) got no answer, and count as misses.`]),
    ...(unmarked === undefined ? [] : [`${plural(unmarked, "unmarked model")} took part.`]),
  ];
}
