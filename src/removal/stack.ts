/**
 * @file Several methods one after another: each works on what the one before it left, with a random stream of its own.
 *
 * `fine-pruning,wild?metric=ce&epochs=5` names the methods and, where they differ from the defaults, their options as
 * in the query of a web address.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { Model } from "../onnx/model.js";
import type { Attack, ChosenMethod, RegisteredMethod, RemovalMethod, Stage } from "./method.js";

type StackOptions = { readonly methods: string };

/** @param find looks up a method of the registry that the stack itself stands in. */
export function stackOf(find: (id: string) => RegisteredMethod): RemovalMethod<StackOptions> {
  const parts = (methods: string): readonly ChosenMethod[] => methods.split(",").map((text) => part(find, text));
  const options = z.strictObject({
    methods: z
      .string()
      .default("fine-pruning,wild")
      .describe('methods in their order, with options where wanted: "fine-pruning,wild?metric=ce&epochs=5"')
      .superRefine((methods, context) => {
        try {
          parts(methods);
        } catch (error) {
          if (!(error instanceof WildmarkError)) throw error;
          context.addIssue({ code: "custom", message: [error.message, error.hint ?? ""].join(" ").trim() });
        }
      }),
  });
  return {
    id: "stack",
    title: "Stack",
    summary: "Runs several methods one after another, each on what the one before it left.",
    paper: "a combination of our own",
    needs: ["labelled"],
    baseline: false,
    options,
    label: ({ methods }) =>
      parts(methods)
        .map(({ label }) => label)
        .join(", then "),
    steps: ({ methods }, data) => parts(methods).reduce((sum, { steps }) => sum + steps(data), 0),
    run: (attack, { methods }) => oneAfterAnother(attack, parts(methods)),
  };
}

/** The records of all parts, numbered through. */
async function* oneAfterAnother(
  attack: Attack,
  parts: readonly ChosenMethod[],
): AsyncGenerator<Stage, void, undefined> {
  let model: Model = attack.model;
  let epoch = 0;
  for (const [i, { run }] of parts.entries()) {
    for await (const stage of run({ ...attack, model, random: attack.random.stream("part").stream(i) })) {
      epoch += 1;
      model = stage.model();
      const now = model;
      yield { ...stage, epoch, model: () => now };
    }
  }
}

/** "wild?metric=ce": a method and its options. */
function part(find: (id: string) => RegisteredMethod, text: string): ChosenMethod {
  const [id = "", query = ""] = text.trim().split("?", 2);
  if (id === "stack") {
    throw new WildmarkError("usage", "A stack cannot hold a stack.", { hint: "Name the methods one after another." });
  }
  const method = find(id);
  const given = [...new URLSearchParams(query)].map(([name, value]) => [name, typed(method, name, value)]);
  return method.choose(Object.fromEntries(given));
}

/** The text itself where the option takes text, else the number or switch that it spells. */
function typed({ options }: RegisteredMethod, name: string, text: string): unknown {
  const schema: z.ZodType | undefined = options.shape[name];
  if (schema?.safeParse(text).success) return text;
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return text.trim() === "" || Number.isNaN(number) ? text : number;
}
