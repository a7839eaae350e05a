import { describe, expect, it } from "vitest";
import { hashImages, type LabelledImages, makeDataset, select, validate } from "./dataset.js";

const shape = { channels: 1, height: 2, width: 2 };

function tiny(changes: Partial<LabelledImages> = {}): LabelledImages {
  return {
    shape,
    classes: 3,
    count: 2,
    images: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    labels: Uint8Array.of(2, 0),
    ...changes,
  };
}

describe("select", () => {
  it("copies images and labels in the order asked for, repeats included", () => {
    const chosen = select(tiny(), [1, 0, 1]);
    expect(chosen.count).toBe(3);
    expect([...chosen.labels]).toEqual([0, 2, 0]);
    expect([...chosen.images]).toEqual([5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("shares no memory with its source", () => {
    const source = tiny();
    const chosen = select(source, [0]);
    chosen.images[0] = 99;
    expect(source.images[0]).toBe(1);
  });

  it.each([2, -1, 0.5, Number.NaN])("refuses index %s", (index) => {
    expect(() => select(tiny(), [index])).toThrow(/0 to 1/);
  });
});

describe("validate", () => {
  it("returns a sound set unchanged", () => {
    const images = tiny();
    expect(validate(images, "x")).toBe(images);
  });

  it.each<[string, Partial<LabelledImages>, RegExp]>([
    ["an empty set", { count: 0, images: new Uint8Array(0), labels: new Uint8Array(0) }, /x: the set is empty/],
    ["a missing label", { labels: Uint8Array.of(1) }, /expected 2 labels, found 1/],
    ["missing pixels", { images: new Uint8Array(7) }, /take 8 bytes, found 7/],
    ["a label out of range", { labels: Uint8Array.of(0, 3) }, /label 1 is 3, expected one of 0 to 2/],
    ["no classes", { classes: 0 }, /classes must be a positive integer/],
    ["too many classes", { classes: 300 }, /300 classes do not fit/],
    ["a flat image", { shape: { channels: 1, height: 0, width: 2 } }, /height must be a positive integer, found 0/],
  ])("refuses %s", (_, changes, message) => {
    expect(() => validate(tiny(changes), "x")).toThrow(message);
  });
});

describe("makeDataset", () => {
  it("hashes both splits: any byte of either changes it", () => {
    const base = makeDataset({ id: "t", title: "T", train: tiny(), test: tiny() });
    const label = makeDataset({ id: "t", title: "T", train: tiny(), test: tiny({ labels: Uint8Array.of(2, 1) }) });
    expect(base.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(label.sha256).not.toBe(base.sha256);
    expect(hashImages([tiny(), tiny()])).toBe(base.sha256);
  });

  it("refuses splits that do not belong together", () => {
    expect(() => makeDataset({ id: "t", title: "T", train: tiny(), test: tiny({ classes: 4 }) })).toThrow(
      /in 3 classes, the test images 1x2x2 in 4 classes/,
    );
  });
});
