import { describe, expect, test } from "vitest";
import type { ExperimentDocument } from "../../experiments/document.js";
import { findingsOf } from "../findings/findings.js";
import { FALLS, sampleAudit, type SampleCells } from "../testing/sample-audit.js";
import { sampleBench } from "../testing/sample-bench.js";
import { sampleReproduce } from "../testing/sample-reproduce.js";
import { nextSteps, sureness } from "./advice.js";
import { headline } from "./headline.js";
import { remarks, warnings } from "./remarks.js";

const said = (document: ExperimentDocument): string => headline(findingsOf(document)).join(" ").replaceAll(/\s/g, " ");
const remarked = (document: ExperimentDocument): string =>
  remarks(findingsOf(document))
    .map(({ text }) => text)
    .join("\n")
    .replaceAll(/\u202f/g, " ");

describe("the headline of reproduce", () => {
  test("says which marks fall and which survive", () => {
    expect(said(sampleReproduce())).toMatch(
      /^The Content: the word TEST and Noise: fixed Gaussian pattern marks do not survive WILD-CE.*; the Unrelated: KMNIST images mark survives every run: the strongest attack \(WILD-CE\) leaves 3\d/,
    );
  });

  test("says so when every mark survives, and when it depends on the seed", () => {
    expect(said(sampleReproduce({ after: (name) => (name === "from scratch" ? {} : { retention: 0.8 }) }))).toMatch(
      /marks survive every run: .* at least 80 % retention\.$/,
    );
    const after = (_: string, seed: number) => ({ retention: seed === 1 ? 0.02 : 0.6 });
    expect(said(sampleReproduce({ marks: ["noise"], methods: ["WILD-CE"], after }))).toContain("2 of 3 runs");
  });

  test("does not let baselines decide", () => {
    expect(said(sampleReproduce({ marks: ["content"], methods: ["random erasing alone", "from scratch"] }))).toBe(
      "No method under test was run against the Content: the word TEST mark.",
    );
  });

  test("concludes nothing about marks that were never shown or prove nothing", () => {
    expect(said(sampleReproduce({ before: { retention: 0.05 } }))).toContain("nothing can be concluded about them");
    expect(said(sampleReproduce({ onNullModel: { retention: 0.9 } }))).toMatch(/shown on null models too/);
  });

  test("names the price where one was set, and the budget where there are several", () => {
    const document = sampleReproduce({ marks: ["content"], budgets: [0.01, 0.1], methods: ["WILD-CE"] });
    expect(said(document)).toMatch(/does not survive WILD-CE with 1 % of the data: /);
    const attacks = document.attacks.map((cell) =>
      cell.status === "done" && cell.outcome === "removed" ? { ...cell, outcome: "costly" as const } : cell,
    );
    expect(said({ ...document, attacks })).toMatch(/survives every attack that is worth its price/);
  });
});

describe("the headline of audit", () => {
  const fates: readonly (readonly [string, SampleCells, RegExp])[] = [
    [
      "falls",
      FALLS,
      /^Your mark falls to 1 of 3 attacks: WILD-JS with 5 % .*3 000 images.* removes it at 0.5 points of accuracy\. Fine-tuning \(RTAL\) removes it only at a higher price\.$/,
    ],
    ["survives", [[[0.99, 90], [0.98, 60]]], /^Your mark survived every attack tried \(1 attack\), up to 5 %/], // biome-ignore format: a row a fate
    ["costly", [[[0.9, 5], [0.95, 2]]], /^Your mark survived every attack that is worth its price.*WILD-JS with 1 % .* at 9.0 points/], // biome-ignore format: a row a fate
    ["untested", [[undefined, undefined]], /^No attack could be run/],
  ];
  test.each(fates)("%s", (_, cells, words) => {
    expect(said(sampleAudit({ cells }))).toMatch(words);
  });

  test("says in how many seeds, and of which model if there are several", () => {
    const audit = sampleAudit({ cells: [[[0.985, 3]]], seeds: [0, 1] });
    const attacks = audit.attacks.map((cell) =>
      cell.status === "done" && cell.seed === 1 ? { ...cell, outcome: "shown" as const } : cell,
    );
    expect(said({ ...audit, attacks })).toContain("in 1 of 2 seeds");
    expect(said({ ...sampleBench({ given: true, budgets: [0.1] }), statement: "audit" })).toMatch(
      /^content: Your mark falls to .* unrelated: Your mark survived every attack/,
    );
  });
});

describe("the headline of bench", () => {
  test("says to how many attacks each mark falls, and who ranks first; what ignores the model is no attack", () => {
    const [marks, standing, ranks] = headline(findingsOf(sampleBench())).map((text) => text.replaceAll(/\s/g, " "));
    expect(marks).toBe("With 10 % of the training data marks fall to so many of the attacks: content to 2 of 3.");
    expect(standing).toBe("No attack removes unrelated.");
    expect(ranks).toMatch(/^Over 10 marked models WILD-JS ranks first \(mean rank \d\.\d of 4\)/);
  });

  test("says that nothing can be said", () => {
    expect(said(sampleBench({ cells: [[undefined]] }))).toMatch(/^Nothing can be said yet/);
  });
});

