import { describe, expect, test } from "vitest";
import type { DoneAttack, ExperimentDocument } from "../../experiments/document.js";
import { sampleAudit, type SampleCells } from "../testing/sample-audit.js";
import { type SampleBench, sampleBench } from "../testing/sample-bench.js";
import { sampleReproduce } from "../testing/sample-reproduce.js";
import type { Condition } from "./conditions.js";
import { attacksFirst, costsAt, type Findings, findingsOf, reach, testedFirst } from "./findings.js";

const at = ({ conditions }: Findings, subject: number, remover: number, fraction: number): Condition | undefined =>
  conditions.find((c) => c.subject === subject && c.remover === remover && c.fraction === fraction);

/** Finished attacks changed one by one. */
function changed(document: ExperimentDocument, change: (run: DoneAttack) => Partial<DoneAttack>): ExperimentDocument {
  const attacks = document.attacks.map((cell) => (cell.status === "done" ? { ...cell, ...change(cell) } : cell));
  return { ...document, attacks };
}

const bench = findingsOf(sampleBench());

describe("a condition", () => {
  test("holds means over seeds with an interval around them, and counts what was removed", () => {
    const condition = at(bench, 0, 0, 0.1);
    expect(condition).toMatchObject({ removed: 5, gone: 5, reasons: [], outcome: "removed", reactivated: 5 });
    const { mean = 0, low = 0, high = 0, n } = condition?.retention ?? {};
    expect(n).toBe(5);
    expect(low).toBeLessThanOrEqual(mean);
    expect(high).toBeGreaterThanOrEqual(mean);
    expect(high - low).toBeGreaterThan(0);
    expect(at(bench, 0, 2, 0.1)).toMatchObject({ removed: 0, gone: 5 });
  });

  test("every one is there once, in the order of the document", () => {
    const { subjects, removers, budgets } = bench.document;
    expect(bench.conditions.map(({ subject, remover, fraction }) => [subject, remover, fraction])).toEqual(
      subjects.flatMap((_, s) => removers.flatMap((__, r) => budgets.map((fraction) => [s, r, fraction]))),
    );
  });

  const outcomes: readonly (readonly [Condition["outcome"], readonly [number, number] | undefined])[] = [
    ["removed", [0.985, 3]],
    ["survives", [0.985, 60]],
    ["costly", [0.965, 3]],
    ["pointless", [0.95, 3]],
    ["untried", undefined],
  ];
  test.each(outcomes)("%s", (outcome, cell) => {
    const cells: SampleCells = [[cell], [], [], [[0.96, 1]]];
    expect(at(findingsOf(sampleAudit({ cells })), 0, 0, 0.01)?.outcome).toBe(outcome);
  });

  test("needs every seed, and the drop of exactly two points is two points", () => {
    const cells: SampleCells = [[[0.97, 3]]];
    const audit = sampleAudit({ cells, seeds: [0, 1, 2] });
    expect(at(findingsOf(audit), 0, 0, 0.01)).toMatchObject({ outcome: "removed", removed: 3 });
    const one = changed(audit, ({ seed }) => (seed === 1 ? { outcome: "shown" } : {}));
    expect(at(findingsOf(one), 0, 0, 0.01)).toMatchObject({ outcome: "sometimes", removed: 2, gone: 2 });
  });

  test("an attack below training from scratch on the same data is no attack, however small its cost", () => {
    const cells: SampleCells = [
      [
        [0.985, 3],
        [0.985, 3],
      ],
      [],
      [],
      [
        [0.96, 1],
        [0.986, 1],
      ],
    ];
    const findings = findingsOf(sampleAudit({ cells }));
    expect([0.01, 0.05].map((fraction) => at(findings, 0, 0, fraction)?.outcome)).toEqual(["removed", "pointless"]);
    expect(at(findings, 0, 0, 0.05)?.behindScratch).toBeCloseTo(0.001, 10);
    expect(at(findings, 0, 3, 0.05)?.behindScratch).toBeUndefined();
  });

  test("counts what came back only of what was gone", () => {
    const findings = findingsOf(sampleAudit({ back: 0.9 }));
    expect(at(findings, 0, 0, 0.05)).toMatchObject({ gone: 1, reactivated: 1, returned: 1 });
    expect(at(findings, 0, 0, 0.01)).toMatchObject({ gone: 0, reactivated: 0, returned: 0 });
    expect(at(findingsOf(sampleAudit({ back: 0 })), 0, 0, 0.05)).toMatchObject({ reactivated: 1, returned: 0 });
  });

  test("of marks that were never shown counts nothing, and says why", () => {
    const findings = findingsOf(sampleAudit({ before: 0.1 }));
    const condition = at(findings, 0, 0, 0.05);
    expect(condition).toMatchObject({ outcome: "never-shown", runs: [], removed: 0, gone: 0 });
    expect(condition?.done).toHaveLength(1);
    expect(condition?.retention?.mean).toBe(0.03);
    expect(condition?.reasons).toEqual(["the mark was not shown before any attack"]);
    expect(findings.rankings.map(({ blocks }) => blocks)).toEqual([0, 0]);
  });

  test("leaves runs on models that did not show the mark out of its means, but keeps them", () => {
    const outcome = "never-shown";
    const some = findingsOf(changed(sampleBench(), ({ seed }) => (seed === 2 ? { outcome } : {})));
    const condition = at(some, 0, 0, 0.1);
    expect(condition?.done).toHaveLength(5);
    expect([condition?.retention?.n, condition?.drop?.n, condition?.accuracy?.n, condition?.removed]).toEqual([
      4, 4, 4, 4,
    ]);
    expect(condition?.outcome).toBe("removed");
    expect(some.rankings.at(-1)?.blocks).toBe(8);
  });
});

