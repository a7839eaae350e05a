/** @file The help of every command fits a terminal of 80 columns and a reader's eye. */

import { describe, expect, test } from "vitest";
import { architectures } from "../models/registry.js";
import { removalMethods } from "../removal/registry.js";
import { markSchemes } from "../watermarks/registry.js";
import { examplesText } from "./help.js";
import { commandNames, runCommandLine } from "./program.js";

/** More under one heading are not taken in at a glance. */
const MOST_IN_GROUP = 20;

/** What `wildmark ... --help` prints. */
async function helpOf(words: string): Promise<string> {
  let text = "";
  const given = words.split(" ").filter((word) => word !== "");
  const ended = await runCommandLine([...given, "--help"], async (part) => {
    text += part;
  });
  expect(ended.status, words).toBe(0);
  return text;
}

/** Options by heading. */
function groupsOf(help: string): ReadonlyMap<string, number> {
  const groups = new Map<string, number>();
  let heading = "";
  for (const line of help.split("\n")) {
    if (/^\S.*:$/.test(line)) heading = line;
    if (/^ {2}-/.test(line)) groups.set(heading, (groups.get(heading) ?? 0) + 1);
  }
  return groups;
}

const asked = [
  "",
  ...commandNames,
  "data",
  "key",
  ...removalMethods.map(({ id }) => `remove --method ${id}`),
  ...markSchemes.flatMap(({ id }) => [`embed --scheme ${id}`, `embed model.onnx --scheme ${id}`]),
  ...architectures.map(({ id }) => `train --arch ${id}`),
];

describe("help", () => {
  test.each(asked)("wildmark %s --help", async (words) => {
    const help = await helpOf(words);
    expect(help.length).toBeGreaterThan(100);
    expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
    const large = [...groupsOf(help)].filter(([heading, count]) => count > MOST_IN_GROUP || heading === "");
    expect(large).toEqual([]);
  });

  test("flags that many commands take stand under headings", async () => {
    const groups = groupsOf(await helpOf("remove"));
    expect([...groups.keys()]).toEqual([
      "Options:",
      "Data:",
      "What the model expects of its images:",
      "Options of wild:",
      "Training:",
      "Random Erasing:",
      "Common options:",
    ]);
  });

  test("long terms stand above their description, and no word is lost", async () => {
    const help = await helpOf("remove");
    expect(help).toMatch(/^ {2}--device <cpu\|webgpu\|cuda\|auto>\n {28}where models run; auto: /m);
    const description = removalMethods.map(({ id }) => id).join(", ");
    expect(help.replaceAll(/\s+/g, " ")).toContain(`how to remove: ${description} (default: wild)`);
  });
});

test("examples are broken where a shell takes them, and say what they do", () => {
  const line = "wildmark x a.onnx --out some/long/name.onnx --key k";
  expect(examplesText([[line, "short"]], 80)).toBe(`  ${line}  # short`);
  expect(examplesText([[line, "what it does"]], 40)).toBe(
    "  wildmark x a.onnx \\\n      --out some/long/name.onnx \\\n      --key k\n    # what it does",
  );
});
