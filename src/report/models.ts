/** @file What sections look up of single models: the marked one of a seed, null models, the title of a test. */

import type { DoneMarked, ExperimentDocument, Judgement } from "../experiments/document.js";
import type { Measurement } from "../tasks/records.js";
import type { SubjectFindings } from "./findings/subjects.js";

/** The marked model that an attack with this seed started from: a given model serves all seeds. */
export function markedOf({ done }: SubjectFindings, seed: number): DoneMarked | undefined {
  return done.find((marked) => marked.seed === seed || marked.seed === null);
}

/** A null model and what it answers to one key. */
export interface NullAnswer {
  readonly seed: number;
  readonly measured: Measurement;
  readonly judgement?: Judgement;
  readonly modelSha256: string;
}

/** One key on every null model that is there. */
export function nullAnswers({ nullModels }: ExperimentDocument, { onNullModels }: DoneMarked): readonly NullAnswer[] {
  return onNullModels.flatMap(({ seed, judgement, ...answered }): readonly NullAnswer[] => {
    const model = nullModels.find((each) => each.seed === seed);
    if (model?.status !== "done") return [];
    const { accuracy, modelSha256 } = model;
    return [{ seed, measured: { accuracy, ...answered }, modelSha256, ...(judgement && { judgement }) }];
  });
}

/** The title of a test, as the marked models' verdicts tell it; its id if they do not. */
export function testTitle({ done }: SubjectFindings, id: string): string {
  return done.flatMap(({ verdict }) => verdict.tests).find((test) => test.id === id)?.title ?? id;
}
