import { decode } from "fast-png";
import { expect, it } from "vitest";
import { plainPixels, pngBytes, pngDataUri } from "./png.js";

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

it.each([1, 3])("reads back what it wrote of %i channels, and nothing that could be read in two ways", (channels) => {
  const shape = { channels, height: 2, width: 3 };
  const pixels = Uint8Array.from({ length: 6 * channels }, (_, i) => 7 * i);
  const png = Buffer.from(pngBytes(pixels, shape));
  expect(plainPixels(png, shape)).toEqual(pixels);
  expect(plainPixels(png, { ...shape, height: 3, width: 2 })).toBeUndefined();
  expect(plainPixels(png, { ...shape, channels: 4 - channels })).toBeUndefined();
  const end = png.length - 12;
  const chunk = (type: string): Buffer => Buffer.concat([Buffer.alloc(4), Buffer.from(type), Buffer.alloc(4)]);
  for (const changed of [
    Buffer.alloc(0),
    png.subarray(0, end),
    Buffer.concat([png, Buffer.from("more")]),
    // Transparency, a profile, a second header: before the pixels and behind them.
    ...["tRNS", "iCCP", "IHDR", "gAMA"].flatMap((type) => [
      Buffer.concat([png.subarray(0, 33), chunk(type), png.subarray(33)]),
      Buffer.concat([png.subarray(0, end), chunk(type), png.subarray(end)]),
    ]),
  ]) {
    expect(plainPixels(changed, shape)).toBeUndefined();
  }
  const damaged = Buffer.from(png);
  damaged.writeUInt8((damaged.at(45) ?? 0) ^ 0xff, 45);
  expect(plainPixels(damaged, shape)).toBeUndefined();
});
