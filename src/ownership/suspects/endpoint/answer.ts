/**
 * @file Reads an answer's text: where the class stands, and what it is. Nothing in an answer is evaluated.
 *
 * A class may be a number, a word, `value:index:label` (Triton's classification extension), `{label}`, a list of
 * `{label, score}` (Hugging Face), `{label, confidences}` (Gradio), a map of words to scores, or a list of scores.
 */

import { WildmarkError } from "../../../core/errors.js";
import type { LabelReader } from "../labels.js";
import type { EndpointConfig } from "./config.js";

export type ReadAnswer =
  /** A class, which may lie beyond the key's. */
  | { readonly label: number }
  /** A word that is the name of none of the known classes. */
  | { readonly unknown: string }
  /** No class stands where one was expected. */
  | { readonly unreadable: string };

type Config = Pick<EndpointConfig, "answerPath"> & {
  readonly file: Pick<EndpointConfig["file"], "answer">;
};

/** @param body the text of an answer with status 200. */
export function readAnswer(body: string, config: Config, labels: LabelReader): ReadAnswer {
  const { as, order } = config.file.answer;
  const value = at(parsedOrText(body), config.answerPath);
  if (value === undefined) return { unreadable: `nothing stands at ${config.answerPath}` };
  const found = as === "scores" ? scoresOf(value) : classOf(value, as === "label");
  if (found === undefined)
    return { unreadable: `no class stands ${config.answerPath === "" ? "there" : `at ${config.answerPath}`}` };
  if ("word" in found) return wordOf(found.word, labels);
  const word = found.isScore ? order?.[found.index] : undefined;
  if (word !== undefined) return wordOf(word, labels);
  if (found.isScore && order !== undefined) return { unreadable: `there are more scores than answer.order names` };
  return { label: found.index };
}

/**
 * The class that each score is of, where the description says so; -1 for a word that no class has.
 *
 * @throws WildmarkError `usage` where two scores are of one class: whoever gives each of a thousand scores the class
 *   that suits would make any suspect match.
 */
export function orderOfScores({ file }: Pick<Config, "file">, labels: LabelReader): readonly number[] | undefined {
  const { order } = file.answer;
  if (order === undefined) return undefined;
  const found = order.map((word) => {
    const read = wordOf(word, labels);
    return "label" in read ? read.label : -1;
  });
  const twice = found.findIndex((label, i) => label >= 0 && found.indexOf(label) < i);
  if (twice < 0) return found;
  throw new WildmarkError(
    "usage",
    `answer.order names class ${found[twice]} twice, the second time as "${order[twice]}".`,
    {
      hint: "Each score is of another class: name each once, in the order in which the scores come.",
    },
  );
}

function parsedOrText(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body.trim() === "" ? undefined : body.trim();
  }
}

/** What stands at a dotted path: "outputs.0.data", "outputs[0].data"; the whole at "". */
function at(value: unknown, path: string): unknown {
  const steps = path.split(/[.[\]]+/).filter((step) => step !== "");
  let found = value;
  for (const step of steps) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Object.entries(found).find(([key]) => key === step)?.[1];
  }
  return found;
}

type Found = { readonly word: string } | { readonly index: number; readonly isScore: boolean };

function classOf(value: unknown, isLabel: boolean): Found | undefined {
  if (typeof value === "string") return { word: value };
  if (typeof value === "number")
    return Number.isSafeInteger(value) && value >= 0 ? { index: value, isScore: false } : undefined;
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    const [first] = items;
    if (isLabel || (items.length === 1 && (typeof first !== "number" || Number.isInteger(first)))) {
      return first === undefined ? undefined : classOf(first, isLabel);
    }
    if (typeof first === "string") return { word: first };
    if (typeof first === "object" && first !== null && !Array.isArray(first)) return bestOf(items);
    return scoresOf(value);
  }
  if (typeof value !== "object" || value === null) return undefined;
  if ("label" in value) return classOf(value.label, true);
  const scores = Object.entries(value);
  const best = largest(scores.map(([, score]: [string, unknown]) => score));
  const word = best === undefined ? undefined : scores[best]?.[0];
  return word === undefined ? undefined : { word };
}

/** The label with the best score of a list of {label, score}. */
function bestOf(items: readonly unknown[]): Found | undefined {
  const best = largest(
    items.map((item): unknown => {
      if (typeof item !== "object" || item === null) return undefined;
      if ("score" in item) return item.score;
      return "confidence" in item ? item.confidence : undefined;
    }),
  );
  const item = best === undefined ? undefined : items[best];
  return typeof item === "object" && item !== null && "label" in item ? classOf(item.label, true) : undefined;
}

/** The index of the largest score, of ties the first, as a model's own answer is taken; batches of one are opened. */
function scoresOf(value: unknown): Found | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: readonly unknown[] = value;
  if (items.length === 1 && Array.isArray(items[0])) return scoresOf(items[0]);
  const index = largest(items);
  return index === undefined || items.length < 2 ? undefined : { index, isScore: true };
}

/** Undefined where one of them is no number. */
function largest(scores: readonly unknown[]): number | undefined {
  let best: { readonly index: number; readonly score: number } | undefined;
  for (const [index, score] of scores.entries()) {
    if (typeof score !== "number" || Number.isNaN(score)) return undefined;
    if (best === undefined || score > best.score) best = { index, score };
  }
  return best?.index;
}

function wordOf(text: string, labels: LabelReader): ReadAnswer {
  if (text.trim() === "") return { unreadable: "the label is empty" };
  const read = labels.read(text);
  if ("label" in read) return read;
  // A class that the key does not know is an answer all the same.
  const [, number] = /^(?:label[_ -]?)?(\d{1,9})$/i.exec(text.trim()) ?? [];
  if (number !== undefined) return { label: Number(number) };
  // Triton: "0.93:7:ship", "0.93:7"
  const [, index, label] = /^[-+\d.e]+:(\d{1,9})(?::(.*))?$/is.exec(text.trim()) ?? [];
  if (index === undefined) return { unknown: text };
  const named = label === undefined || label === "" ? undefined : labels.read(label);
  return named !== undefined && "label" in named ? named : { label: Number(index) };
}
