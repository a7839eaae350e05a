/** @file The sheet holds each image where it should be, planes apart. */

import { decode } from "fast-png";
import { expect, test } from "vitest";
import { contactSheet } from "./contact-sheet.js";
import { inMemory } from "./pixels.js";

test("five colour images stand in three columns with lines between", () => {
  const shape = { channels: 3, height: 2, width: 3 };
  const pixels = Uint8Array.from({ length: 5 * 18 }, (_, at) => 10 * Math.floor(at / 18) + Math.floor((at % 18) / 6));
  const { width, height, channels, data } = decode(contactSheet({ shape, count: 5, pixels: inMemory(pixels) }));
  expect([width, height, channels]).toEqual([3 * 5 + 2, 2 * 4 + 2, 3]);
  const at = (x: number, y: number): number[] => [...data.slice((y * width + x) * 3, (y * width + x) * 3 + 3)];
  expect(at(0, 0)).toEqual([128, 128, 128]);
  expect(at(2, 2)).toEqual([0, 1, 2]);
  expect(at(4, 3)).toEqual([0, 1, 2]);
  expect(at(5, 3)).toEqual([128, 128, 128]);
  expect(at(7, 2)).toEqual([10, 11, 12]);
  expect(at(7, 6)).toEqual([40, 41, 42]);
  expect(at(12, 6)).toEqual([128, 128, 128]);
});
