/** @file What the documents tell people to type is there: every command of theirs, with every flag. */

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { commandNames, runCommandLine } from "../src/cli/program.js";
import { removalMethods } from "../src/removal/registry.js";
import { markSchemes } from "../src/watermarks/registry.js";

const root = new URL("../", import.meta.url);

/** All but the changelog, whose commands were true in their time. */
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(new URL("docs/", root), { recursive: true, encoding: "utf8" })
    .map((path) => `docs/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".md")),
];

/** The command lines of a document: those of its blocks, and spans of code that are one. */
function typedIn(document: string): readonly string[] {
  const text = readFileSync(new URL(document, root), "utf8");
  const blocks = (text.replaceAll("\\\n", " ").match(/^ {4}.*$/gm) ?? []).map((line) => line.replace(/\s#.*$/, ""));
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, "");
  const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code.replaceAll(/\s+/g, " "));
  return [...blocks, ...spans]
    .flatMap((line) => line.split(/&&|\|\||;/))
    .map((line) => line.trim().replace(/^npx /, ""))
    .filter((line) => line.startsWith("wildmark "));
}

const options = new Set([...removalMethods, ...markSchemes].map(({ id }) => id));

/** What of a line decides which options its command has: the model's file, the method or mark. */
function deciding(words: readonly string[]): readonly string[] {
  const model = words.find((word) => /\.onnx$/i.test(word));
  const chosen = words.flatMap((word, i) => {
    const value = words[i + 1] ?? "";
    return (word === "--method" || word === "--scheme") && options.has(value) ? [word, value] : [];
  });
  return [...(model === undefined ? [] : [model]), ...chosen];
}

/** What is wrong with a line; undefined if nothing. */
async function wrongIn(line: string): Promise<string | undefined> {
  const [, ...words] = line.split(/\s+/);
  const first = words[0] ?? "";
  if (first.startsWith("-") || /^[A-Z]+$/.test(first)) return undefined;
  const name = commandNames.findLast((each) => each === words.slice(0, each.split(" ").length).join(" "));
  if (name === undefined) {
    const isGroup = commandNames.some((each) => each.startsWith(`${first} `)) && words.length === 1;
    return isGroup ? undefined : `no command: ${line}`;
  }
  let help = "";
  await runCommandLine([...name.split(" "), ...deciding(words), "--help"], async (part) => {
    help += part;
  });
  const flags = new Set(help.match(/--[a-z][a-z0-9-]*/g));
  const unknown = words.map((word) => word.replace(/^\[/, "").match(/^--[a-z][a-z0-9-]*/)?.[0]);
  const wrong = unknown.filter((flag) => flag !== undefined && !flags.has(flag));
  return wrong.length === 0 ? undefined : `${wrong.join(", ")}: ${line}`;
}

test.each(documents)("%s: commands and their flags are there", async (document) => {
  const wrong: string[] = [];
  for (const line of new Set(typedIn(document))) {
    const found = await wrongIn(line);
    if (found !== undefined) wrong.push(found);
  }
  expect(wrong).toEqual([]);
});

test("commands are found in the documents, and a flag that is not there is one too many", async () => {
  expect(documents.flatMap(typedIn).length).toBeGreaterThan(50);
  expect(await wrongIn("wildmark verify suspect.onnx --key K --unmarked models")).toMatch(/^--unmarked: /);
  expect(await wrongIn("wildmark bench status DIR --nothing")).toMatch(/^--nothing: /);
  expect(await wrongIn("wildmark strip model.onnx")).toMatch(/^no command: /);
  expect(await wrongIn("wildmark remove marked.onnx --method wild --metric js --out cleaned.onnx")).toBeUndefined();
});
