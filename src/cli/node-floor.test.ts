/** @file Which Nodes are new enough: those that package.json allows. */

import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { oldNodeComplaint } from "./node-floor.js";

test("the floor is that of package.json", () => {
  expect(manifest.engines.node).toBe("^20.19.0 || >=22.12.0");
});

test.each(["v20.19.0", "v20.20.2", "v22.12.0", "v22.20.1", "v23.0.0", "v24.1.0", "v100.0.0"])(
  "%s will do",
  (version) => {
    expect(oldNodeComplaint(version)).toBe(undefined);
  },
);

test.each(["v12.22.0", "v18.20.8", "v20.18.3", "v21.7.3", "v22.11.0", "0.10.0", "", "nonsense"])(
  "%s is too old",
  (version) => {
    expect(oldNodeComplaint(version)).toContain(`Node ${version} is too old`);
    expect(oldNodeComplaint(version)).not.toContain("\n");
  },
);
