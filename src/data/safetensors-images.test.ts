import { expect, test } from "vitest";
import { encodeSafetensors } from "../core/safetensors.js";
import type { Tensor } from "../core/tensor.js";
import { decodeSafetensorsImages } from "./safetensors-images.js";
import { abuse } from "./testing/abuse.js";

const images: Tensor = { type: "uint8", dims: [2, 2, 1, 3], data: Uint8Array.from({ length: 12 }, (_, i) => i) };
const labels: Tensor = { type: "int64", dims: [2], data: BigInt64Array.of(0n, 7n) };
const file = (tensors: Record<string, Tensor>): Uint8Array =>
  encodeSafetensors({ metadata: new Map(), tensors: new Map(Object.entries(tensors)) });

test("images and labels, and a test split beside them", () => {
  const one = decodeSafetensorsImages(file({ images, labels }), "x");
  expect([one.classes, one.train.shape, one.test]).toEqual([8, { channels: 3, height: 2, width: 1 }, undefined]);
  expect([...one.train.images]).toEqual([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
  const both = { "train.images": images, "train.labels": labels, "test.images": images, "test.labels": labels };
  const two = decodeSafetensorsImages(file(both), "x");
  expect([...(two.test?.labels ?? [])]).toEqual([0, 7]);
});

test("half-precision images are refused by name", () => {
  const half: Tensor = { type: "float16", dims: [2, 1, 1], data: new Uint16Array(2) };
  expect(() => decodeSafetensorsImages(file({ images: half, labels }), "x.safetensors")).toThrow(
    /x\.safetensors: images: expected integers, float32 or float64, found float16/,
  );
});

test("bears damage", async () => {
  const good = file({ images, labels });
  await abuse(good, (bytes) => decodeSafetensorsImages(bytes, "x").train.images.length, good.length);
});
