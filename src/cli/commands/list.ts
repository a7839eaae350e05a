/** @file wildmark list: what there is to choose from. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { datasets } from "../../data/registry.js";
import { recipeFor } from "../../models/recipes.js";
import { architectures, parameterCount } from "../../models/registry.js";
import { removalMethods } from "../../removal/registry.js";
import { markSchemes } from "../../watermarks/registry.js";
import { type CommandFile, defineCommand, type Outcome } from "../command.js";
import { flagsOf } from "../flags.js";
import { textTable } from "../../core/text-table.js";
import { indented } from "../output.js";

const COLOUR = { channels: 3, height: 32, width: 32, classes: 10 };

const LISTS: Readonly<Record<string, () => Outcome>> = {
  methods: () => ({
    document: removalMethods.map(({ id, title, summary, paper, needs, baseline, options }) => {
      return { id, title, summary, paper, needs, baseline, options: optionsOf(options) };
    }),
    text: described(removalMethods, "wildmark remove MARKED.onnx --method ID --help shows a method's options."),
  }),
  marks: () => ({
    document: markSchemes.map(({ id, title, summary, paper, pictures, startsTrained, options }) => {
      return { id, title, summary, paper, pictures: pictures ?? null, startsTrained, options: optionsOf(options) };
    }),
    text: described(markSchemes, "wildmark embed --scheme ID --help shows a mark's options."),
  }),
  datasets: () => ({
    document: datasets.map(({ id, title, about, kind, shape, classes, trainCount, testCount }) => {
      return { id, title, about, builtIn: kind === "built-in", shape, classes, trainCount, testCount };
    }),
    text:
      `${textTable(datasets.map(({ id, title, about }) => [id, title, about]))}\n\nwildmark data list shows ` +
      `which are on this machine.`,
  }),
  architectures: () => ({
    document: architectures.map((architecture) => {
      const { id, title, smallest, width } = architecture;
      const parameters = parameterCount(architecture, COLOUR);
      return { id, title, smallestImage: smallest, parameters, width: width ?? null, recipe: recipeFor(architecture) };
    }),
    text: [
      textTable(
        architectures.map((architecture) => {
          const { id, title, smallest } = architecture;
          const parameters = parameterCount(architecture, COLOUR).toLocaleString("en-US");
          return [id, title, `${parameters} weights`, `images from ${smallest}×${smallest}`];
        }),
      ),
      "Weights are counted for colour images of 32×32 in 10 classes. Those with a width take any: " +
        "resnet18-16, or --width 16.",
    ].join("\n\n"),
  }),
};

export const command: CommandFile = () =>
  defineCommand({
    name: "list",
    description: "Lists removal methods, marks, data sets or architectures; with --json, their options too.",
    arguments: [{ name: "WHAT", description: Object.keys(LISTS).join(", ") }],
    flags: z.object({}),
    examples: [
      ["wildmark list methods", ""],
      ["wildmark list marks --json", "with every option and its default"],
    ],
    async run({ args: [what = ""] }) {
      const list = Object.hasOwn(LISTS, what) ? LISTS[what] : undefined;
      if (list !== undefined) return list();
      throw new WildmarkError("usage", `wildmark list has no "${what}".`, {
        hint: `Choose one of: ${Object.keys(LISTS).join(", ")}.`,
      });
    },
  });

interface Described {
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly paper: string;
}

function described(records: readonly Described[], hint: string): string {
  const entries = records.map(({ id, summary, paper }) => `${id}\n${indented(`${summary}\n${paper}`)}`);
  return [...entries, hint].join("\n\n");
}

function optionsOf(schema: z.ZodObject) {
  return flagsOf(schema).map(({ key, name, placeholder, description, fallback }) => {
    return { name: key, flag: name, value: placeholder, description, default: fallback };
  });
}
