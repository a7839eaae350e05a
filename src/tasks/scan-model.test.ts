/** @file A scan runs what can be run, says what could not, and never fails for it. */

import { findArchitecture, newModel } from "../models/registry.js";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { float32 } from "../core/tensor.js";
import type { GraphDetector } from "../detection/detector.js";
import { familyOf } from "../detection/family.js";
import type { Finding, Level } from "../detection/finding.js";
import type { ChosenStatistic } from "../detection/statistic-method.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { tinyModel } from "../training/testing/tiny.js";
import { scanDetectors, SHIPPED, scanModel } from "./scan-model.js";

const folder = await mkdtemp(join(tmpdir(), "wildmark-scan-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const model = tinyModel({ side: 8, classes: 4 });
const facts = { title: "t", summary: "s", source: "o", blind: "b" };

function finding(detector: string, level: Level): Finding {
  const said = { what: "w", nodes: [], path: [], sure: "s", innocent: "i", advice: "a" };
  return { detector, level, ...said };
}

function reader(id: string, run: GraphDetector["run"]): GraphDetector {
  return { ...facts, id, kind: "graph", run };
}

function statistic(value: number, needs: ChosenStatistic["needs"] = "nothing"): ChosenStatistic {
  const run = async () => ({ value, target: 2, classes: [0, 0, value, 0] });
  return { ...facts, id: `value-${needs}`, kind: "statistic", needs, options: {}, run };
}

/** A baseline of twenty clean models that measured 1 to 20. */
async function baselineFile(ids: readonly string[], family = familyOf(model, { channels: 1, height: 8, width: 8 }, 4)) {
  const numbers = Array.from({ length: 20 }, (_, i) => i + 1);
  const path = join(folder, "baseline.json");
  const baseline = {
    ...{ wildmark: "baseline 1", about: "twenty models", family },
    models: numbers.map((n) => `m${n}`),
    detectors: Object.fromEntries(
      ids.map((id) => [id, { options: {}, values: numbers, classes: numbers.map((n) => [0, 0, n, 0]) }]),
    ),
  };
  await writeFile(path, JSON.stringify(baseline));
  return path;
}

/** A fully convolutional network: its file leaves the size of its images open. */
function openModel(): Model {
  const b = graphBuilder("open");
  const image = b.input("image", "float32", ["N", 3, "H", "W"]);
  const kernel = b.initializer("kernel", float32([4, 3, 1, 1], new Float32Array(12).fill(0.1)));
  const pooled = b.op("GlobalAveragePool", [b.op("Conv", [image, kernel])]);
  b.output(b.op("Flatten", [pooled]), "float32", ["N", 4]);
  return decodeModel(encodeGraph(b.build()), "open.onnx");
}

describe("what reads the graph", () => {
  test("the gravest findings come first, and each detector is told of", async () => {
    const detectors = [
      reader("a", async () => [finding("a", "note"), finding("a", "suspicious")]),
      reader("b", async () => [finding("b", "planted")]),
      reader("c", async () => []),
    ];
    const scan = await scanModel(model, { detectors });
    expect(scan.findings.map(({ level }) => level)).toEqual(["planted", "suspicious", "note"]);
    expect(scan.looked).toMatchObject([
      { detector: { id: "a" }, ran: true, findings: 2 },
      { detector: { id: "b" }, ran: true, findings: 1 },
      { detector: { id: "c" }, ran: true, findings: 0 },
    ]);
    expect(scan).toMatchObject({ shape: { channels: 1, height: 8, width: 8 }, classes: 4, notes: [] });
  });

  test("one that cannot be run is said not to have run; one that has a mistake is not hidden", async () => {
    const refusing = reader("r", async () => {
      throw new WildmarkError("bad-model", "It holds a Loop.");
    });
    const scan = await scanModel(model, { detectors: [refusing, reader("c", async () => [])] });
    expect(scan.looked).toMatchObject([{ ran: false, why: "It holds a Loop." }, { ran: true }]);
    const broken = reader("x", async () => {
      throw new TypeError("mistake");
    });
    await expect(scanModel(model, { detectors: [broken] })).rejects.toThrow(TypeError);
  });

  test("stops when it is told to", async () => {
    const controller = new AbortController();
    const stopping = reader("s", async () => {
      controller.abort();
      return [];
    });
    const scan = scanModel(model, { detectors: [stopping, stopping], signal: controller.signal });
    await expect(scan).rejects.toMatchObject({ code: "interrupted" });
  });

  test("unknown detectors are refused by name", async () => {
    await expect(scanModel(model, { detectors: ["gatse"] })).rejects.toMatchObject({
      code: "usage",
      message: 'There is no detector "gatse"; did you mean gates?',
    });
  });
});

describe("what asks whether a class stands out", () => {
  test("is not run without clean models, unless it is asked for", async () => {
    const { looked, findings } = await scanModel(model);
    const kinds = looked.filter(({ detector }) => detector.kind === "statistic");
    expect(kinds.length).toBe(scanDetectors.filter(({ kind }) => kind === "statistic").length);
    for (const look of kinds) expect(look).toMatchObject({ ran: false, why: expect.stringContaining("--baseline") });
    expect(findings.filter(({ level }) => level !== "note")).toEqual([]);
    const asked = await scanModel(model, { detectors: [statistic(7)] });
    expect(asked.findings).toMatchObject([{ level: "note", target: 2 }]);
  });

  test.each([
    [100, "suspicious"],
    [10, "note"],
  ])("a model that measures %d is ranked among clean ones: %s", async (value, level) => {
    const baseline = await baselineFile(["value-nothing"]);
    const { findings, looked } = await scanModel(model, { detectors: [statistic(value)], baseline });
    expect(findings[0]).toMatchObject({ detector: "statistics", level });
    expect(looked.map(({ detector }) => detector.id)).toEqual(["statistics", "value-nothing"]);
  });

  test("says which of them lack images, and what is no baseline is refused", async () => {
    const baseline = await baselineFile([]);
    const { looked } = await scanModel(model, { detectors: [statistic(1, "images")], baseline });
    expect(looked).toMatchObject([{ ran: false, why: expect.stringContaining("clean images") }]);
    const none = scanModel(model, { detectors: [statistic(1)], baseline: join(folder, "missing") });
    await expect(none).rejects.toMatchObject({ code: "bad-file" });
  });

  test("the clean models that come along are for their own architecture", async () => {
    const other = scanModel(model, { detectors: [statistic(1)], baseline: SHIPPED });
    await expect(other).rejects.toMatchObject({ code: "usage", hint: expect.stringContaining("LeNet-5 on MNIST") });
    const lenet = newModel(findArchitecture("lenet5"), { channels: 1, height: 28, width: 28, classes: 10 }, 0);
    const { findings } = await scanModel(lenet, { detectors: ["last-layer"], baseline: SHIPPED });
    expect(findings.map(({ sure }) => sure).join()).toMatch(/clean models \(\d+ of LeNet-5 on MNIST/);
  });
});

test("a model that could only be read is not said to have been probed", async () => {
  const b = graphBuilder("custom");
  const image = b.input("image", "float32", ["N", 3, 4, 4]);
  const kernel = b.initializer(
    "kernel",
    float32(
      [4, 3, 1, 1],
      Float32Array.from({ length: 12 }, (_, i) => i / 7),
    ),
  );
  const made = b.op("Magic", [b.op("Conv", [image, kernel])], {}, { domain: "com.acme" });
  b.output(b.op("Flatten", [b.op("GlobalAveragePool", [made])]), "float32", ["N", 4]);
  const custom = decodeModel(encodeGraph(b.build()), "custom.onnx");
  expect((await scanModel(custom)).notes).toMatchObject([expect.stringMatching(/^The model does not run/)]);
  expect((await scanModel(model)).notes).toEqual([]);
  const unprobed = await scanModel(model, { structureOnly: true });
  expect(unprobed.notes).toEqual(["The graph was read only: what its gates do was not seen."]);
});

test("what the file leaves open is assumed, and said; what takes no image is read all the same", async () => {
  const seen: unknown[] = [];
  const looking = reader("l", async ({ shape }) => {
    seen.push(shape);
    return [];
  });
  const open = await scanModel(openModel(), { detectors: [looking] });
  expect(open.notes).toMatchObject([expect.stringContaining("3×32×32 was assumed")]);
  const said = await scanModel(openModel(), { detectors: [looking], shape: { channels: 3, height: 8, width: 6 } });
  expect(said.notes).toEqual([]);
  expect(seen).toEqual([
    { channels: 3, height: 32, width: 32 },
    { channels: 3, height: 8, width: 6 },
  ]);
});
