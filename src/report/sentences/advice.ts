/** @file How far the findings carry, and what to do next. */

import { plural } from "../format.js";
import type { Findings } from "../findings/findings.js";
import type { SubjectFindings } from "../findings/subjects.js";

/** What "removed" means, how much may vary, and whether removals last. */
export function sureness(findings: Findings): string {
  const { seeds, decision } = findings.document;
  const triggers = [...new Set(findings.subjects.flatMap(({ done }) => done.map(({ verdict }) => verdict.n)))];
  const [n] = triggers;
  const asked = n === undefined || triggers.length > 1 ? "" : `${plural(n, "trigger")}, `;
  const level =
    `“Removed” means that on the cleaned model the key's verdict is “not shown” at α = ${decision.alpha} ` +
    `(${asked}the most conservative test that applies).`;
  const repeated =
    seeds.length === 1
      ? "One seed: how much this varies from run to run is not known."
      : `Each attack was run with ${seeds.length} seeds, which draw other data and other noise; a condition counts ` +
        "as removed only if all of them agree.";
  return [level, repeated, ...lasting(findings)].join(" ");
}

/** What a little tuning brings back was hidden, not gone. */
function lasting({ document: { observe }, subjects }: Findings): readonly string[] {
  const attacks = subjects.flatMap((subject) => subject.attacks);
  const runs = attacks.reduce((sum, { reactivated }) => sum + reactivated, 0);
  const back = attacks.reduce((sum, { returned }) => sum + returned, 0);
  if (observe.reactivation === null || runs === 0) return [];
  const { steps, batch } = observe.reactivation;
  const what = `${plural(steps, "step")} of tuning on clean training images (${batch} a step) brought the mark back in`;
  const models = `${plural(runs, "model")} that had lost it`;
  return [back === 0 ? `${what} none of ${models}.` : `${what} ${back} of ${models}: there it was hidden, not gone.`];
}

/** What the one who asked can do now; for an owner, by the fate of the mark. */
export function nextSteps(findings: Findings): readonly string[] {
  const { statement, attacks, complete } = findings.document;
  const again = [
    ...(complete ? [] : ["Some cells are not computed yet: the same command goes on where it stopped."]),
    ...(attacks.some((cell) => cell.status === "failed" && cell.mayPass)
      ? ["Some cells failed: the same command tries only those again."]
      : []),
  ];
  if (statement !== "audit") return again;
  const owner = findings.subjects.flatMap((subject) => ownerSteps(findings, subject));
  return [...new Set([...owner, ...again])];
}

/** No audit knows whether it was done: a commitment says nothing to whoever does not hold it. */
const COMMIT =
  "If you have not yet, publish what wildmark key commit prints for this key where the date can be proved, so that " +
  "nobody can say later that the key was made to fit.";

function ownerSteps({ document: { seeds, budgets } }: Findings, { subject, fate }: SubjectFindings): readonly string[] {
  const repeat = seeds.length < 3 ? ["Repeat with --seeds 5 before relying on it: finished cells are kept."] : [];
  const most = Math.max(...budgets);
  switch (fate) {
    case "falls":
    case "sometimes":
      return [
        "Do not rely on this mark alone: someone with this much data can take it off and keep the model's worth. It " +
          "still tells copies that nobody has tuned.",
        `Embed another kind of mark (wildmark embed --scheme …; this one is “${subject.mark}”), or more triggers, ` +
          "and audit that in the same way.",
        COMMIT,
        ...repeat,
      ];
    case "costly":
    case "survives": {
      const more =
        most < 1
          ? `try more data (--budgets ${Math.min(1, most * 2)}) and longer attacks (--epochs)`
          : "try longer attacks (--epochs)";
      return [`Survival holds for these attacks and budgets only: ${more}.`, COMMIT, ...repeat];
    }
    case "never-shown":
      return ["Check that model and key belong together; else embed the mark longer, or with more triggers."];
    case "unsound":
      return ["Make a key whose labels are drawn at random, or with more triggers and placebos, and audit again."];
    case "untested":
      return ["Give the attacks more data (--budgets), or see below why none could be run."];
  }
}
