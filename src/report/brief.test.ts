import { expect, test } from "vitest";
import { briefly } from "./brief.js";
import { findingsOf } from "./findings/findings.js";
import { sampleAudit } from "./testing/sample-audit.js";

test("says in plain data what was found, without the runs", () => {
  const brief = briefly(findingsOf(sampleAudit({ back: 0.9 })));
  expect(JSON.parse(JSON.stringify(brief))).toEqual(brief);
  expect(brief.subjects[0]).toMatchObject({ name: "marked.onnx", fate: "falls", onScratch: { shown: 0, of: 2 } });
  expect(brief.subjects[0]?.conditions[1]).toMatchObject({
    ...{
      remover: "WILD-JS",
      fraction: 0.05,
      outcome: "removed",
      done: 1,
      counted: 1,
      removed: 1,
      gone: 1,
      returned: 1,
    },
  });
  expect(JSON.stringify(brief)).not.toContain("modelSha256");
});
