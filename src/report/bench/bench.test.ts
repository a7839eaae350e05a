/** @file What a bench's report says, and that it is whole, safe and the same every time. */

import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { benchSchema } from "../../experiments/bench-result.js";
import { looksOf } from "../figures/palette.js";
import { paretoFront, scatterPanels } from "../figures/scatter.js";
import { renderReport } from "../report.js";
import { CONTENT_FALLS, type SampleBench, sampleBench } from "../testing/sample-bench.js";
import { priceRows } from "./rows.js";
import { costsOf, squareAt, summariseBench } from "./summary.js";
import { benchCsv, benchLatex } from "./tables.js";

const bench = sampleBench();
const summary = summariseBench(bench);

describe("the summary", () => {
  test("says to how many attacks each mark falls, and who ranks first; controls are no attacks", () => {
    const [marks, standing, ranks] = summary.headline.map((text) => text.replaceAll(/\s/g, " "));
    expect(marks).toBe("With 10 % of the training data marks fall to so many of the attacks: content to 2 of 3.");
    expect(standing).toBe("No attack removes unrelated.");
    expect(ranks).toMatch(/^Over 10 marked models WILD-JS ranks first \(mean rank \d\.\d of 4\)/);
  });

  test("a square holds means over seeds with an interval around them, and counts what was removed", () => {
    const square = squareAt(summary, 0, 0, 0.1);
    expect(square).toMatchObject({ removed: 5, gone: 5, reasons: [] });
    const { mean = 0, low = 0, high = 0, n } = square?.retention ?? {};
    expect(n).toBe(5);
    expect(low).toBeLessThanOrEqual(mean);
    expect(high).toBeGreaterThanOrEqual(mean);
    expect(high - low).toBeGreaterThan(0);
    expect(squareAt(summary, 0, 2, 0.1)).toMatchObject({ removed: 0, gone: 5 });
  });

  test("a removal that is too dear counts as if the mark stood", () => {
    const ranking = summary.rankings.at(-1);
    const distillation = ranking?.standings.find(({ remover }) => remover === 2);
    expect(distillation?.score).toBe(1);
    expect(distillation?.tied).toBe(false);
    // 10 of 10 pairs point one way: 2 / 2¹⁰, times at most 3 comparisons.
    expect(distillation?.versusBest?.pValue).toBeCloseTo(2 / 1024, 12);
    expect(distillation?.versusBest?.adjusted).toBeLessThanOrEqual(6 / 1024 + 1e-12);
  });

  test("equal removers are tied", () => {
    const same: SampleBench = [
      [
        [0, 0.005],
        [0, 0.005],
      ],
    ];
    const cells = sampleBench({ cells: same, budgets: [0.1] });
    const levelled = {
      ...cells,
      cells: cells.cells.map((cell) =>
        cell.status === "done" ? { ...cell, measured: { ...cell.measured, retention: 0.01 } } : cell,
      ),
    };
    const [ranking] = summariseBench(levelled).rankings;
    expect(ranking?.standings.map(({ rank, tied }) => [rank.mean, tied])).toEqual([
      [1.5, true],
      [1.5, true],
    ]);
    // The two that were not run at all.
    expect(ranking?.unranked).toEqual([
      { remover: 2, lacking: 5 },
      { remover: 3, lacking: 5 },
    ]);
  });

  test("a remover with missing cells is not ranked, and the others are", () => {
    const { cells, ...rest } = bench;
    const holed = cells.map((cell) =>
      cell.remover === 1 && cell.seed === 3
        ? { status: "failed" as const, ...which(cell), reason: "out of memory" }
        : cell,
    );
    const holes = summariseBench({ ...rest, cells: holed });
    expect(holes.rankings.at(-1)?.unranked).toEqual([{ remover: 1, lacking: 2 }]);
    expect(
      holes.rankings
        .at(-1)
        ?.standings.map(({ remover }) => remover)
        .toSorted(),
    ).toEqual([0, 2, 3]);
    expect(squareAt(holes, 0, 1, 0.1)?.reasons).toEqual(["failed: out of memory"]);
    expect(holes.warnings.join()).toContain("4 of 80 cells failed");
  });

  test("marked models that never showed the mark are left out, and that is said", () => {
    const owners = bench.owners.map((owner) =>
      owner.status === "done" && owner.mark === 1 ? { ...owner, verdict: { ...owner.verdict, owned: false } } : owner,
    );
    const without = summariseBench({ ...bench, owners });
    expect(without.rankings.at(-1)?.blocks).toBe(5);
    expect(squareAt(without, 1, 0, 0.1)?.runs).toEqual([]);
    expect(without.warnings.join()).toContain("unrelated");
  });

  test("costs are those of the method: images of both kinds, time, and what came back", () => {
    expect(costsOf(summary, 0, 0.1)).toMatchObject({ labelled: 6000, unlabelled: 0, returned: 0, of: 5 });
    expect(costsOf(summary, 2, 0.1)).toMatchObject({ labelled: 0, unlabelled: 6000 });
    // Content in every seed, unrelated in none; distillation is too dear for either.
    expect(costsOf(summary, 0, 0.1)).toMatchObject({ removed: 5, tried: 10 });
    expect(costsOf(summary, 2, 0.1)).toMatchObject({ removed: 0, tried: 10 });
  });
});

