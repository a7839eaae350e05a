/** @file Which readings are thought of, in which order, and that each is said and asked as it is meant. */

import { expect, test } from "vitest";
import { thirtyPreprocessings } from "../data/testing/wrapped.js";
import { tinyModel } from "../training/testing/tiny.js";
import { type Model, withMetadata, withPreprocessing } from "./model.js";
import { METADATA_KEY, resolvePreprocessing } from "./preprocessing.js";
import { pixelScaling, plausibleReadings, readAs, readingFlags, sameReading, voucherOf } from "./readings.js";

const grey = { channels: 1, height: 8, width: 8 };
const colour = { channels: 3, height: 8, width: 8 };
const digits = { mean: [0.1307], std: [0.3081], overall: { mean: 0.1307, std: 0.3081 } };

function dimsAre(model: Model, dims: readonly (number | undefined)[]): Model {
  const [input] = model.graph.inputs;
  if (input === undefined) throw new Error("the model has no input");
  return { ...model, graph: { ...model.graph, inputs: [{ ...input, dims: ["N", ...dims] }] } };
}

test("what is assumed comes first, and no reading twice", () => {
  const readings = plausibleReadings(tinyModel(), grey, { statistics: digits });
  expect(readings[0]).toMatchObject({ name: "as assumed", layout: "NCHW", range: [0, 1], mean: [0], std: [1] });
  const names = readings.map(({ name }) => name);
  expect(names.slice(1, 3)).toEqual(["0 to 255", "-1 to 1"]);
  expect(names).toContain("MNIST's mean and deviation");
  expect(new Set(names).size).toBe(names.length);
  // -1 to 1 is 0.5 and 0.5, and these digits' own statistics are MNIST's.
  expect(names).not.toContain("mean and deviation 0.5");
  expect(names).not.toContain("the data's own mean and deviation");
  for (const [i, reading] of readings.entries()) {
    expect(readings.slice(i + 1).filter((other) => sameReading(reading, other, grey))).toEqual([]);
  }
});

test("colours come in both orders, each with its means where the channels stand", () => {
  const readings = plausibleReadings(tinyModel({ channels: 3 }), colour);
  expect(readings.map(({ name }) => name)).not.toContain("MNIST's mean and deviation");
  const found = readings.find(({ name }) => name === "ImageNet's mean and deviation, BGR");
  expect(found).toMatchObject({ channelOrder: "BGR", mean: [0.406, 0.456, 0.485], std: [0.225, 0.224, 0.229] });
  expect(readings.map(({ name }) => name)).toContain("ImageNet's mean taken off, in units of 255, BGR");
});

test("every layout that fits the input is tried, those that do not are not", () => {
  const layoutsOf = (model: Model, shape = colour) => [
    ...new Set(plausibleReadings(model, shape).map((r) => r.layout)),
  ];
  expect(layoutsOf(tinyModel({ channels: 3 }))).toEqual(["NCHW"]);
  expect(layoutsOf(dimsAre(tinyModel(), [192]))).toEqual(["flat", "flat-NHWC"]);
  expect(layoutsOf(dimsAre(tinyModel(), [undefined, undefined, undefined]))).toEqual(["NCHW", "NHWC"]);
  // Rows of grey pixels have one order.
  expect(layoutsOf(dimsAre(tinyModel(), [64]), grey)).toEqual(["flat"]);
});

test("flags fix their fields; a sidecar and the file are one voice among others", () => {
  const flagged = withPreprocessing(tinyModel(), { from: "--range", says: { range: [0, 255] } });
  const kept = plausibleReadings(flagged, grey);
  expect(kept[0]).toMatchObject({ name: "as said", range: [0, 255] });
  expect(kept.every(({ range }) => range[0] === 0 && range[1] === 255)).toBe(true);
  // The same readings in units of the range that was said: 33.3 and 78.6 of 255.
  const mnist = kept.find(({ name }) => name.endsWith("MNIST's mean and deviation") && !name.includes("Fashion"));
  expect(mnist?.mean[0]).toBeCloseTo(33.33, 1);
  expect(mnist?.std[0]).toBeCloseTo(78.57, 1);

  const all = plausibleReadings(flagged, grey, { againstFlags: true });
  expect(all.length).toBeGreaterThan(kept.length);
  expect(all.find(({ name }) => name === "1 to 0")).toMatchObject({ range: [1, 0], against: ["range"] });
  // Of two forms of one reading, the one that keeps to what was said.
  expect(all.find(({ mean }) => mean[0] === 127.5)).toMatchObject({ range: [0, 255], std: [127.5], against: [] });

  const sidecar = withPreprocessing(tinyModel(), { from: "m.wildmark.json", says: { range: [0, 255] } });
  expect(plausibleReadings(sidecar, grey).find(({ range }) => range[1] === 1)?.against).toEqual(["range"]);
});

