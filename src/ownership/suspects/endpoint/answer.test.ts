import { expect, test } from "vitest";
import { labelReader } from "../labels.js";
import { orderOfScores, readAnswer } from "./answer.js";

const named = labelReader(3, ["cat", "dog", "hot dog"]);
const unnamed = labelReader(3);

interface How {
  readonly path?: string;
  readonly as?: "auto" | "label" | "scores";
  readonly order?: string[];
}

function read(body: unknown, { path = "", as = "auto", order }: How = {}, labels = named) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = { as, ...(order === undefined ? {} : { order }) };
  return readAnswer(text, { answerPath: path, file: { answer } }, labels);
}

test.each<[string, unknown, How, number]>([
  ["a number", 2, {}, 2],
  ["a number as text", "2", {}, 2],
  ["a word as plain text", "Dog\n", {}, 1],
  ["a word as JSON", '"hot_dog"', {}, 2],
  ["a class beyond the key's", 999, {}, 999],
  ["at a dotted path", { a: [{ b: "dog" }] }, { path: "a.0.b" }, 1],
  ["at a path with brackets", { a: [{ b: "dog" }] }, { path: "a[0].b" }, 1],
  ["scores", [0.1, 0.2, 0.7], {}, 2],
  ["scores of a batch of one", [[0.1, 0.8, 0.1]], {}, 1],
  ["negative scores, the first of equal ones", [-3, -1, -1], {}, 1],
  ["whole numbers as scores", [0, 0, 1], {}, 2],
  ["an index in a list", [2], {}, 2],
  ["a label first in a list of labels", [1, 2, 0], { as: "label" }, 1],
  ["words, the best first", ["dog", "cat"], {}, 1],
  [
    "label and score, not sorted",
    [
      { label: "cat", score: 0.2 },
      { label: "dog", score: 0.8 },
    ],
    {},
    1,
  ],
  ["the same of a batch of one", [[{ label: "LABEL_2", score: 0.9 }]], {}, 2],
  ["Gradio's label", { label: "hot dog", confidences: [{ label: "hot dog", confidence: 0.9 }] }, {}, 2],
  ["words and scores", { cat: 0.1, dog: 0.9 }, {}, 1],
  ["Triton's classification", ["0.93:1:dog"], {}, 1],
  ["Triton's classification without labels", ["0.93:2"], {}, 2],
  ["Triton's classification with a word that is not ours", ["0.93:2:frankfurter"], {}, 2],
  ["scores in an order of their own", [0.1, 0.9], { order: ["dog", "cat"] }, 0],
])("%s", (_, body, how, label) => {
  expect(read(body, how)).toEqual({ label });
});

test.each<[string, unknown, How, string]>([
  ["nothing at the path", { error: "blocked" }, { path: "outputs.0.data" }, "nothing stands at outputs.0.data"],
  ["an error", { error: "blocked" }, {}, "no class stands there"],
  ["an empty body", "", {}, "nothing stands at "],
  ["an empty list", [], {}, "no class stands there"],
  ["a fraction", 0.5, {}, "no class stands there"],
  ["one score", [0.7], {}, "no class stands there"],
  ["no scores where scores are expected", "dog", { as: "scores" }, "no class stands there"],
  ["scores that are none", [0.1, null, 0.2], {}, "no class stands there"],
  ["more scores than names", [0, 0, 1], { order: ["dog", "cat"] }, "there are more scores than answer.order names"],
])("%s is unreadable", (_, body, how, unreadable) => {
  expect(read(body, how)).toEqual({ unreadable });
});

test("a word that is no name is unknown, with names and without", () => {
  expect(read("horse")).toEqual({ unknown: "horse" });
  expect(read("horse", {}, unnamed)).toEqual({ unknown: "horse" });
  expect(read({ class_id: 3, confidence: 0.2 })).toEqual({ unknown: "class_id" });
});

test("nothing of a path reaches beyond the answer", () => {
  expect(read({}, { path: "__proto__.constructor.name" })).toEqual({ unreadable: expect.any(String) });
  expect(read([], { path: "length" })).toEqual({ unreadable: "nothing stands at length" });
});

test("the order of the scores names each class once, however it is spelt", () => {
  const orderOf = (order?: string[]) =>
    orderOfScores({ file: { answer: { as: "auto", ...(order && { order }) } } }, named);
  expect(orderOf()).toBeUndefined();
  expect(orderOf(["hot dog", "cat", "horse", "dog", "7"])).toEqual([2, 0, -1, 1, 7]);
  for (const again of ["dog", "Dog", "1", "01", "LABEL_1", "0.9:1", "0.9:0:dog"]) {
    expect(() => orderOf(["cat", "dog", again])).toThrow("names class 1 twice");
  }
});
