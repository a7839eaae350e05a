/** @file The report of `bench`: all marks against all removers at a glance, what it takes, what beats what. */

import { curves } from "../sections/curves.js";
import { heat, lacking } from "../sections/heat.js";
import { methods } from "../sections/methods.js";
import { models } from "../sections/models.js";
import { extent, opening, warningList } from "../sections/opening.js";
import { pictures } from "../sections/pictures.js";
import { budgets, comeback, front } from "../sections/prices.js";
import { rankings } from "../sections/rankings.js";
import { forPrograms, redo } from "../sections/redo.js";
import type { View } from "./view.js";

export const benchView: View = [
  ...[opening, extent, warningList],
  ...[heat, lacking, budgets, front, rankings, comeback, curves, pictures, models],
  ...[methods, forPrograms, redo],
];
