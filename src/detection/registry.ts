/** @file The detectors that there are. A new one is a file and a line here. */

import type { Detector } from "./detector.js";
import { gates } from "./gates.js";

export const detectors: readonly Detector[] = [gates];
