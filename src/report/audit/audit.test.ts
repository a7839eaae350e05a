/** @file What the report of an audit says: the golden first screen, each fate, and nothing that a file could smuggle in. */

import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { auditSchema } from "../../experiments/audit-result.js";
import { renderReport } from "../report.js";
import { FALLS, type SampleCells, sampleAudit } from "../testing/sample-audit.js";
import { summariseAudit } from "./summary.js";

/** The text of the page up to its first section of evidence, a line for each block. */
function firstScreen(report: string): string {
  const { document } = parseHTML(report);
  const blocks = document.querySelectorAll("h1, .headline, .matrix tr, .legend li, .sure, .next li");
  return [...blocks]
    .map((block) => [...(block.querySelector("td, th") ? block.children : [block])])
    .map((parts) => parts.map((part) => (part.textContent ?? "").replaceAll(/\s+/g, " ").trim()).join(" | "))
    .join("\n");
}

test("the first screen, word for word", () => {
  expect(firstScreen(renderReport(sampleAudit()))).toMatchInlineSnapshot(`
    "The content mark of marked.onnx
    Your mark falls to 1 of 3 attacks: WILD-JS with 5 % of the training data (3 000 images) removes it at 0.5 points of accuracy. Fine-tuning (RTAL) removes it only at a higher price.
    Attack | 1 % of the data600 images | 5 % of the data3 000 images
    WILD-JS | ●surviveskeeps 40 % of triggers costs 2.00 points | ✕removedkeeps 3 % of triggers costs 0.50 points
    Fine-tuning (FTAL) | ●surviveskeeps 98 % of triggers costs 0.00 points | ●surviveskeeps 95 % of triggers costs 0.00 points
    Fine-tuning (RTAL) | ▽removed, no gainkeeps 2 % of triggers costs 4.00 points | ▽removed, no gainkeeps 4 % of triggers costs 3.00 points
    From scratchcontrol: ignores the marked weights | accuracy 96.00 %3.00 points below marked | accuracy 97.00 %2.00 points below marked
    ✕ mark no longer shown, at most 2 points of accuracy lost
    ▽ mark no longer shown, but training from scratch on the same data is more accurate: no attack
    ● mark still shown
    “Removed” means that on the cleaned model the key's verdict is “not shown” at α = 0.05 (100 triggers, the most conservative test that applies). One seed: how much this varies from run to run is not known.
    Do not rely on this mark alone: someone with this much data can take it off and keep the model's worth. It still tells copies that nobody has tuned.
    Embed another kind of mark (wildmark embed --scheme …; this one is “content”), or more triggers, and audit that in the same way.
    If you have not yet, publish what wildmark key commit prints for this key where the date can be proved, so that nobody can say later that the key was made to fit.
    Repeat with --seeds 5 before relying on it: finished cells are kept."
  `);
});

const fates: readonly (readonly [string, SampleCells, RegExp])[] = [
  ["falls", FALLS, /^Your mark falls to 1 of 3 attacks: WILD-JS with 5 % .*3 000 images.* removes it at 0.5 points/],
  [
    "survives",
    [
      [
        [0.99, 90],
        [0.98, 60],
      ],
    ],
    /^Your mark survived every attack tried .*up to 5 %/,
  ],
  [
    "costly",
    [
      [
        [0.9, 5],
        [0.95, 2],
      ],
    ],
    /^Your mark survived every attack that is worth its price.*WILD-JS with 1 % .* at 9.0 points/,
  ],
  ["untested", [[undefined, undefined]], /^No attack could be run/],
];
test.each(fates)("%s", (fate, cells, words) => {
  const summary = summariseAudit(sampleAudit(cells));
  expect(summary.fate).toBe(fate);
  expect(summary.headline.replaceAll(/\s/g, " ")).toMatch(words);
});

