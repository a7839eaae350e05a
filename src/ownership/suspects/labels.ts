/**
 * @file What a suspect calls its classes: numbers or words, read as class indices.
 *
 * A suspect answers `7`, `"dog"`, `"Hot Dog"` or, as Hugging Face's models do where nobody named their classes,
 * `"LABEL_7"`. A word counts as the name it spells, whatever its case and whether spaces, hyphens or underscores stand
 * between.
 */

import { existsSync } from "node:fs";
import { WildmarkError } from "../../core/errors.js";
import { readFileBounded } from "../../core/files.js";
import { didYouMean } from "../../core/suggest.js";

/** Names of 65,536 classes, a thousand letters each. */
const MAX_LABELS_BYTES = 64 * 2 ** 20;

/** A class index, or why there is none. */
export type ReadLabel = { readonly label: number } | { readonly wrong: string };

export interface LabelReader {
  /**
   * How many classes the suspect tells apart, as far as is known: as many as there are names, else as many as the key
   * has.
   */
  readonly classes: number;
  /** @param text a number or a word, never empty. */
  readonly read: (text: string) => ReadLabel;
}

/**
 * Reads what `--labels` was given: a file with a name a line, in the order of the key's classes, or the names
 * themselves with commas between. A file of that name wins.
 *
 * @param flag that it was given to, for messages.
 * @throws WildmarkError `usage`, `bad-file`.
 */
export async function readClassNames(given: string, flag = "--labels"): Promise<readonly string[]> {
  if (!existsSync(given)) {
    if (given.includes(",")) return checked(given.split(","), flag);
    throw new WildmarkError("usage", `${flag} ${given}: there is no such file.`, {
      hint: "Give a file with a name a line, or the names with commas between: cat,dog,ship.",
    });
  }
  const bytes = await readFileBounded(given, { what: "names of classes, one a line", maxBytes: MAX_LABELS_BYTES });
  const lines = Buffer.from(bytes)
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return checked(lines, given);
}

function checked(names: readonly string[], where: string): readonly string[] {
  const trimmed = names.map((name) => name.trim());
  const empty = trimmed.indexOf("");
  if (empty >= 0) {
    throw new WildmarkError("usage", `${where}: name ${empty + 1} of ${trimmed.length} is empty.`, {
      hint: "Name every class of the key, in its order; more may follow.",
    });
  }
  return trimmed;
}

/**
 * @param classes of the key: numbers may lie in 0 … classes − 1 where there are no names.
 * @param names that the suspect has for the key's classes, in the key's order; those of classes that only it knows may
 *   follow.
 */
export function labelReader(classes: number, names: readonly string[] = []): LabelReader {
  const known = names.length === 0 ? classes : names.length;
  const exact = indexed(names, (name) => name);
  const loose = indexed(names, plain);
  const read = (text: string): ReadLabel => {
    const word = text.trim();
    const index = exact.get(word) ?? loose.get(plain(word));
    if (index === AMBIGUOUS) return { wrong: `"${shown(word)}" is the name of more than one class` };
    if (index !== undefined) return { label: index };
    const [, digits] = /^(?:label[_ -]?)?(\d{1,9})$/i.exec(word) ?? [];
    if (digits === undefined) {
      if (/^-?\d*\.?\d+(e[+-]?\d+)?$/i.test(word))
        return { wrong: `${shown(word)} is no class: expected a whole number from 0` };
      return {
        wrong:
          names.length === 0
            ? `"${shown(word)}" is a word, and the classes have no names here`
            : `no class is called "${shown(word)}"${didYouMean(word, names)}`,
      };
    }
    const number = Number(digits);
    return number < known
      ? { label: number }
      : { wrong: `class ${number} is out of range: expected 0 to ${known - 1}` };
  };
  return { classes: known, read };
}

/**
 * How many words there were to choose the key's classes among, where somebody did: the names given are others than the
 * key's own, or stand in another order. 0 where each is read as the class in whose place it stands.
 *
 * @param own what the key calls its classes; numbers where it does not say.
 */
export function chosenAmong(
  names: readonly string[] | undefined,
  { classes, classNames }: { readonly classes: number; readonly classNames?: readonly string[] | undefined },
): number {
  if (names === undefined) return 0;
  const own = labelReader(classes, classNames);
  const isOwn = (name: string, label: number): boolean => {
    const read = own.read(name);
    return "label" in read && read.label === label;
  };
  // Names of classes that only the suspect knows may follow.
  return names.slice(0, classes).every(isOwn) ? 0 : Math.max(classes, names.length);
}

const AMBIGUOUS = -1;

function indexed(names: readonly string[], form: (name: string) => string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [i, name] of names.entries()) found.set(form(name), found.has(form(name)) ? AMBIGUOUS : i);
  return found;
}

function plain(word: string): string {
  return word
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[\s_-]+/g, " ")
    .trim();
}

/** Strangers' text, short and on one line. */
function shown(word: string): string {
  const line = word.replaceAll(/[\s\p{C}]+/gu, " ");
  return line.length <= 60 ? line : `${line.slice(0, 59)}…`;
}
