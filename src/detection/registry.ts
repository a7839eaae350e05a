/** @file The detectors that there are. A new one is a file and a line here. */

import { bypass } from "./bypass.js";
import { constants } from "./constants.js";
import type { Detector } from "./detector.js";
import { gates } from "./gates.js";
import { hygiene } from "./hygiene.js";
import { kernels } from "./kernels.js";

export const detectors: readonly Detector[] = [gates, bypass, constants, kernels, hygiene];
