import { parseHTML } from "linkedom";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { conditionRows, epochRows, meanPrices, reactivationRows, runPrices } from "../figure-data.js";
import { findingsOf } from "../findings/findings.js";
import { goldenSvg } from "../testing/golden.js";
import { sampleBench } from "../testing/sample-bench.js";
import { sampleReproduce } from "../testing/sample-reproduce.js";
import { MANY_REMOVERS, manyConditions, manyPrices } from "../testing/sample-rows.js";
import { sampleVerdict } from "../testing/sample-verdict.js";
import { budgetPanels } from "./budgets.js";
import { curvePanels } from "./curves.js";
import type { Figure } from "./frame.js";
import { heatMaps } from "./heat-map.js";
import { matchesFigure } from "./matches.js";
import { looksOf } from "./palette.js";
import { reactivationPanels } from "./reactivation.js";
import type { EpochRow, PriceRow } from "./records.js";
import { scatterPanels } from "./scatter.js";

const warn = vi.spyOn(console, "warn");
beforeEach(() => void warn.mockClear());
// Plot reports what it could not draw on the console and by a sign in the picture.
afterEach(() => expect(warn).not.toHaveBeenCalled());

const UNRELATED = "Unrelated: KMNIST images";
const result = findingsOf(sampleReproduce());
const rules = new Map([[UNRELATED, { share: 0.21, label: "21 of 100 needed" }]]);
const starts = new Map([[UNRELATED, 1]]);
const isBaseline = ({ baseline }: EpochRow): boolean => baseline;
const ofUnrelated = <R extends { readonly mark: string }>(rows: readonly R[]): readonly R[] =>
  rows.filter(({ mark }) => mark === UNRELATED);
const bench = findingsOf(sampleBench());
const small = findingsOf(sampleReproduce({ seeds: [1], marks: ["content"], epochs: 1 }));

const epochs = epochRows(result);
const looks = looksOf(epochs);
const isTested = (row: EpochRow): boolean => !isBaseline(row);
const conditions = conditionRows(bench);
const many = manyConditions();
const manyLooks = looksOf(many, MANY_REMOVERS);

/** Every figure as documents of the usual size have it, and as a large bench does. */
const drawn: readonly (readonly [string, Figure | undefined])[] = [
  ["removal-unrelated", curvePanels(ofUnrelated(epochs), looks, { shown: isTested, rules })[0]],
  ["controls-unrelated", curvePanels(ofUnrelated(epochs), looks, { shown: isBaseline, rules })[0]],
  ["removal-one-seed-one-epoch", curvePanels(epochRows(small), looks, { shown: isTested })[0]],
  ["tradeoff-unrelated", scatterPanels(ofUnrelated(runPrices(result)), looks, { rules, starts })[0]],
  ["heat-map", heatMaps(conditions)[0]],
  ["budgets", budgetPanels(conditions, looksOf(conditions))[0]],
  ["pareto", scatterPanels(meanPrices(bench), looksOf(conditions), { acceptableDrop: 0.02 })[0]],
  ["reactivation", reactivationPanels(reactivationRows(bench))[0]],
  ["matches", matchesFigure(sampleVerdict({ nullModels: [9, 12, 10, 9], strangers: [8, 11] }))],
  ["heat-map-many", heatMaps(many, MANY_REMOVERS)[1]],
  ["budgets-many", budgetPanels(many, manyLooks)[1]],
  ["pareto-many", scatterPanels(manyPrices(), manyLooks, { acceptableDrop: 0.02 })[1]],
];

/** The texts of a figure, in the order in which they are drawn. */
function textsOf(figure: Figure | undefined): readonly string[] {
  const { document } = parseHTML(`<body>${figure?.svg}</body>`);
  return [...document.querySelectorAll("text")].map((text) => text.textContent ?? "");
}

