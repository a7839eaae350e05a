/** @file The report of `audit`: the owner's answer and what to do, the matrix, then the evidence of every attack. */

import { curvesByMeasure } from "../sections/curves.js";
import { evidence } from "../sections/evidence.js";
import { matrix } from "../sections/matrix.js";
import { assumptions, methods } from "../sections/methods.js";
import { models, runs } from "../sections/models.js";
import { advice, beforeAttacks, opening, warningList } from "../sections/opening.js";
import { pictures } from "../sections/pictures.js";
import { budgets, comeback, tradeoff } from "../sections/prices.js";
import { redo } from "../sections/redo.js";
import type { View } from "./view.js";

export const auditView: View = [
  ...[opening, beforeAttacks, matrix, warningList, advice],
  ...[tradeoff, curvesByMeasure, budgets, comeback, pictures, evidence, models],
  ...[methods, assumptions, redo, runs],
];
