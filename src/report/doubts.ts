/** @file What casts doubt on the data of a document, as its report says it first. */

import type { ExperimentDocument } from "../experiments/document.js";

/** A sentence for each doubt, of a document of whatever kind. */
export function doubtful({ data }: Pick<ExperimentDocument, "data">): readonly string[] {
  return (data.doubts ?? []).map((doubt) => `The data are doubtful: ${doubt}${/[.?]$/.test(doubt) ? "" : "."}`);
}