describe("figures", () => {
  // After a change that is meant: `npx vitest run src/report/figures -u`, then look at the pictures.
  it.each(drawn)("equal the golden ones: %s", async (name, figure) => {
    expect(figure).toBeDefined();
    if (figure !== undefined) await expect(goldenSvg(figure)).toMatchFileSnapshot(`../fixtures/${name}.svg`);
  });

  it("stand alone and say what they are: nothing is fetched, no ids clash, a name and a description", () => {
    for (const [name, figure] of drawn) {
      const svg = figure?.svg ?? "";
      expect(svg, name).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]* role="img" aria-label="[^"]+"/);
      expect(svg, name).toMatch(/^<svg[^>]*><desc>[^<]{10,}<\/desc>/);
      expect(svg, name).not.toMatch(/url\(|href|<style|<script|⚠| id="|NaN|undefined/);
      expect(figure && goldenSvg(figure), name).not.toContain("var(");
    }
  });

  it("draw a band only where seeds differ", () => {
    const curves = (seeds: readonly number[]): string =>
      curvePanels(epochRows(findingsOf(sampleReproduce({ seeds, marks: ["noise"] }))), looks)[0]?.svg ?? "";
    expect(curves([1, 2])).toContain('aria-label="area"');
    expect(curves([1])).not.toContain('aria-label="area"');
  });

  it("have a panel for each mark, in the order of the rows", () => {
    const titles = curvePanels(epochs, looks).map((panel) =>
      textsOf(panel).find((text) => /^(Content|Noise|Unrelated):/.test(text)),
    );
    expect(titles).toEqual(result.document.subjects.map(({ name }) => name));
    expect(heatMaps(many).map((map) => textsOf(map).find((text) => text.includes("of the training")))).toEqual(
      ["1", "2", "5", "10"].map((percent) => `${percent}\u202f% of the training data`),
    );
  });

  it("of many removers name the best five and leave the rest grey, named under the pointer", () => {
    const [panel] = budgetPanels(many, looksOf(many, MANY_REMOVERS.toReversed()));
    const named = MANY_REMOVERS.filter((name) => textsOf(panel).some((text) => text.startsWith(`${name} `)));
    expect(named).toEqual(MANY_REMOVERS.slice(-5));
    expect(textsOf(panel)).toContain(`grey: ${MANY_REMOVERS.length - 5} others`);
    const pointed = [...(panel?.svg ?? "").matchAll(/<title>([^<]*)<\/title>/g)].map(([, name]) => name);
    expect([...pointed].sort()).toEqual(MANY_REMOVERS.slice(0, -5).toSorted());
    // As many as there are colours keep theirs.
    const few = many.filter(({ remover }) => MANY_REMOVERS.indexOf(remover) < 8);
    expect(budgetPanels(few, looksOf(few))[0]?.svg).not.toContain("var(--rest)");
  });

  it("keep the names of lines that end at one place apart", () => {
    const same = many.map((row) => ({ ...row, retention: { mean: 0.01, low: 0.01, high: 0.01 } }));
    const [panel] = budgetPanels(same, manyLooks);
    const { document } = parseHTML(`<body>${panel?.svg}</body>`);
    const labels = [...document.querySelectorAll("text")].filter((text) =>
      /^[A-Z].* 1\u202f%$/.test(text.textContent ?? ""),
    );
    const heights = labels.map((text) => Number(/,([\d.]+)\)/.exec(text.getAttribute("transform") ?? "")?.[1]));
    const names = heights.toSorted((a, b) => a - b);
    expect(names).toHaveLength(5);
    for (const [i, height] of names.slice(1).entries()) expect(height - (names[i] ?? 0)).toBeGreaterThanOrEqual(12.9);
  });

  it("leave out labels of budgets that would touch", () => {
    const close = manyConditions([0.1, 0.101, 0.102, 0.2]);
    const labels = textsOf(budgetPanels(close, manyLooks)[0]).filter((text) => /^[\d.]+\u202f%$/.test(text));
    expect(labels).toEqual(["10\u202f%", "20\u202f%"]);
  });

  it("give a remover one look in all figures, also where it is missing from some", () => {
    const without = meanPrices(bench).filter(({ remover }) => remover !== "WILD-JS");
    const inks = (rows: readonly PriceRow[]): readonly (string | null)[] =>
      [...parseHTML(scatterPanels(rows, looksOf(conditions))[0]?.svg ?? "").document.querySelectorAll("text")]
        .filter((text) => text.textContent === "Distillation")
        .map((text) => text.parentElement?.getAttribute("fill") ?? null);
    expect(inks(without)).toEqual(inks(meanPrices(bench)));
    expect(inks(without)[0]).toMatch(/series/);
  });

  it("draw what no look is listed for, in grey", () => {
    const [panel] = scatterPanels(manyPrices().slice(0, 1), looksOf([]));
    expect(panel?.svg).toContain("<title>WILD-CE</title>");
    expect(panel?.svg).toContain("var(--rest)");
  });

  it("keep hostile titles as text", () => {
    const hostile = `</text><script>x</script>"'&\u0000`;
    const poison = <R extends { readonly mark: string; readonly remover: string }>(rows: readonly R[]): readonly R[] =>
      rows.map((row) => ({ ...row, mark: hostile, remover: hostile + row.remover }));
    const figures = [
      ...curvePanels(poison(epochs), looksOf(poison(epochs))),
      ...scatterPanels(poison(runPrices(result)), looksOf(poison(epochs))),
      ...heatMaps(poison(many)),
      ...budgetPanels(poison(many), looksOf(poison(many))),
      ...reactivationPanels(poison(reactivationRows(bench))),
    ];
    expect(figures.length).toBeGreaterThan(5);
    for (const { svg } of figures) {
      expect(svg).not.toContain("<script");
      expect(svg).not.toContain("\u0000");
      const { document } = parseHTML(`<body>${svg}</body>`);
      expect(document.querySelector("script")).toBeNull();
      expect(document.querySelector("svg")?.getAttributeNames()).not.toContain("'&");
    }
  });

  it("are left out where nothing was run, and curves against budgets where there is one", () => {
    const controls = epochRows(findingsOf(sampleReproduce({ methods: ["from scratch"] })));
    expect(curvePanels(controls, looks, { shown: (row) => !isBaseline(row) })).toEqual([]);
    expect(curvePanels(controls, looks)).toHaveLength(3);
    expect(scatterPanels([], looks)).toEqual([]);
    expect(heatMaps([])).toEqual([]);
    expect(reactivationPanels([])).toEqual([]);
    expect(budgetPanels(manyConditions([0.1]), manyLooks)).toEqual([]);
  });
});