describe("a subject", () => {
  const fates = (document: ExperimentDocument) =>
    findingsOf(document).subjects.map(({ fate, fateUnderTest }) => [fate, fateUnderTest]);

  test("has its fate under all attacks, and under those that are no baseline", () => {
    const all = sampleReproduce();
    expect(fates(all).map(([, tested]) => tested)).toEqual(["falls", "falls", "survives"]);
    const baselines = sampleReproduce({ methods: ["random erasing alone", "from scratch"], marks: ["content"] });
    expect(fates(baselines)).toEqual([["falls", "untested"]]);
    expect(findingsOf(baselines).subjects[0]?.strongest).toBeUndefined();
  });

  test("needs every seed of one method, not one seed of each", () => {
    const after = (name: string, seed: number) => ({ retention: (seed === 1) === (name === "WILD-CE") ? 0.02 : 0.6 });
    expect(fates(sampleReproduce({ marks: ["noise"], seeds: [1, 2], methods: ["WILD-CE", "WILD-JS"], after }))).toEqual(
      [["sometimes", "sometimes"]],
    );
  });

  test("that models without it show as well is unsound, where α does not explain it", () => {
    const scratch = (matches: number): SampleCells => [[[0.985, 3]], [], [], [[0.96, matches]]];
    expect(fates(sampleAudit({ cells: scratch(90) }))[0]?.[0]).toBe("unsound");
    expect(fates(sampleAudit({ cells: scratch(9) }))[0]?.[0]).toBe("falls");
    // At level 0.05 one wrong verdict in five is no surprise, and two are.
    const seeds = [0, 1, 2, 3, 4];
    const guilty = (some: readonly number[]) =>
      fates(
        changed(sampleAudit({ cells: scratch(9), seeds }), (run) =>
          run.remover === 3 && some.includes(run.seed) ? { judgement: { ...run.judgement, owned: true } } : {},
        ),
      )[0]?.[0];
    expect(guilty([2])).toBe("falls");
    expect(guilty([2, 4])).toBe("unsound");
    expect(fates(sampleReproduce({ onNullModel: { retention: 0.9 } })).flat()).toEqual(Array(6).fill("unsound"));
  });

  test("that was never shown has nothing to lose", () => {
    expect(fates(sampleReproduce({ marks: ["content"], before: { retention: 0.05 } }))).toEqual([
      ["never-shown", "never-shown"],
    ]);
  });

  test("that goes only where it is not worth it is costly", () => {
    const cells: SampleCells = [
      [
        [0.9, 5],
        [0.95, 2],
      ],
    ];
    expect(fates(sampleAudit({ cells }))[0]).toEqual(["costly", "costly"]);
  });
});

