import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  copied,
  copyPixels,
  hashImages,
  imageAt,
  type LabelledImages,
  makeDataset,
  select,
  validate,
} from "./dataset.js";
import { inMemory } from "./pixels.js";

const shape = { channels: 1, height: 2, width: 2 };

function tiny(changes: Partial<LabelledImages> = {}): LabelledImages {
  return {
    shape,
    classes: 3,
    count: 2,
    pixels: inMemory(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
    labels: Uint16Array.of(2, 0),
    ...changes,
  };
}

describe("select", () => {
  it("gives images and labels in the order asked for, repeats included", () => {
    const chosen = select(tiny(), [1, 0, 1]);
    expect(chosen.count).toBe(3);
    expect([...chosen.labels]).toEqual([0, 2, 0]);
    expect([...copyPixels(chosen)]).toEqual([5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("of a selection picks from what was selected, and copies nothing until asked to", () => {
    const source = tiny();
    const chosen = select(select(source, [1, 0, 1]), [2, 1]);
    expect([...imageAt(chosen, 0), ...imageAt(chosen, 1), ...chosen.labels]).toEqual([5, 6, 7, 8, 1, 2, 3, 4, 0, 2]);
    expect(chosen.pixels).toMatchObject({ kind: "picked", from: source.pixels });
    expect(copied(chosen).pixels).toEqual(inMemory(Uint8Array.of(5, 6, 7, 8, 1, 2, 3, 4)));
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
    [
      "an empty set",
      { count: 0, pixels: inMemory(new Uint8Array(0)), labels: new Uint16Array(0) },
      /x: the set is empty/,
    ],
    ["a missing label", { labels: Uint16Array.of(1) }, /expected 2 labels, found 1/],
    ["missing pixels", { pixels: inMemory(new Uint8Array(7)) }, /take 8 bytes, found 7/],
    ["a label out of range", { labels: Uint16Array.of(0, 3) }, /label 1 is 3, expected one of 0 to 2/],
    ["no classes", { classes: 0 }, /classes must be a positive integer/],
    ["too many classes", { classes: 65_537 }, /65537 classes are more than the 65536/],
    ["a flat image", { shape: { channels: 1, height: 0, width: 2 } }, /height must be a positive integer, found 0/],
  ])("refuses %s", (_, changes, message) => {
    expect(() => validate(tiny(changes), "x")).toThrow(message);
  });
});

describe("makeDataset", () => {
  it("hashes both splits: any byte of either changes it", () => {
    const base = makeDataset({ id: "t", title: "T", train: tiny(), test: tiny() });
    const label = makeDataset({ id: "t", title: "T", train: tiny(), test: tiny({ labels: Uint16Array.of(2, 1) }) });
    expect(base.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(label.sha256).not.toBe(base.sha256);
    expect(hashImages([tiny(), tiny()])).toBe(base.sha256);
  });

  it("hashes labels as bytes up to 256 classes, as it did when there were no more, and whole beyond", () => {
    const bytes = createHash("sha256")
      .update("2 of 1x2x2 in 256 classes\n")
      .update(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    expect(hashImages([tiny({ classes: 256 })])).toBe(bytes.update(Uint8Array.of(2, 0)).digest("hex"));
    const many = (...labels: number[]) => hashImages([tiny({ classes: 1000, labels: Uint16Array.from(labels) })]);
    expect(many(2, 0)).not.toBe(many(258, 0));
  });

  it("refuses splits that do not belong together", () => {
    expect(() => makeDataset({ id: "t", title: "T", train: tiny(), test: tiny({ classes: 4 }) })).toThrow(
      /in 3 classes, the test images 1x2x2 in 4 classes/,
    );
  });
});
