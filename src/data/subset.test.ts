import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nestedSubset } from "./subset.js";

/** Labels of `sizes[c]` images of class c, dealt out in turn. */
function labelled(sizes: readonly number[]): Uint16Array {
  const labels: number[] = [];
  for (let round = 0; round < Math.max(...sizes); round++) {
    sizes.forEach((size, label) => {
      if (round < size) labels.push(label);
    });
  }
  return Uint16Array.from(labels);
}

const even = labelled(new Array(10).fill(100));

function perClass(labels: Uint16Array, indices: Uint32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const index of indices) {
    const label = labels[index] ?? 0;
    counts[label] = (counts[label] ?? 0) + 1;
  }
  return counts;
}

describe("nestedSubset", () => {
  it("gives every class its share exactly where shares are whole", () => {
    const tenth = nestedSubset(even, 10, 0.1, 1);
    expect(tenth.length).toBe(100);
    expect(perClass(even, tenth, 10)).toEqual(new Array(10).fill(10));
  });

  it("nests for any two fractions, sizes right to rounding, classes near their share", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
    const fractions = fc.double({ min: 0.3, max: 1, noNaN: true });
    fc.assert(
      fc.property(sizes, fractions, fractions, fc.integer(), (counts, a, b, seed) => {
        const labels = labelled(counts);
        const take = (fraction: number): Uint32Array | undefined => {
          try {
            return nestedSubset(labels, counts.length, fraction, seed);
          } catch (error) {
            expect(String(error)).toMatch(/leaves class \d+ empty/);
            return undefined;
          }
        };
        const small = take(Math.min(a, b));
        const large = take(Math.max(a, b));
        if (small === undefined || large === undefined) return;
        expect([...large.subarray(0, small.length)]).toEqual([...small]);
        expect(large.length).toBe(Math.round(Math.max(a, b) * labels.length));
        expect(new Set(large).size).toBe(large.length);
        const share = large.length / labels.length;
        perClass(labels, large, counts.length).forEach((count, label) => {
          const members = counts[label] ?? 0;
          const bound = 0.5 + (0.5 * counts.length * members) / labels.length;
          expect(Math.abs(count - share * members)).toBeLessThanOrEqual(bound + 1e-9);
        });
      }),
      { numRuns: 300 },
    );
  });

  it("takes all images at fraction 1", () => {
    expect([...nestedSubset(even, 10, 1, 3)].sort((a, b) => a - b)).toEqual([...even.keys()]);
  });

  it("depends on the seed and on nothing else", () => {
    expect(nestedSubset(even, 10, 0.1, 1)).toEqual(nestedSubset(even, 10, 0.1, 1));
    expect(nestedSubset(even, 10, 0.1, 2)).not.toEqual(nestedSubset(even, 10, 0.1, 1));
  });

  it.each([0, -0.1, 1.01, Number.NaN, Number.POSITIVE_INFINITY])("refuses fraction %s", (fraction) => {
    expect(() => nestedSubset(even, 10, fraction, 1)).toThrow(/above 0 and at most 1/);
  });

  it("names the class left empty and a smallest fraction that works, and one image less does not", () => {
    const labels = labelled([1000, 1000, 7]);
    let message = "";
    let hint = "";
    try {
      nestedSubset(labels, 3, 0.01, 1);
    } catch (error) {
      message = String(error);
      hint = (error as { hint?: string }).hint ?? "";
    }
    expect(message).toMatch(/0.01 of 2007 images is 20, which leaves class 2 empty/);
    const smallest = Number(/at least ([\d.]+)/.exec(hint)?.[1]);
    const size = nestedSubset(labels, 3, smallest, 1).length;
    expect(() => nestedSubset(labels, 3, (size - 1) / labels.length, 1)).toThrow(/leaves class 2 empty/);
  });

  it("says when a class has no image at all, and when a label is out of range", () => {
    expect(() => nestedSubset(even, 11, 0.5, 1)).toThrow(/class 10 of 11 has no image at all/);
    expect(() => nestedSubset(even, 9, 0.5, 1)).toThrow(/label 9 is 9, expected one of 0 to 8/);
  });
});