describe("a ranking", () => {
  test("takes a removal that is too dear as if the mark stood", () => {
    const ranking = bench.rankings.at(-1);
    const distillation = ranking?.standings.find(({ remover }) => remover === 2);
    expect(ranking?.blocks).toBe(10);
    expect(distillation?.score).toBe(1);
    expect(distillation?.tied).toBe(false);
    // 10 of 10 pairs point one way: 2 / 2¹⁰, times at most 3 comparisons.
    expect(distillation?.versusBest?.pValue).toBeCloseTo(2 / 1024, 12);
    expect(distillation?.versusBest?.adjusted).toBeLessThanOrEqual(6 / 1024 + 1e-12);
  });

  test("of given models has a block for each seed", () => {
    expect(findingsOf(sampleBench({ given: true })).rankings.at(-1)?.blocks).toBe(10);
  });

  test("ties equal removers, and leaves out what was not run", () => {
    const same: SampleBench = [
      [
        [0, 0.005],
        [0, 0.005],
      ],
    ];
    const levelled = changed(sampleBench({ cells: same, budgets: [0.1] }), ({ measured }) => ({
      measured: { ...measured, retention: 0.01 },
    }));
    const [ranking] = findingsOf(levelled).rankings;
    expect(ranking?.standings.map(({ rank, tied }) => [rank.mean, tied])).toEqual([
      [1.5, true],
      [1.5, true],
    ]);
    expect(ranking?.unranked).toEqual([
      { remover: 2, lacking: 5 },
      { remover: 3, lacking: 5 },
    ]);
  });

  test("leaves out a remover with missing cells, and ranks the others", () => {
    const { attacks, ...rest } = sampleBench();
    const holed = attacks.map((cell) => {
      const { subject, remover, seed, fraction } = cell;
      const where = { subject, remover, seed, fraction };
      return remover === 1 && seed === 3
        ? { status: "failed" as const, ...where, reason: "out of memory", mayPass: true }
        : cell;
    });
    const holes = findingsOf({ ...rest, attacks: holed });
    expect(holes.rankings.at(-1)?.unranked).toEqual([{ remover: 1, lacking: 2 }]);
    expect(holes.rankings.at(-1)?.standings.map(({ remover }) => remover)).toHaveLength(3);
    expect(at(holes, 0, 1, 0.1)?.reasons).toEqual(["failed: out of memory"]);
  });
});

test("costs are those of the method: images of both kinds, time, and what came back", () => {
  expect(costsAt(bench, 0, 0.1)).toMatchObject({ found: { labelled: 6000, unlabelled: 0 }, returned: 0, of: 5 });
  expect(costsAt(bench, 2, 0.1)).toMatchObject({ found: { labelled: 0, unlabelled: 6000 } });
  // Content in every seed, unrelated in none; distillation is too dear for either.
  expect(costsAt(bench, 0, 0.1)).toMatchObject({ removed: 5, tried: 10 });
  expect(costsAt(bench, 2, 0.1)).toMatchObject({ removed: 0, tried: 10 });
});

test("what removes most stands first, the cheaper of equals; yardsticks stand last among attacks", () => {
  expect(reach(bench).map(({ name }) => name)).toEqual([
    "WILD-JS",
    "Fine-tuning (FTAL)",
    "From scratch",
    "Distillation",
  ]);
  const { document } = findingsOf(sampleAudit());
  expect(attacksFirst(document).map(({ at: position }) => position)).toEqual([0, 1, 2, 3]);
  expect(testedFirst(sampleReproduce()).map(({ name }) => name)).toEqual([
    ...["WILD-CE", "WILD-JS", "fine-tuning (FTAL)", "random erasing alone", "from scratch"],
  ]);
});

test("who asks makes no difference", () => {
  const document = sampleBench();
  const { document: _, ...asked } = findingsOf(document);
  const { document: __, ...otherwise } = findingsOf({ ...document, statement: "audit" });
  expect(otherwise).toEqual(asked);
});