describe("states", () => {
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
    const [wild] = summariseAudit(sampleAudit(cells)).lines;
    expect(wild?.squares.map(({ state }) => state)).toEqual(["removed", "pointless"]);
  });

  test("two points are acceptable, more are not", () => {
    const cells: SampleCells = [
      [
        [0.97, 3],
        [0.9699, 3],
      ],
    ];
    expect(summariseAudit(sampleAudit(cells)).lines[0]?.squares.map(({ state }) => state)).toEqual([
      "removed",
      "costly",
    ]);
  });

  test("a mark that is gone in one seed of two falls sometimes", () => {
    const audit = sampleAudit(
      [
        [
          [0.985, 90],
          [0.985, 3],
        ],
      ],
      [0, 1],
    );
    const cells = audit.cells.map((cell) =>
      cell.status === "done" && cell.seed === 1 ? { ...cell, verdict: { ...cell.verdict, owned: true } } : cell,
    );
    const summary = summariseAudit({ ...audit, cells });
    expect(summary.fate).toBe("sometimes");
    expect(summary.headline).toContain("in 1 of 2 seeds");
  });

  test("a key that is shown on models from scratch proves nothing", () => {
    const cells: SampleCells = [
      [
        [0.985, 3],
        [0.985, 3],
      ],
      [],
      [],
      [
        [0.96, 90],
        [0.97, 90],
      ],
    ];
    const summary = summariseAudit(sampleAudit(cells));
    expect(summary.fate).toBe("unsound");
    expect(summary.warnings.join()).toContain("2 of 2 models trained from scratch");
  });
});

test("says where an attack left a model that only guesses", () => {
  const audit = sampleAudit();
  const cells = audit.cells.map((cell) =>
    cell.status === "done" && cell.attack === 2 && cell.fraction === 0.01 ? { ...cell, atChance: true } : cell,
  );
  const warnings = (cells: typeof audit.cells): string => summariseAudit({ ...audit, cells }).warnings.join();
  expect(warnings(cells)).toMatch(/^After Fine-tuning \(RTAL\) with 1.% the model only guesses/);
  expect(warnings(audit.cells)).not.toContain("guesses");
  // What guessed before is no attack's fault.
  const before = { ...audit.before, atChance: true };
  const blamed = summariseAudit({ ...audit, cells, before }).warnings.join();
  expect(blamed).toMatch(/^The marked model only guesses before any attack/);
  expect(blamed).not.toContain("went astray");
});

test.each<readonly [string, SampleCells, readonly number[]]>([
  ["several seeds", FALLS, [0, 1, 2]],
  ["nothing run", [[undefined, undefined]], [0]],
  [
    "some skipped",
    [
      [undefined, [0.98, 4]],
      [[0.98, 90], undefined],
    ],
    [0],
  ],
])("the report is whole and fetches nothing: %s", (_, cells, seeds) => {
  const report = renderReport(sampleAudit(cells, seeds));
  expect(renderReport(sampleAudit(cells, seeds))).toBe(report);
  expect(report).not.toMatch(/NaN|undefined|Infinity|\[object|⚠/);
  expect(report).not.toMatch(/@import|url\(|<script|<link|<iframe| src=/);
  expect(report.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:/);
});

test("strings of the document stay text", () => {
  const hostile = `</style></title>"'><img src=x onerror=alert(1)><script>alert(1)</script>\u202e`;
  const fixed = ["format", "kind", "status", "started", "finished", "id", "decidedBy"];
  const poison = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(poison);
    if (typeof value !== "object" || value === null) return typeof value === "string" ? hostile + value : value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, fixed.includes(key) ? item : poison(item)]),
    );
  };
  const report = renderReport(auditSchema.parse(poison(sampleAudit())));
  expect(report).not.toMatch(/<script|<img|\u202e/);
});

test("says of removals whether tuning brings the mark back, and only of those that took it", () => {
  const came = summariseAudit(sampleAudit(FALLS, [0], 90));
  // WILD-JS with 5 % and RTAL with both budgets; FTAL and WILD-JS with 1 % left it shown.
  expect(came.sureness).toMatch(
    /200 steps of tuning .* brought the mark back in 3 of 3 models that had lost it: .*hidden/,
  );
  expect(summariseAudit(sampleAudit(FALLS, [0], 2)).sureness).toMatch(/in none of 3 models/);
  expect(summariseAudit(sampleAudit()).sureness).not.toMatch(/tuning/);
  const { document } = parseHTML(renderReport(sampleAudit(FALLS, [0], 90)));
  const cells = [...document.querySelectorAll(".matrix td")].map((cell) => cell.textContent ?? "");
  expect(cells.filter((text) => text.includes("comes back when tuned on"))).toHaveLength(3);
  const rows = [...document.querySelectorAll(".evidence tr.tested")].map((each) => each.textContent ?? "");
  expect(rows.every((text) => text.includes("90 %, shown") || text.includes("90.0 %, shown"))).toBe(true);
});
