/** @file The file of a bench: what may stand there, and every mistake with its path and line, all at once. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { WildmarkError } from "../../core/errors.js";
import { removalMethods } from "../../removal/registry.js";
import { markSchemes } from "../../watermarks/registry.js";
import { type BenchFile, parseBenchFile } from "./bench-file.js";

const HEAD = "title: t\ndataset: digits\n";
const ENTRIES = "marks: [content]\nremovers: [wild]\n";

/** All mistakes of a file, in order. */
function mistakesOf(text: string): readonly string[] {
  try {
    parseBenchFile(text, "b.yaml");
  } catch (error) {
    if (!(error instanceof WildmarkError) || error.code !== "usage") throw error;
    return error.details.length > 0 ? error.details : [error.message];
  }
  return [];
}

describe("what is left out has its default", () => {
  const file = parseBenchFile(HEAD + ENTRIES, "b.yaml");

  test("budgets, seeds, levels", () => {
    expect(file).toMatchObject({
      dataset: { name: "digits" },
      budgets: [0.01, 0.05, 0.1],
      seeds: [0, 1, 2, 3, 4],
      nullModels: 5,
      alpha: 0.05,
      acceptableDrop: 0.02,
      reactivation: undefined,
    });
  });

  test("the title is the file's name", () => {
    const titles = ["specs/mnist-little.yaml", "b.yaml", "b"].map(
      (path) => parseBenchFile(`dataset: digits\n${ENTRIES}`, path).title,
    );
    expect(titles).toEqual(["mnist-little", "b", "b"]);
    expect(parseBenchFile(`title:\ndataset: digits\n${ENTRIES}`, "spec.yaml", { title: "as it was run" }).title).toBe(
      "as it was run",
    );
    expect(file.title).toBe("t");
  });

  test("names and options are those of the registries", () => {
    const names = (entries: BenchFile["marks"] | BenchFile["removers"]) => entries.map(({ name }) => name);
    expect([names(file.marks), names(file.removers)]).toEqual([["content"], ["WILD-JS"]]);
    expect(file.removers[0]?.chosen.options).toMatchObject({ metric: "js", epochs: 30 });
  });
});

describe("entries", () => {
  const removers = (text: string): BenchFile["removers"] =>
    parseBenchFile(`${HEAD}marks: [content]\nattackEpochs: 7\nremovers:\n${text}`, "b.yaml").removers;

  test("all of a registry, in all variants", () => {
    const file = parseBenchFile(`${HEAD}marks: all\nremovers: all\n`, "b.yaml");
    expect(file.marks.map(({ chosen }) => chosen.id)).toEqual(markSchemes.map(({ id }) => id));
    expect(file.removers.length).toBe(removalMethods.reduce((sum, { variants }) => sum + variants.length, 0));
    expect(new Set(file.removers.map(({ name }) => name)).size).toBe(file.removers.length);
  });

  test("variants share the entry's options, and are told apart by theirs where their titles agree", () => {
    const found = removers(
      "  - { id: wild, options: { metric: ce }, variants: [{ lambda: 0 }, { lambda: 1, epochs: 3 }] }",
    );
    expect(found.map(({ name }) => name)).toEqual([
      "WILD-CE (metric ce, lambda 0)",
      "WILD-CE (metric ce, lambda 1, epochs 3)",
    ]);
    expect(found.map(({ chosen }) => chosen.options)).toMatchObject([
      { metric: "ce", lambda: 0, epochs: 7 },
      { metric: "ce", lambda: 1, epochs: 3 },
    ]);
  });

  test("the attacks' epochs hold for those that have epochs", () => {
    const found = removers("  - wild\n  - quantisation");
    expect(found.map(({ chosen }) => chosen.options.epochs)).toEqual([7, undefined]);
  });

  test("names are as given", () => {
    const found = removers("  - { id: wild, name: ours, options: { lambda: 1 } }\n  - wild");
    expect(found.map(({ name }) => name)).toEqual(["ours", "WILD-JS"]);
  });
});

test.each([
  ["5 %", 0.05],
  ["0.5%", 0.005],
  [0.05, 0.05],
  [1, 1],
  ["100 %", 1],
])("a budget of %j is %d", (said, share) => {
  expect(parseBenchFile(`${HEAD}${ENTRIES}budgets: [${said}]\n`, "b.yaml").budgets).toEqual([share]);
});

