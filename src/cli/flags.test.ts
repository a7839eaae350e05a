/**
 * @file Schemas to flags and back: what is typed must arrive as the schema's record, or be refused by its flag's name.
 */

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { removalMethods } from "../removal/registry.js";
import { embedContinuingOptions, embedFromScratchOptions } from "../watermarks/embed.js";
import { markSchemes } from "../watermarks/registry.js";
import { commonFlags } from "./common.js";
import { flagsOf, optionsOf, readFlags } from "./flags.js";

const schema = z.object({
  learningRate: z.number().gt(0).max(10).default(0.05).describe("peak rate"),
  epochs: z.int().min(1).optional().meta({ description: "passes", placeholder: "N" }),
  metric: z.enum(["ce", "js"]).default("js"),
  nesterov: z.boolean().default(false),
  controls: z.boolean().default(true),
  metrics: z.array(z.enum(["ce", "js"])).default(["ce"]),
  out: z.string().meta({ description: "where to", placeholder: "FILE" }),
});

test("each property becomes one flag, spelled as flags are", () => {
  expect(optionsOf(schema).map((option) => option.flags)).toEqual([
    "--learning-rate <number>",
    "--epochs <N>",
    "--metric <ce|js>",
    "--nesterov",
    "--no-controls",
    "--metrics <ce,js>",
    "--out <FILE>",
  ]);
  expect(optionsOf(schema)[0]?.description).toBe("peak rate (default: 0.05)");
  expect(optionsOf(schema)[6]?.description).toBe("where to (required)");
});

test("the outermost default and the nearest description count", () => {
  const inner = z.number().default(0.5).describe("share");
  expect(flagsOf(z.object({ p: inner.default(1) }))[0]).toMatchObject({ fallback: 1, description: "share" });
});

test("what was typed is read as the schema's types, the rest filled in, flags of others left alone", () => {
  const given = { learningRate: "1e-2", metrics: "js, ce", controls: false, out: "x", other: "y" };
  expect(readFlags(schema, given, "train")).toEqual({
    learningRate: 0.01,
    metric: "js",
    nesterov: false,
    controls: false,
    metrics: ["js", "ce"],
    out: "x",
  });
});

test.each([
  [{}, "train: --out <FILE> must be given."],
  [{ out: "x", learningRate: "20" }, "--learning-rate 20: expected at most 10."],
  [{ out: "x", learningRate: "0" }, "--learning-rate 0: expected more than 0."],
  [{ out: "x", learningRate: "fast" }, "--learning-rate fast: expected a number."],
  [{ out: "x", learningRate: "" }, "--learning-rate : expected a number."],
  [
    { out: "x", epochs: "1.5", metric: "kl" },
    "--epochs 1.5: expected a whole number; --metric kl: expected one of ce, js.",
  ],
  [{ out: "x", metrics: "ce,kl" }, "--metrics ce,kl: expected one of ce, js."],
])("%o is refused", (given, message) => {
  expect(() => readFlags(schema, given, "train")).toThrow(expect.objectContaining({ code: "usage", message }));
});

describe("shares", () => {
  const shares = z.object({
    fraction: z.number().gt(0).max(1).optional(),
    budgets: z.array(z.number().gt(0).max(1)).optional(),
    rate: z.number().min(0).optional(),
  });

  test.each([
    [{ fraction: "10%" }, { fraction: 0.1 }],
    [{ fraction: "10 %" }, { fraction: 0.1 }],
    [{ fraction: "0.1" }, { fraction: 0.1 }],
    [{ budgets: "1%, 10 %,0.5" }, { budgets: [0.01, 0.1, 0.5] }],
  ])("%o", (given, read) => expect(readFlags(shares, given, "x")).toEqual(read));

  test.each([
    [{ fraction: "10" }, "--fraction 10: expected at most 1 (10 per cent is written 10%)."],
    [{ fraction: "200%" }, "--fraction 200%: expected at most 1."],
    [{ fraction: "much" }, "--fraction much: expected a share, such as 0.1 or 10%."],
    [{ budgets: "5%,10" }, "--budgets 5%,10: expected at most 1 (10 per cent is written 10%)."],
    [{ rate: "10%" }, "--rate 10%: expected a number."],
  ])("%o is refused", (given, message) => {
    expect(() => readFlags(shares, given, "x")).toThrow(expect.objectContaining({ code: "usage", message }));
  });
});

test("flags of every method and mark can stand beside the command's own", () => {
  const common = flagsOf(commonFlags).map(({ key }) => key);
  const own = [
    ...common,
    "method",
    "scheme",
    "dataset",
    "dataDir",
    "limit",
    "testLimit",
    "arch",
    "fraction",
    "out",
    "key",
    "help",
  ];
  for (const { id, options } of removalMethods) {
    const names = flagsOf(options).map(({ key }) => key);
    expect([id, names.filter((name) => own.includes(name))]).toEqual([id, []]);
  }
  for (const { id, options } of markSchemes) {
    for (const training of [embedFromScratchOptions, embedContinuingOptions]) {
      const names = [...flagsOf(options), ...flagsOf(training)].map(({ key }) => key);
      expect([id, names.filter((name, i) => own.includes(name) || names.indexOf(name) !== i)]).toEqual([id, []]);
    }
  }
});

test("every option of every method and mark says what it is", () => {
  for (const { id, options } of [...removalMethods, ...markSchemes]) {
    for (const { key, description } of flagsOf(options)) expect([id, key, description !== ""]).toEqual([id, key, true]);
  }
});
