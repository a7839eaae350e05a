import { parseHTML } from "linkedom";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { summariseBench } from "../bench/summary.js";
import { sampleResult } from "../testing/sample.js";
import { sampleBench } from "../testing/sample-bench.js";
import { sampleVerdict } from "../testing/sample-verdict.js";
import { budgetPanels } from "./budgets.js";
import { heatMap } from "./heat-map.js";
import { figureSvgs } from "./index.js";
import { matchesFigure } from "./matches.js";
import { paretoPanels } from "./pareto.js";
import { type Figure, standalone } from "./plot.js";
import { reactivationPanels } from "./reactivation.js";

const warn = vi.spyOn(console, "warn");
beforeEach(() => void warn.mockClear());
// Plot reports what it could not draw on the console and by a sign in the picture.
afterEach(() => expect(warn).not.toHaveBeenCalled());

describe("figures", () => {
  // After a change that is meant: `npx vitest run src/report -u`, then look at the pictures.
  it("equal the golden ones", async () => {
    const figures = figureSvgs(sampleResult());
    expect(figures.map((f) => f.name)).toEqual(
      ["removal", "controls", "tradeoff"].flatMap((row) =>
        ["", "-content", "-noise", "-unrelated"].map((m) => `${row}${m}.svg`),
      ),
    );
    for (const { name, svg } of figures.filter((f) => f.name.endsWith("-unrelated.svg"))) {
      await expect(svg).toMatchFileSnapshot(`../fixtures/${name}`);
    }
    const [one] = figureSvgs(sampleResult({ seeds: [1], marks: ["content"], epochs: 1 }));
    await expect(one?.svg).toMatchFileSnapshot("../fixtures/removal-one-seed-one-epoch.svg");
  });

  const bench = sampleBench();
  const summary = summariseBench(bench);
  const drawn: readonly (readonly [string, Figure | undefined])[] = [
    ["heat-map", heatMap(bench, summary, "file")],
    ["budgets", budgetPanels(bench, summary, "file")[0]],
    ["pareto", paretoPanels(bench, summary, "file")[0]],
    ["reactivation", reactivationPanels(bench, summary, "file")[0]],
    ["matches", matchesFigure(sampleVerdict({ nullModels: [9, 12, 10, 9], strangers: [8, 11] }), "file")],
  ];
  it.each(drawn)("of documents equal the golden ones: %s", async (name, figure) => {
    expect(figure).toBeDefined();
    if (figure !== undefined) await expect(standalone(figure)).toMatchFileSnapshot(`../fixtures/${name}.svg`);
  });

  it("draw a band only over several seeds", () => {
    const curves = (seeds: readonly number[]): string =>
      figureSvgs(sampleResult({ seeds, marks: ["noise"] })).find((f) => f.name === "removal-noise.svg")?.svg ?? "";
    expect(curves([1, 2])).toContain('aria-label="area"');
    expect(curves([1])).not.toContain('aria-label="area"');
  });

  it("stand alone: XML, plain colours, no reference to anything", () => {
    for (const { svg } of figureSvgs(sampleResult())) {
      expect(svg).toMatch(/^<\?xml[^>]*\?>\n<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
      expect(svg).not.toMatch(/var\(|url\(|href|<style|<script|⚠/);
      expect(svg.match(/ id="/)).toBeNull();
    }
  });

  it("keep hostile titles as text", () => {
    const sample = sampleResult();
    const hostile = `</text><script>x</script>"'&\u0000`;
    const figures = figureSvgs({
      ...sample,
      marked: sample.marked.map((m) => ({ ...m, title: hostile })),
      removals: sample.removals.map((r) => ({ ...r, title: hostile + r.title })),
    });
    for (const { svg } of figures) {
      expect(svg).not.toContain("<script");
      expect(svg).not.toContain("\u0000");
      const { document } = parseHTML(`<body>${svg}</body>`);
      expect(document.querySelector("script")).toBeNull();
      expect(document.querySelector("svg")?.getAttributeNames()).not.toContain("'&");
    }
  });

  it("are named harmlessly whatever the mark is called", () => {
    const sample = sampleResult({ marks: ["content", "noise"] });
    const rename = (mark: string): string => (mark === "content" ? "../../etc/passwd" : "etc passwd");
    const names = figureSvgs({
      ...sample,
      marks: sample.marks.map(rename),
      marked: sample.marked.map((m) => ({ ...m, mark: rename(m.mark) })),
      removals: sample.removals.map((r) => ({ ...r, mark: rename(r.mark) })),
    }).map((f) => f.name);
    expect(names.slice(0, 3)).toEqual(["removal.svg", "removal-etc-passwd.svg", "removal-etc-passwd-2.svg"]);
  });

  it("are left out where nothing was run", () => {
    const names = figureSvgs(sampleResult({ methods: ["from scratch"] })).map((f) => f.name);
    expect(names.filter((name) => name.startsWith("removal"))).toEqual([]);
    expect(names).toContain("controls.svg");
    expect(figureSvgs(sampleResult({ methods: [] }))).toEqual([]);
  });
});
