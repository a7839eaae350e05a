/**
 * @file How a model's answers are read: which output holds the scores, where its last layer is, which of its classes
 * count. Part of a model's description, like its preprocessing, where the file itself leaves a choice.
 *
 * It is said by whoever calls (flags) or by `model.wildmark.json` beside the file; what is not said is found
 * (`classifier.ts`).
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";

const name = z.string().min(1);

/** The same in JSON, in a sidecar file. Every field may be left out. */
export const headSchema = z.strictObject({
  /** The output, or any value of the graph, that holds the scores. */
  output: name.optional(),
  /** The value that holds the scores before a softmax. */
  logits: name.optional(),
  /** The layer that makes the logits: its node, the value that it computes, or a weight of it. */
  lastLayer: name.optional(),
  /** The model's class for each class of the data, in their order; its other classes are not asked for. */
  classes: z
    .array(z.int().min(0).max(65_535))
    .min(2)
    .refine((classes) => new Set(classes).size === classes.length, "a class is named twice")
    .optional(),
  /** Whether the one score that the model gives is that of class 1 against class 0. */
  binary: z.boolean().optional(),
});

export type Head = Readonly<z.infer<typeof headSchema>>;

/** Which of the fields are the head's, of a sidecar that holds a preprocessing too. */
export const headFields: ReadonlySet<string> = new Set(Object.keys(headSchema.shape));

/** `first` where it says something, else `second`. */
export function headOver(first: Head, second: Head): Head {
  const said = Object.fromEntries(Object.entries(first).filter(([, value]) => value !== undefined));
  return { ...second, ...said };
}

/**
 * @param from names the source in messages: a sidecar's path.
 * @throws WildmarkError `bad-file` naming each field that is wrong.
 */
export function parseHead(value: unknown, from: string): Head {
  const parsed = headSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => [...path, message].join(": "));
  throw new WildmarkError("bad-file", `${from}: ${issues.join("; ")}.`, {
    hint: 'Expected such as {"output": "logits", "classes": [3, 5, 7]}.',
  });
}

/** Keys under which exporters keep what the classes are called (Ultralytics: `names`; Hugging Face: `id2label`). */
const NAME_KEYS: readonly string[] = ["names", "class_names", "classes", "labels", "id2label"];

/** What a file's metadata call its classes, in the order of its scores: JSON, a Python dictionary, or a list. */
export function classNamesIn(metadata: ReadonlyMap<string, string>): readonly string[] | undefined {
  for (const key of NAME_KEYS) {
    const text = metadata.get(key);
    const names = text === undefined ? undefined : namesFrom(text.trim());
    if (names !== undefined && names.length > 1) return names;
  }
  return undefined;
}

function namesFrom(text: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return Object.values(value).map(String);
  } catch {
    // Python's way of writing it, or plain words.
  }
  if (text.startsWith("{") || text.startsWith("[")) {
    return Array.from(
      text.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g),
      ([, single, double]) => single ?? double ?? "",
    );
  }
  return text
    .split(/[\n,]/)
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/**
 * "3,5,10-12", or names where the file tells them, as the model's classes.
 *
 * @param metadata of the model's file.
 * @throws WildmarkError `usage` for a name that the file does not hold, a range that runs backwards, and fewer than
 *   two.
 */
export function classesFrom(text: string, metadata: ReadonlyMap<string, string>): readonly number[] {
  const names = classNamesIn(metadata);
  const classes = text.split(",").flatMap((part) => {
    const item = part.trim();
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(item) ?? [];
    if (from !== undefined) {
      const [first, last] = [Number(from), Number(to ?? from)];
      if (last >= first && last - first < 65_536) return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    }
    const named = names?.findIndex((name) => name.toLowerCase() === item.toLowerCase()) ?? -1;
    if (named >= 0) return [named];
    throw new WildmarkError("usage", `--classes ${text}: "${item}" is no class of the model.`, {
      hint:
        names === undefined
          ? "Its file does not say what its classes are called: give their numbers, from 0 on, such as 3,5,10-12."
          : `Its classes: ${names.slice(0, 10).join(", ")}${names.length > 10 ? ", …" : ""}.`,
    });
  });
  const parsed = headSchema.shape.classes.safeParse(classes);
  if (parsed.success && parsed.data !== undefined) return parsed.data;
  const why = parsed.success ? "it is empty" : (parsed.error.issues[0]?.message ?? "it cannot be used");
  throw new WildmarkError("usage", `--classes ${text}: ${why}.`, {
    hint: "Give the model's class for each class of the data, in the data's order: 3,5,10-12.",
  });
}
