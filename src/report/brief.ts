/** @file The findings in brief, as plain data: what `--json` prints. Single runs stand in the document. */

import type { Condition } from "./findings/conditions.js";
import { type Findings, nameOf } from "./findings/findings.js";
import { nextSteps, sureness } from "./sentences/advice.js";
import { headline } from "./sentences/headline.js";
import { warnings } from "./sentences/remarks.js";

export function briefly(findings: Findings) {
  const { removers } = findings.document;
  return {
    headline: headline(findings),
    warnings: warnings(findings),
    sureness: sureness(findings),
    next: nextSteps(findings),
    subjects: findings.subjects.map(({ subject, fate, fateUnderTest, conditions, onNullModels, onScratch }) => ({
      ...{ name: subject.name, mark: subject.mark, fate, fateUnderTest, onNullModels, onScratch },
      conditions: conditions.map(({ done, runs, remover, subject: _, ...condition }: Condition) => ({
        remover: nameOf(removers, remover),
        ...condition,
        done: done.length,
        counted: runs.length,
      })),
    })),
    rankings: findings.rankings.map(({ standings, unranked, ...ranking }) => ({
      ...ranking,
      standings: standings.map(({ remover, ...standing }) => ({ remover: nameOf(removers, remover), ...standing })),
      unranked: unranked.map(({ remover, lacking }) => ({ remover: nameOf(removers, remover), lacking })),
    })),
  };
}
