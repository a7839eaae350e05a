/** @file A view: the sections of a report in their order. Those that have nothing to say are empty. */

import type { Findings } from "../findings/findings.js";
import type { Content } from "../html.js";

export type View = readonly ((findings: Findings) => Content)[];
