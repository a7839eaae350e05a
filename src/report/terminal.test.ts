import { expect, test } from "vitest";
import { findingsOf } from "./findings/findings.js";
import { terminalReport } from "./terminal.js";
import { FALLS, sampleAudit } from "./testing/sample-audit.js";
import { sampleBench } from "./testing/sample-bench.js";
import { sampleReproduce } from "./testing/sample-reproduce.js";

// After a change that is meant: `npx vitest run src/report/terminal -u`, then read them.
test.each([
  ["reproduce", sampleReproduce({ seeds: [1, 2] })],
  ["audit", sampleAudit({ back: 0.9 })],
  ["audit-seeds", sampleAudit({ seeds: [0, 1, 2], cells: [[undefined, FALLS[0]?.[1]]], nullModels: true })],
  ["bench", sampleBench({ cells: [[[0.02, 0.005], undefined, [0.01, 0.04], [0.01, 0.03]], [[0.6, 0.006]]] })], // biome-ignore format: short
])("what the terminal says: %s", async (name, document) => {
  const text = `${terminalReport(findingsOf(document)).join("\n\n")}\n`;
  expect(text).not.toMatch(/NaN|undefined|Infinity|[\u00a0\u202f]/);
  await expect(text).toMatchFileSnapshot(`fixtures/terminal-${name}.txt`);
});
