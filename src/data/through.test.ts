import sharp from "sharp";
import { expect, test } from "vitest";
import { copyPixels, type Images, imageAt, selectImages } from "./dataset.js";
import { renderDigits } from "./digits.js";
import { inMemory } from "./pixels.js";
import { throughChain } from "./through.js";

const digits = renderDigits("test", 6, 0);

/** A colour image of 4×6 with a gradient a channel. */
const colour: Images = {
  shape: { channels: 3, height: 4, width: 6 },
  count: 1,
  pixels: inMemory(Uint8Array.from({ length: 72 }, (_, i) => (i * 37) % 256)),
};

async function bytes(chain: string, images: Images, seed = 0): Promise<number[]> {
  return [...copyPixels(await throughChain(chain, { seed })(images))];
}

test("png changes nothing; flip twice changes nothing, once turns the rows around", async () => {
  for (const images of [digits, colour]) {
    const original = [...copyPixels(images)];
    expect(await bytes("png", images)).toEqual(original);
    expect(await bytes("flip,flip", images)).toEqual(original);
    const { width } = images.shape;
    const rows = Array.from({ length: original.length / width }, (_, i) => original.slice(i * width, (i + 1) * width));
    expect(await bytes("flip", images)).toEqual(rows.flatMap((row) => row.toReversed()));
  }
});

test("jpeg does what sharp's own encoder and decoder do, in grey and in colour", async () => {
  const grey = selectImages(digits, [0]);
  const { height, width } = grey.shape;
  const file = await sharp(Uint8Array.from(imageAt(grey, 0)), { raw: { width, height, channels: 1 } })
    .jpeg({ quality: 40 })
    .toBuffer();
  const back = await sharp(file).toColourspace("b-w").raw().toBuffer();
  expect(await bytes("jpeg:40", grey)).toEqual([...back]);
  const changed = await bytes("jpeg:40", colour);
  expect(changed).not.toEqual([...copyPixels(colour)]);
  // The mean of each channel survives compression roughly; channels mixed up would be tens of levels apart.
  const red: Images = { ...colour, pixels: inMemory(Uint8Array.from({ length: 72 }, (_, i) => (i < 24 ? 220 : 20))) };
  const [r, g] = [(await bytes("jpeg:90", red)).slice(0, 24), (await bytes("jpeg:90", red)).slice(24, 48)];
  expect(Math.min(...r)).toBeGreaterThan(190);
  expect(Math.max(...g)).toBeLessThan(50);
});

test("images leave in the size they came in, and a detour through another size keeps what they show", async () => {
  for (const chain of ["resize:56", "resize:14x20", "crop:20", "crop:20x24,jpeg:90", "resize:224,jpeg:75"]) {
    const out = await throughChain(chain)(digits);
    expect(out.shape).toEqual(digits.shape);
    expect(out.count).toBe(digits.count);
  }
  const there = await bytes("resize:56", digits);
  const original = copyPixels(digits);
  const error = there.reduce((sum, value, i) => sum + Math.abs(value - (original[i] ?? 0)), 0) / there.length;
  expect(error).toBeLessThan(8); // of 255 levels: twice the size and back loses little
});

test("noise has the deviation asked for, follows the seed, and does not depend on the images beside", async () => {
  const flat: Images = { ...digits, pixels: inMemory(new Uint8Array(digits.count * 784).fill(128)) };
  const noisy = (await bytes("noise:0.1", flat)).slice(0, 784);
  const deviation = Math.sqrt(noisy.reduce((sum, value) => sum + (value - 128) ** 2, 0) / noisy.length);
  expect(deviation).toBeGreaterThan(25.5 * 0.9); // a standard error of 2.5 % over 784 pixels
  expect(deviation).toBeLessThan(25.5 * 1.1);
  expect(await bytes("noise:0.1", digits, 1)).not.toEqual(await bytes("noise:0.1", digits, 0));
  const alone = await bytes("noise:0.1", selectImages(digits, [3]));
  expect((await bytes("noise:0.1", digits)).slice(3 * 784, 4 * 784)).toEqual(alone);
});

test("quantise leaves so many levels; blur takes contrast", async () => {
  expect(new Set(await bytes("quantise:2", digits))).toEqual(new Set([0, 255]));
  expect(await bytes("quantise:256", digits)).toEqual([...copyPixels(digits)]);
  const spread = (values: readonly number[]): number => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  };
  expect(spread(await bytes("blur:2", digits))).toBeLessThan(spread([...copyPixels(digits)]));
});

test.each([
  ["jpeg", "expected jpeg:QUALITY (1 to 100)"],
  ["jpeg:0", '"jpeg:0" is no step'],
  ["jpeg:75,,png", 'there is no step ""'],
  ["gamma:2", 'there is no step "gamma:2"'],
  ["resize:0", "resize:N"],
  ["flip:1", "flip (left to right)"],
  ["noise:x", "noise:SIGMA"],
])("%s is refused", (chain, message) => {
  expect(() => throughChain(chain)).toThrow(message);
});

test("a crop larger than the image, and images that are no pictures, are refused", async () => {
  await expect(throughChain("crop:29")(digits)).rejects.toThrow("cannot cut 29x29 out of an image of 28x28");
  const strange: Images = {
    shape: { channels: 2, height: 1, width: 1 },
    count: 1,
    pixels: inMemory(Uint8Array.of(1, 2)),
  };
  await expect(throughChain("png")(strange)).rejects.toThrow("found 2 channels");
});