describe("remarks", () => {
  test("name what the baselines did", () => {
    expect(remarked(sampleReproduce())).toContain("fine-tuning (FTAL) removed none of the marks");
    expect(remarked(sampleReproduce())).toContain("random erasing alone removed Content: the word TEST and Noise");
    expect(remarked(sampleReproduce())).toContain("from scratch removed all of them");
    expect(remarked(sampleReproduce({ methods: ["WILD-CE"] }))).toContain("No baseline was run");
  });

  test("warn where null models or models from scratch show the key", () => {
    const [first] = warnings(findingsOf(sampleReproduce({ onNullModel: { retention: 0.9 } })));
    expect(first).toMatch(/^9 of 9 keys .*prove nothing/);
    expect(warnings(findingsOf(sampleReproduce()))).toEqual([]);
    const cells: SampleCells = [[[0.985, 3]], [], [], [[0.96, 90]]];
    expect(remarked(sampleAudit({ cells }))).toContain("“shown” on 1 of 1 model trained from scratch");
    expect(remarked(sampleAudit({ nullModels: true }))).toContain("not shown there");
    expect(remarked(sampleAudit())).not.toContain("null model");
  });

  test("warn where a removal ends no better than training from scratch", () => {
    const after = (name: string) => (name.startsWith("WILD") ? { accuracy: 0.9 } : {});
    expect(remarked(sampleReproduce({ marks: ["content"], after }))).toContain(
      "ends at 90.0 % accuracy, no better than training from scratch",
    );
  });

  test("warn of missing, failed and skipped cells, other files, few seeds", () => {
    const bench = sampleBench({ seeds: [0], cells: [[[0.02, 0.005], undefined]] });
    expect(remarked({ ...bench, complete: false })).toMatch(/Incomplete: 6 of 8 cells are not computed yet\./);
    expect(remarked(bench)).toContain("1 seed: too few");
    const audit = sampleAudit({ cells: [[undefined, [0.98, 4]]] });
    expect(remarked(audit)).toContain("1 cell of 2 could not be tried.");
    expect(remarked(audit)).toContain("Nothing was trained from scratch");
    const attacks = audit.attacks.map(({ subject, remover, fraction, seed }) => ({
      ...{ status: "failed" as const, subject, remover, fraction, seed, reason: "out of memory", mayPass: false },
    }));
    const subjects = audit.subjects.map((subject) =>
      subject.kind === "given" ? { ...subject, key: { ...subject.key, madeForThisModel: false } } : subject,
    );
    expect(remarked({ ...audit, attacks, subjects })).toMatch(
      /made for another file.*\n2 of 2 cells failed\.\n2 cells would fail again/,
    );
  });

  test("say where an attack left a model that only guesses, and blame none for what guessed before", () => {
    const audit = sampleAudit();
    const attacks = audit.attacks.map((cell) =>
      cell.status === "done" && cell.remover === 2 && cell.fraction === 0.01 ? { ...cell, atChance: true } : cell,
    );
    expect(remarked({ ...audit, attacks })).toMatch(/^After Fine-tuning \(RTAL\) with 1 % the model only guesses/m);
    expect(remarked(audit)).not.toContain("guesses");
    const marked = audit.marked.map((cell) => (cell.status === "done" ? { ...cell, atChance: true } : cell));
    const blamed = remarked({ ...audit, attacks, marked });
    expect(blamed).toMatch(/^The marked model only guesses before any attack/m);
    expect(blamed).not.toContain("went astray");
  });

  test("tell which marked models do not count", () => {
    const bench = sampleBench();
    const marked = bench.marked.map((cell) =>
      cell.status === "done" && cell.subject === 1 ? { ...cell, verdict: { ...cell.verdict, owned: false } } : cell,
    );
    expect(remarked({ ...bench, marked })).toContain("5 marked models (unrelated) did not show the mark");
  });
});

describe("advice", () => {
  test("says of removals whether tuning brings the mark back, and only of those that took it", () => {
    // WILD-JS with 5 % and RTAL with both budgets; FTAL and WILD-JS with 1 % left it shown.
    expect(sureness(findingsOf(sampleAudit({ back: 0.9 })))).toMatch(
      /200 steps of tuning .* brought the mark back in 3 of 3 models that had lost it: .*hidden/,
    );
    expect(sureness(findingsOf(sampleAudit({ back: 0.02 })))).toMatch(/in none of 3 models/);
    expect(sureness(findingsOf(sampleAudit()))).not.toMatch(/tuning/);
  });

  test("an owner is told what to do, others what the command would still do", () => {
    expect(nextSteps(findingsOf(sampleAudit()))[0]).toMatch(/^Do not rely on this mark alone/);
    expect(nextSteps(findingsOf(sampleAudit({ before: 0.1 })))).toEqual([
      "Check that model and key belong together; else embed the mark longer, or with more triggers.",
    ]);
    expect(nextSteps(findingsOf(sampleBench()))).toEqual([]);
    expect(nextSteps(findingsOf({ ...sampleBench(), complete: false }))[0]).toContain("the same command goes on");
  });
});
