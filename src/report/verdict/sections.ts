/** @file The page of a verdict, section by section: the sentence first, then what it rests on, then how to check it. */

import type { VerdictDocument } from "../../experiments/verdict-result.js";
import { type Content, html } from "../html.js";
import { again, asked } from "./asked.js";
import { notTested, pictures, testsTable } from "./evidence.js";
import { counts, opening, restsOn } from "./opening.js";
import { summariseVerdict } from "./summary.js";

export function verdictSections(document: VerdictDocument): Content {
  const summary = summariseVerdict(document);
  const parts: readonly Content[] = [
    opening(document, summary),
    restsOn(document, summary),
    counts(document),
    testsTable(document),
    notTested(document),
    asked(document),
    pictures(document),
    again(document),
  ];
  return html`${parts}`;
}
