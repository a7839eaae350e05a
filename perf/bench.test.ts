/** @file The benchmark's parts on work so small that nothing is worth timing; PyTorch's side where there is one. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { renderDigits } from "../src/data/digits.js";
import { makeDataset } from "../src/data/dataset.js";
import { findArchitecture, newModel } from "../src/models/registry.js";
import { cases, lenetSteps, type Setting, wildEpochs } from "./cases.js";
import { type Contestant, race } from "./contest.js";
import { countFlops } from "./flops.js";
import { type MatchResult, runMatch } from "./match.js";
import { readOptions } from "./options.js";
import { type Peak, peakContestant } from "./peak.js";
import { describeMatch } from "./report.js";
import { findPython, startTorch } from "./torch-side.js";

const folder = await mkdtemp(join(tmpdir(), "wildmark-bench-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const runtime = { threads: 1 };
const turns = { turns: 2, milliseconds: 1, pause: 0 };
const setting: Setting = {
  seed: 0,
  dataset: makeDataset({
    id: "digits",
    title: "digits",
    train: renderDigits("train", 80, 0),
    test: renderDigits("test", 20, 0),
  }),
  folder,
  runtime,
};

/** Takes no time and says what is done to it. */
function recorder(name: string, log: string[], values: readonly number[] = []): Contestant {
  return {
    check: async () => values,
    run: async (units) => {
      log.push(name);
      return Array.from({ length: units }, () => 0.5);
    },
    release: async () => {
      log.push(`${name} released`);
    },
  };
}

const recordedPeak = (log: string[]): Peak => ({ ...recorder("peak", log), flops: 2e9 });

test("sides take turns, and the first unit of a turn of several does not count", async () => {
  const log: string[] = [];
  const sides = new Map([
    ["a", recorder("a", log)],
    ["b", recorder("b", log)],
  ]);
  const times = await race(sides, { turns: 2, milliseconds: 2, pause: 0 });
  expect(log.join("")).toBe("ababab");
  expect(times.get("a")).toHaveLength(2 * 4);
});

test("flops of LeNet-5 are those counted by hand", async () => {
  const shape = { channels: 1, height: 28, width: 28 };
  const model = newModel(findArchitecture("lenet5"), { ...shape, classes: 10 }, 0);
  const first = 6 * 28 * 28 * 25;
  const others = 16 * 10 * 10 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10;
  expect(await countFlops(model, shape, 3)).toEqual({
    forward: 3 * 2 * (first + others),
    step: 3 * 2 * (2 * first + 3 * others),
  });
});

test("products of the peak neither grow nor vanish, however many there are", async () => {
  const peak = await peakContestant(0, runtime);
  expect(peak.flops).toBe(2 * 1024 ** 3);
  expect(Math.min(...(await peak.run(30)))).toBeGreaterThan(0);
  const [corner = 0] = await peak.check();
  // Elements have a standard deviation of 1/32.
  expect(Math.abs(corner)).toBeGreaterThan(1e-6);
  expect(Math.abs(corner)).toBeLessThan(10 / 32);
  await peak.release();
});

describe("without PyTorch", () => {
  test("steps and epochs are timed against the matrix product", async () => {
    for (const prepared of [await lenetSteps(setting, "wild", 4), await wildEpochs(setting, 0.5)]) {
      const result = await runMatch(prepared, undefined, recordedPeak([]), turns);
      expect(result.wildmark.milliseconds.length).toBeGreaterThanOrEqual(2);
      expect(result.wildmark.min).toBeGreaterThan(0);
      expect(result.wildmark.median).toBeGreaterThanOrEqual(result.wildmark.min);
      expect(result.share).toBeCloseTo(result.wildmark.gflops / result.sgemm.gflops, 10);
      expect(result).not.toHaveProperty("ratio");
    }
  });

  test("a Python that is not there is not found", async () => {
    expect(await findPython("cpu", { WILDMARK_PYTHON: "/nowhere/python" })).toBeUndefined();
  });
});

function described(result: MatchResult): string {
  const [first] = cases;
  return first === undefined ? "" : describeMatch(first, result, "cpu");
}

test("sides that do different work are told apart, and both are released", async () => {
  const log: string[] = [];
  const prepared = {
    unit: "step",
    flops: 1e9,
    torch: { kind: "inference", architecture: "", weights: "", data: "" } as const,
    wildmark: async () => recorder("wildmark", log, [2.3, 2.2]),
    agreement: "losses",
  } as const;
  const torch = {
    about: { version: "0", python: "0", threads: 1, device: "cpu", about: [] },
    load: async () => recorder("torch", log, [2.3, 2.1]),
    stop: async () => {},
  };
  const result = await runMatch(prepared, torch, recordedPeak(log), turns);
  expect(result.agreement?.sound).toBe(false);
  expect(result.ratio).toBe(1);
  expect(result.wildmark.gflops).toBe(2000);
  expect(described(result)).toContain("NOT THE SAME WORK");
  const slowed = { min: 8, median: 45, gflops: 1, share: 0, milliseconds: [] };
  expect(described({ ...result, torch: slowed })).toMatch(
    /of least times [\d.]+\n.*UNSTEADY: PyTorch's median is 5\.6/,
  );
  expect(described({ ...result, torch: { ...slowed, median: 9 } })).not.toContain("UNSTEADY");
  expect(log.slice(-2)).toEqual(["wildmark released", "torch released"]);
});

const python = await findPython("cpu");
if (python === undefined) console.warn("SKIPPED: no Python here imports torch, so both sides were not compared.");

test.skipIf(python === undefined)("PyTorch's losses and accuracies are those of Wildmark", async () => {
  const script = fileURLToPath(new URL("torch_side.py", import.meta.url));
  const torch = await startTorch(python ?? "", script, { device: "cpu", threads: 1 });
  try {
    expect(torch.about.threads).toBe(1);
    const result = await runMatch(await lenetSteps(setting, "wild", 4), torch, recordedPeak([]), turns);
    expect(result.agreement).toMatchObject({ sound: true });
    expect(result.ratio).toBeGreaterThan(0);
  } finally {
    await torch.stop();
  }
});

describe("options", () => {
  test("have defaults, and a list of cases", () => {
    expect(readOptions(["--cases", "a,f", "--no-torch"])).toMatchObject({
      cases: ["a", "f"],
      device: "cpu",
      turns: 10,
      seed: 0,
      torch: false,
    });
    expect(readOptions([])).toMatchObject({ torch: true });
    expect(readOptions(["--help"])).toBe("help");
  });

  test.each([["--cases", "g"], ["--device", "tpu"], ["--threads", "0"], ["--turns", "many"], ["--nonsense"]])(
    "%s %s is refused",
    (...words) => {
      expect(() => readOptions(words)).toThrow(expect.objectContaining({ code: "usage" }));
    },
  );
});
