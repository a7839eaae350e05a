import { expect, test } from "vitest";
import { didYouMean, nearestWord } from "./suggest.js";

const known = ["lambda", "metric", "mu", "learningRate", "epochs"];

test.each([
  ["lamda", "lambda"],
  ["lambad", "lambda"],
  ["Metric", "metric"],
  ["learning_rate", "learningRate"],
  ["epoch", "epochs"],
  ["m", "mu"],
])("%s is near %s", (word, meant) => {
  expect(nearestWord(word, known)).toBe(meant);
});

test.each(["temperature", "x", "", "rate"])("%s is near nothing", (word) => {
  expect(nearestWord(word, known)).toBeUndefined();
  expect(didYouMean(word, known)).toBe("");
});