test("a file that says black is white is not believed alone", () => {
  const lying = withMetadata(tinyModel(), new Map([[METADATA_KEY, '{"range": [1, 0]}']]));
  const told = { ...lying, preprocessing: [{ from: "metadata", says: { range: [1, 0] as const } }] };
  const readings = plausibleReadings(told, grey);
  expect(readings[0]).toMatchObject({ name: "as said", range: [1, 0] });
  expect(readings.slice(1).find(({ name }) => name === "0 to 1")).toMatchObject({ range: [0, 1], against: [] });
});

test("what is said of the mean stands beside other ranges and deviations", () => {
  const model = withPreprocessing(tinyModel(), { from: "--mean", says: { mean: [0.2] } });
  const readings = plausibleReadings(model, grey);
  expect(readings.every(({ mean }) => mean[0] === 0.2)).toBe(true);
  expect(readings.map(({ range }) => String(range))).toContain("0,255");
  expect(readings.some(({ std }) => std[0] === 0.3081)).toBe(true);
});

test("a mean for another number of channels is no reading", () => {
  const model = withPreprocessing(tinyModel(), { from: "metadata", says: { mean: [0.1, 0.2, 0.3] } });
  const [, ...others] = plausibleReadings(model, grey);
  expect(others.every((reading) => pixelScaling(reading, 1) !== undefined)).toBe(true);
});

test("a model is asked as a reading says, whatever it says itself", () => {
  const said = withPreprocessing(tinyModel(), { from: "--range", says: { range: [0, 255], channelOrder: "BGR" } });
  const [reading] = plausibleReadings(tinyModel(), grey);
  const { from: _, ...resolved } = resolvePreprocessing(readAs(said, reading).preprocessing, ["N", 1, 8, 8], grey);
  expect(resolved).toEqual({ layout: "NCHW", range: [0, 1], mean: [0], std: [1], channelOrder: "RGB" });
});

test("flags say what differs, as they are typed", () => {
  const [used] = plausibleReadings(tinyModel({ channels: 3 }), colour);
  const other = { ...used, range: [-1, 1] as const, std: [0.5, 0.25, 0.5], channelOrder: "BGR" as const };
  expect(readingFlags(other, used)).toBe("--range=-1,1 --std 0.5,0.25,0.5 --channel-order BGR");
  expect(readingFlags(used, used)).toBe("");
  // One number for all channels is what three equal ones are.
  expect(readingFlags({ ...used, std: [1, 1, 1] }, used)).toBe("");
});

test.each([
  ["assumed", "nobody"],
  ["metadata", "file"],
  ["m.wildmark.json", "sidecar"],
  ["--mean", "flag"],
  ["preprocessing", "flag"],
])("%s is vouched for by: %s", (from, voucher) => {
  expect(voucherOf(from)).toBe(voucher);
});

test("all thirty preprocessings of the benchmark are thought of", () => {
  const cifar = {
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.247, 0.2435, 0.2616],
    overall: { mean: 0.4734, std: 0.2516 },
  };
  for (const [shape, statistics] of [
    [grey, digits],
    [colour, cifar],
  ] as const) {
    const wanted = thirtyPreprocessings(shape);
    expect(new Set(wanted.map((one) => JSON.stringify(one))).size).toBe(30);
    for (const one of wanted) {
      const flat = one.layout.startsWith("flat");
      const { channels, height, width } = shape;
      const last = one.layout === "NHWC" ? [height, width, channels] : [channels, height, width];
      const model = dimsAre(tinyModel({ channels }), flat ? [channels * height * width] : last);
      const [assumed, ...others] = plausibleReadings(model, shape, { statistics });
      expect(sameReading(assumed, one, shape), JSON.stringify(one)).toBe(false);
      expect(
        others.filter((other) => sameReading(other, one, shape)),
        JSON.stringify(one),
      ).not.toEqual([]);
    }
  }
});