describe("mistakes", () => {
  test.each<[string, string, readonly (string | RegExp)[]]>([
    ["an unknown key", "titel: x\n", [/^titel \(line 5\): no such key; did you mean title\?$/]],
    ["a budget of 0", "budgets: [0]\n", [/^budgets\[0\] \(line 5\): expected a share above 0 .* found 0$/]],
    ["a budget of 200 %", "budgets:\n  - 1 %\n  - 200 %\n", [/^budgets\[1\] \(line 7\): .* found "200 %"$/]],
    ["a budget in whole per cent", "budgets: [5]\n", [/5 per cent is written 5%/]],
    [
      "a budget that stands there twice",
      "budgets: [0.05, 5 %]\n",
      [/^budgets\[1\] \(line 5\): 0.05 stands there twice$/],
    ],
    ["seeds that stand there twice", "seeds: [1, 2, 1]\n", [/^seeds\[2\] \(line 5\): 1 stands there twice$/]],
    ["no seeds", "seeds: 0\n", [/^seeds \(line 5\): expected at least 1$/]],
    ["a level that is none", "alpha: 1\n", [/^alpha \(line 5\): expected less than 1$/]],
    ["another architecture", "architecture: lenet\n", [/no architecture "lenet"; did you mean lenet5\?/]],
    [
      "an option of training",
      "training: { epoch: 3 }\n",
      [/^training.epoch \(line 5\): no such option; did you mean epochs\?$/],
    ],
    ["an option of re-activation", "reactivation: { step: 3 }\n", [/^reactivation.step .* did you mean steps\?/]],
    ["no YAML", "a: [\n", [/line 5|line 6/]],
    ["a key twice", "title: again\n", [/line 5: Map keys must be unique/]],
  ])("%s", (_, more, expected) => {
    const found = mistakesOf(HEAD + ENTRIES + more).map((line) => line.replace(/^b\.yaml: /, "").replace(/\.$/, ""));
    expect(found.length).toBe(expected.length);
    for (const [i, each] of expected.entries()) expect(found[i]).toMatch(each);
  });

  test("of marks and removers, all at once, in the order of the lines", () => {
    const text = [
      "title: t",
      "dataset: digit",
      "marks:",
      "  - contend",
      "  - { id: noise, options: { sigma: 7 } }",
      "removers:",
      "  - wild",
      "  - { id: wild, options: { metric: js } }",
      "  - id: wild",
      "    options:",
      "      lamda: 1",
      "  - id: fine-tune",
      "    variants:",
      "      - { variant: ftal }",
      "      - { variant: ftla }",
      "  - { id: scratch, nam: x }",
      "  - { id: quantisation, name: both, variants: [{ bits: 8 }, { bits: 4 }] }",
      "budgets: [2]",
    ].join("\n");
    const found = mistakesOf(text);
    const expected = [
      /^dataset \(line 2\): no data set "digit"; did you mean digits\?$/,
      /^marks\[0\] \(line 4\): no mark "contend"; did you mean content\?$/,
      /^marks\[1\].options.sigma \(line 5\): expected at most 1$/,
      /^removers\[1\] \(line 8\): the same as removers\[0\]: every cell would stand there twice$/,
      /^removers\[2\].options.lamda \(line 11\): no such option; did you mean lambda\?$/,
      /^removers\[3\].variants\[1\].variant \(line 15\): expected one of ftll, ftal, rtll, rtal$/,
      /^removers\[4\].nam \(line 16\): no such option; did you mean name\?$/,
      /^removers\[5\].name \(line 17\): one name for 2 variants/,
      /^budgets\[0\] \(line 18\): expected a share/,
    ];
    expect(found.length, found.join("\n")).toBe(expected.length);
    for (const [i, each] of expected.entries()) expect(found[i]).toMatch(each);
  });

  test("names that are taken", () => {
    const text = `${HEAD}marks: [content]\nremovers: [{ id: wild, name: x }, { id: scratch, name: x }]\n`;
    expect(mistakesOf(text)).toEqual([
      'b.yaml: removers[1] (line 4): another removal method is called "x" too; give one of them a name.',
    ]);
  });

  test("what is missing altogether", () => {
    expect(mistakesOf("alpha: 0.05\n").map((line) => line.split(" ")[0])).toEqual(["dataset", "marks", "removers"]);
    for (const text of ["", "- 1\n- 2\n"]) expect(mistakesOf(text).join()).toMatch(/expected a map of keys and values/);
  });

  test("anchors that would unfold without end", () => {
    const bomb = Array.from({ length: 12 }, (_, i) => `a${i}: &a${i} [${Array(9).fill(i === 0 ? "x" : `*a${i - 1}`)}]`);
    expect(mistakesOf(bomb.join("\n")).join()).toMatch(/alias/i);
  });
});

const specs = fileURLToPath(new URL("../../../bench-specs/", import.meta.url));

test.each(readdirSync(specs, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".yaml")))(
  "bench-specs/%s is sound",
  (path) => {
    const { dataset, removers } = parseBenchFile(readFileSync(join(specs, path), "utf8"), path);
    expect(["digits", "mnist"]).toContain(dataset.name);
    expect(removers.length).toBeGreaterThan(1);
  },
);
