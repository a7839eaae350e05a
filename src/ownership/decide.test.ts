/** @file Which test decides once everything that was tried has been paid for. */

import { expect, test } from "vitest";
import { decide, triesOf } from "./decide.js";
import type { OwnershipTest } from "./verdict.js";

const testOf = (id: OwnershipTest["id"], pValue: number, paysTries = false): OwnershipTest => {
  return { id, title: id, nullHypothesis: "", detail: "", pValue, ...(paysTries ? { paysTries } : {}) };
};
const once = triesOf({});

test("the largest p-value decides; of equals the first", () => {
  const tests = [testOf("binomial", 1e-9), testOf("strangers", 0.25), testOf("placebo-mcnemar", 0.25)];
  expect(decide(tests, once)).toEqual({ test: tests[1], pValue: 0.25 });
});

test("secrets are paid for by the tests that they help against, and may make another one decide", () => {
  const tests = [testOf("binomial", 2 ** -70, true), testOf("placebo-mcnemar", 2 ** -60)];
  expect(decide(tests, once).test.id).toBe("placebo-mcnemar");
  expect(decide(tests, { ...once, triesLog2: 64 })).toEqual({ test: tests[0], pValue: 2 ** -6 });
});

test("keys, readings and stops multiply whatever decides; a p-value stays one", () => {
  const tests = [testOf("binomial", 0.01)];
  expect(decide(tests, triesOf({ triesLog2: 64, keysTried: 3, readings: 5 })).pValue).toBeCloseTo(0.15, 12);
  expect(decide(tests, triesOf({ stops: 20 })).pValue).toBeCloseTo(0.2, 12);
  expect(decide(tests, { ...once, keysTried: 1000 }).pValue).toBe(1);
});
