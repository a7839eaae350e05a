import { describe, expect, it } from "vitest";
import type { Result } from "../experiments/result.js";
import { finding, remarks, summarise } from "./summary.js";
import { sampleResult, verdictOf } from "./testing/sample.js";

/** The sample with every removal's retention (and verdict) chosen anew. */
function withRetention(result: Result, choose: (removal: Result["removals"][number]) => number): Result {
  return {
    ...result,
    removals: result.removals.map((r) => {
      const retention = choose(r);
      return { ...r, measured: { ...r.measured, retention }, verdict: verdictOf(retention, "content") };
    }),
  };
}

const fates = (result: Result): readonly string[] => summarise(result).map((mark) => mark.fate);
const texts = (result: Result): string =>
  remarks(result)
    .map((r) => r.text)
    .join("\n");

describe("finding", () => {
  it("says which marks fall and which survive", () => {
    const result = sampleResult();
    expect(fates(result)).toEqual(["falls", "falls", "survives"]);
    expect(finding(result)).toMatch(/^The content and noise marks do not survive WILD-CE/);
    expect(finding(result)).toMatch(
      /; the unrelated mark survives every run: the strongest attack \(WILD-CE\) leaves 3\d/,
    );
  });

  it("says so when every mark survives", () => {
    const result = withRetention(sampleResult(), () => 0.8);
    expect(fates(result)).toEqual(["survives", "survives", "survives"]);
    expect(finding(result)).toMatch(
      /^The content, noise and unrelated marks survive every run: .* at least 80\u202f% retention\.$/,
    );
  });

  it("does not call a mark removed that only some seeds lost", () => {
    const result = withRetention(sampleResult({ marks: ["noise"] }), (r) => (r.seed === 1 ? 0.02 : 0.6));
    expect(fates(result)).toEqual(["sometimes"]);
    expect(finding(result)).toContain("2 of 3 runs");
  });

  it("needs every seed of one method, not one seed of each", () => {
    const result = withRetention(sampleResult({ marks: ["noise"], seeds: [1, 2] }), (r) =>
      (r.seed === 1) === (r.title === "WILD-CE") ? 0.02 : 0.6,
    );
    expect(fates(result)).toEqual(["sometimes"]);
  });

  it("does not let the controls decide", () => {
    const result = sampleResult({ methods: ["random erasing alone", "from scratch"] });
    expect(fates(result)).toEqual(["untested", "untested", "untested"]);
    expect(finding(result)).toMatch(/^No method under test was run against the content, noise and unrelated marks\.$/);
  });

  it("concludes nothing about a mark that was never shown", () => {
    const sample = sampleResult({ marks: ["content"] });
    const marked = sample.marked.map((m) => ({ ...m, verdict: verdictOf(0.05, "content") }));
    expect(fates({ ...sample, marked })).toEqual(["never-shown"]);
    expect(finding({ ...sample, marked })).toContain("nothing can be concluded");
  });
});

describe("remarks", () => {
  it("names what the controls did", () => {
    expect(texts(sampleResult())).toContain("fine-tuning (FTAL) removed none of the marks");
    expect(texts(sampleResult())).toContain("random erasing alone removed content and noise");
    expect(texts(sampleResult())).toContain("from scratch removed all of them");
    expect(texts(sampleResult({ methods: ["WILD-CE"] }))).toContain("No control was run");
  });

  it("warns when an innocent model shows the key", () => {
    const sample = sampleResult();
    const marked = sample.marked.map((m) => ({
      ...m,
      innocent: { ...m.innocent, verdict: verdictOf(0.9, "content") },
    }));
    const warnings = remarks({ ...sample, marked }).filter((r) => r.kind === "warning");
    expect(warnings[0]?.text).toMatch(/^9 of 9 keys .*prove nothing/);
    expect(fates({ ...sample, marked })).toEqual(["unsound", "unsound", "unsound"]);
    expect(finding({ ...sample, marked })).toMatch(/shown on unmarked models too/);
    expect(remarks(sample).filter((r) => r.kind === "warning")).toEqual([]);
  });

  it("warns when a removal ends no better than training from scratch", () => {
    const sample = sampleResult({ marks: ["content"] });
    const removals = sample.removals.map((r) => (r.control ? r : { ...r, measured: { ...r.measured, accuracy: 0.9 } }));
    expect(texts({ ...sample, removals })).toContain("no better than training from scratch");
  });

  it("admits to a single seed", () => {
    expect(texts(sampleResult({ seeds: [7] }))).toContain("One seed");
  });
});
