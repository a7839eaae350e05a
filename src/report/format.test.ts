import { percentNumber } from "../core/percent.js";
import { describe, expect, it } from "vitest";
import * as format from "./format.js";

describe("format", () => {
  it("never rounds to all or nothing what is neither", () => {
    expect(format.percent(1)).toBe("100.0\u202f%");
    expect(format.percent(0.9999)).toBe("99.9\u202f%");
    expect(format.percent(0.0001)).toBe("0.1\u202f%");
    expect(percentNumber(0, 2)).toBe("0.00");
    expect(percentNumber(0.996, 0)).toBe("99");
    expect(format.shortPercent(0.17)).toBe("17\u202f%");
    expect(format.shortPercent(0.1666)).toBe("16.7\u202f%");
    expect(format.shortPercent(0.29)).toBe("29\u202f%");
  });

  it("writes what somebody chose as it was chosen, and pictures' numbers as whole ones", () => {
    expect(format.exactPercent(0.0025)).toBe("0.25\u202f%");
    expect(format.exactPercent(0.1)).toBe("10\u202f%");
    expect(format.exactPercent(0.07)).toBe("7\u202f%");
    expect(format.wholePercent(0.004)).toBe("0\u202f%");
    expect(format.wholePercent(0.996)).toBe("100\u202f%");
  });

  it("writes exact p-values, and powers in prose as they are printed", () => {
    expect(format.exactPValue(2.5e-29)).toBe("2.5 × 10⁻²⁹");
    expect(format.exactPValueRelation(0)).toBe("< 10⁻³⁰⁰");
    expect(format.exactPValueRelation(0.04)).toBe("= 0.040");
    expect(format.typeset("p = 3.8e-96; 2^64 of 1e-6, 3e-4.onnx")).toBe(
      "p\u00a0=\u00a03.8\u00a0×\u00a010⁻⁹⁶; 2⁶⁴ of 10⁻⁶, 3\u00a0×\u00a010⁻⁴.onnx",
    );
  });

  it("writes points with a true minus and without a negative zero", () => {
    expect(format.points(0.0068)).toBe("0.68");
    expect(format.points(-0.001)).toBe("\u22120.10");
    expect(format.points(-0.000001)).toBe("0.00");
    expect(format.pointsWithUnit(0.01, 1)).toBe("1.0 point");
    expect(format.pointsWithUnit(0.008, 1)).toBe("0.8 points");
  });

  it("writes p-values with a floor", () => {
    expect(format.pValueRelation(0)).toBe("< 10⁻¹²");
    expect(format.pValueRelation(3.2e-5)).toBe("= 3.2 × 10⁻⁵");
    expect(format.pValue(1e-30)).toBe("< 10⁻¹²");
    expect(format.pValue(0.0312)).toBe("0.031");
    expect(format.pValue(0.99999)).toBe("> 0.999");
    expect(format.pValue(1)).toBe("1");
  });

  it("writes counts, times and lists", () => {
    expect(format.count(1234567)).toBe("1\u202f234\u202f567");
    expect(format.count(999)).toBe("999");
    expect(format.duration(8.42)).toBe("8.4\u202fs");
    expect(format.duration(59.97)).toBe("1\u202fmin 00\u202fs");
    expect(format.duration(3900)).toBe("1\u202fh 05\u202fmin");
    expect(format.minute("2026-02-03T10:15:59.123Z")).toBe("2026-02-03 10:15 UTC");
    expect(format.list(["a", "b", "c"])).toBe("a, b and c");
    expect(format.plural(1, "class", "classes")).toBe("1 class");
    expect(format.shorten("abcdefgh", 5)).toBe("abcd…");
  });
});
