import { describe, expect, it } from "vitest";
import { matchesNeeded } from "./threshold.js";

describe("matchesNeeded", () => {
  it.each([
    [0.05, 16],
    [1e-3, 21],
    [1e-6, 28],
  ])("asks for the published counts of 100 triggers in ten classes, alpha %s", (alpha, matches) => {
    expect(matchesNeeded(100, 0.1, alpha)).toBe(matches);
  });

  it("knows when no count would do, and when none is asked for", () => {
    expect(matchesNeeded(2, 0.1, 1e-3)).toBeUndefined();
    expect(matchesNeeded(10, 0.1, 1)).toBe(0);
  });
});
