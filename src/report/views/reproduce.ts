/** @file The report of `reproduce`: which marks survive the methods under test, epoch by epoch, with every verdict. */

import { curves } from "../sections/curves.js";
import { heatByBudget, lacking } from "../sections/heat.js";
import { methods, tests } from "../sections/methods.js";
import { runs } from "../sections/models.js";
import { cards, facts, opening, remarkList } from "../sections/opening.js";
import { pictures } from "../sections/pictures.js";
import { budgets, comeback, tradeoff } from "../sections/prices.js";
import { redo } from "../sections/redo.js";
import { verdicts } from "../sections/verdicts.js";
import type { View } from "./view.js";

export const reproduceView: View = [
  ...[opening, cards, facts, remarkList],
  ...[heatByBudget, curves, tradeoff, budgets, comeback, pictures, verdicts, lacking],
  ...[methods, tests, redo, runs],
];
