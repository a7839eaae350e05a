/** @file A YAML file as plain data that still knows its lines, and the mistakes found in it, told all at once. */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { WildmarkError } from "./errors.js";
import { inWords } from "./options.js";
import { didYouMean } from "./suggest.js";

export type Path = readonly (string | number)[];

/** Checks values against schemas and remembers what is wrong, so that one look finds all mistakes. */
export interface YamlFile {
  /** The whole as plain data; undefined where it is no YAML. */
  readonly value: unknown;
  /** Notes a mistake at a path. */
  readonly wrong: (path: Path, message: string) => void;
  /**
   * The value as its schema has it, or undefined where something is wrong with it.
   *
   * @param place where it stands, or where each part of it does
   */
  readonly read: <T>(schema: z.ZodType<T>, value: unknown, place: Path | ((part: Path) => Path)) => T | undefined;
  /** Where in the text something stands: its line, or that of what it would stand in; from 1. */
  readonly lineOf: (path: Path) => number;
  /** @throws WildmarkError `usage` that names every mistake with its path and line, where there is any. */
  readonly settle: () => void;
}

/**
 * @param name what messages call the file
 * @param hint where what it may hold is said: one sentence
 */
export function openYaml(text: string, name: string, hint: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const mistakes: { readonly line: number; readonly text: string }[] = document.errors.map(({ pos, message }) => {
    const { line } = lines.linePos(pos[0]);
    return { line, text: `line ${line}: ${message}` };
  });
  const value = mistakes.length > 0 ? undefined : plainData();

  function plainData(): unknown {
    try {
      return document.toJS();
    } catch (error) {
      // Anchors that unfold into very much, or lead nowhere.
      mistakes.push({ line: 1, text: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }
  const lineOf = (path: Path): number => {
    let node: unknown = document.contents;
    let offset = offsetOf(node) ?? 0;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(document);
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => (isScalar(key) ? key.value : key) === step);
        offset = offsetOf(pair?.key) ?? offset;
        node = pair?.value;
      } else if (isSeq(node) && typeof step === "number") {
        node = node.items[step];
        offset = offsetOf(node) ?? offset;
      } else {
        break;
      }
    }
    return lines.linePos(offset).line;
  };
  const wrong = (path: Path, message: string): void => {
    const line = lineOf(path);
    const where = path.length === 0 ? "" : `${pathText(path)} `;
    mistakes.push({ line, text: `${where}(line ${line}): ${message}` });
  };
  return {
    value,
    wrong,
    lineOf,
    read(schema, given, place) {
      const parsed = schema.safeParse(given);
      if (parsed.success) return parsed.data;
      const at = (part: Path): Path => (typeof place === "function" ? place(part) : [...place, ...part]);
      for (const issue of parsed.error.issues) {
        const part = issue.path.filter((step) => typeof step !== "symbol");
        if (issue.code === "unrecognized_keys") {
          const known = keysOf(schema, part);
          for (const key of issue.keys) wrong(at([...part, key]), `no such option${didYouMean(key, known)}`);
        } else {
          wrong(at(part), inWords(issue.message));
        }
      }
      return undefined;
    },
    settle() {
      const told = [...mistakes].sort((a, b) => a.line - b.line).map((mistake) => mistake.text);
      const [first = "", ...more] = told;
      if (told.length === 0) return;
      const options = { hint };
      if (more.length === 0) throw new WildmarkError("usage", `${name}: ${first}.`, options);
      throw new WildmarkError("usage", `${name} has ${told.length} mistakes:`, { ...options, details: told });
    },
  };
}

/** "removers[2].options.lambda" */
export function pathText(path: Path): string {
  return path.map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`)).join("");
}

/** What might have been meant: the keys of the schema at the top; none are known further down. */
function keysOf(schema: z.ZodType, path: Path): string[] {
  return path.length === 0 && "shape" in schema && typeof schema.shape === "object" && schema.shape !== null
    ? Object.keys(schema.shape)
    : [];
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function isNode(node: unknown): node is Node {
  return typeof node === "object" && node !== null && "range" in node;
}
