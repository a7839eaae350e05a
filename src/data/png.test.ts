import { decode } from "fast-png";
import { expect, it } from "vitest";
import { pngDataUri } from "./png.js";

function decoded(uri: string) {
  expect(uri).toMatch(/^data:image\/png;base64,[A-Za-z0-9+/=]+$/);
  return decode(Buffer.from(uri.slice(uri.indexOf(",") + 1), "base64"));
}

it("round-trips grey", () => {
  const pixels = Uint8Array.of(0, 50, 100, 150, 200, 255);
  const png = decoded(pngDataUri(pixels, { channels: 1, height: 2, width: 3 }));
  expect([png.width, png.height, png.channels]).toEqual([3, 2, 1]);
  expect([...png.data]).toEqual([...pixels]);
});

it("turns planes into pixels for colour", () => {
  const png = decoded(pngDataUri(Uint8Array.of(1, 2, 11, 12, 21, 22), { channels: 3, height: 1, width: 2 }));
  expect(png.channels).toBe(3);
  expect([...png.data]).toEqual([1, 11, 21, 2, 12, 22]);
});

it.each([
  [2, 8],
  [1, 5],
])("refuses %i channels of %i bytes for 2x2", (channels, length) => {
  expect(() => pngDataUri(new Uint8Array(length), { channels, height: 2, width: 2 })).toThrow(/1 or 3 channels/);
});