const which = ({ mark, remover, fraction, seed }: (typeof bench.cells)[number]) => ({ mark, remover, fraction, seed });

test("the front holds those that none beats in both", () => {
  const places = [
    { drop: 1, retention: 10 },
    { drop: 2, retention: 5 },
    { drop: 2, retention: 7 },
    { drop: 3, retention: 5 },
    { drop: 0, retention: 60 },
  ];
  expect(paretoFront(places).map(({ drop, retention }) => [drop, retention])).toEqual([
    [0, 60],
    [1, 10],
    [2, 5],
  ]);
});

test("a remover that costs far more than is acceptable stands at the end of the axis, and others keep their room", () => {
  const ticksOf = (costly: number): readonly string[] => {
    const { marks, removers } = bench;
    const cells = marks.map(() =>
      removers.map((_, i) => (i === 0 ? ([0.5, costly] as const) : ([0.1, 0.01] as const))),
    );
    const drawn = sampleBench({ cells });
    const rows = priceRows(drawn, summariseBench(drawn));
    const [panel] = scatterPanels(rows, looksOf(rows), { acceptableDrop: drawn.acceptableDrop });
    return [...(panel?.svg ?? "").matchAll(/>([^<>]+)<\/text>/g)].map(([, text]) => text ?? "");
  };
  expect(ticksOf(0.05).join()).not.toContain("→");
  const far = ticksOf(0.4);
  expect(far.some((text) => /, 40\.\d\d →$/.test(text))).toBe(true);
  expect(far).not.toContain("40");
});

test("what removes most, at the lowest price, stands first in the table of budgets", () => {
  const { document } = parseHTML(renderReport(bench));
  const rows = [...document.querySelectorAll("table.reach tbody tr")].map((row) => row.textContent ?? "");
  expect(rows[0]).toMatch(/^WILD-JS0 of 10.*5 of 10/);
  expect(rows.at(-1)).toMatch(/^Distillation0 of 10/);
  const one = parseHTML(renderReport(sampleBench({ budgets: [0.1] }))).document;
  expect(one.querySelector("table.reach")).toBeNull();
});

describe("tables", () => {
  test("a line of CSV for each cell, quoted where it must be", () => {
    const named = { ...bench, marks: bench.marks.map((mark) => ({ ...mark, name: `a "${mark.name}", b` })) };
    const lines = benchCsv(named).split("\r\n");
    expect(lines.length).toBe(bench.cells.length + 2);
    expect(lines[0]?.split(",").slice(0, 4)).toEqual(["mark", "remover", "method", "fraction"]);
    expect(lines[1]).toMatch(/^"a ""content"", b",WILD-JS,wild-js,0\.01,0,done,/);
  });

  test("LaTeX with what is special escaped", () => {
    const named = {
      ...bench,
      removers: bench.removers.map((remover) => ({ ...remover, name: `50%_${remover.name}\\` })),
    };
    const text = benchLatex(named, summariseBench(named));
    expect(text).toContain("50\\%\\_WILD-JS\\textbackslash{} & \\textbf{");
    expect(text.split("\n").filter((line) => line.endsWith("\\\\")).length).toBe(5);
  });
});

const variants: readonly (readonly [string, () => ReturnType<typeof sampleBench>])[] = [
  ["whole", () => sampleBench()],
  ["one seed, one budget", () => sampleBench({ seeds: [0], budgets: [0.05] })],
  ["no reactivation", () => sampleBench({ reactivation: false })],
  ["nothing run", () => sampleBench({ cells: [[undefined, undefined, undefined, undefined]] })],
  ["partly run", () => sampleBench({ cells: [[CONTENT_FALLS[0]?.[0], undefined, undefined, [0.01, 0.03]]] })],
];
test.each(variants)("the report is whole, fetches nothing and is always the same: %s", (_, make) => {
  const report = renderReport(make());
  expect(renderReport(make())).toBe(report);
  expect(report).not.toMatch(/NaN|undefined|Infinity|\[object|⚠/);
  expect(report).not.toMatch(/@import|url\(|<script|<link|<iframe| src=/);
  expect(report.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:/);
  expect(parseHTML(report).document.querySelectorAll("h1").length).toBe(1);
});

test("strings of the document stay text", () => {
  const hostile = `</style></title>"'><img src=x onerror=alert(1)><script>alert(1)</script>\u202e`;
  const fixed = ["format", "kind", "status", "started", "finished", "id", "decidedBy", "outcome", "needs"];
  const poison = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(poison);
    if (typeof value !== "object" || value === null) return typeof value === "string" ? hostile + value : value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, fixed.includes(key) ? item : poison(item)]),
    );
  };
  const report = renderReport(benchSchema.parse(poison(bench)));
  expect(report).not.toMatch(/<script|<img|\u202e/);
});

test("a budget is told as it was chosen", () => {
  const text = parseHTML(renderReport(sampleBench({ budgets: [0.0025, 0.1] }))).document.body.textContent ?? "";
  expect(text).toContain("0.25\u202f% and 10\u202f% of the training data");
  expect(text).not.toContain("0.3\u202f% of the");
});
