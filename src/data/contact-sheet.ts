/** @file Many images as one picture, for people to look at. */

import { type Images, imageAt } from "./dataset.js";
import { pngBytes } from "./png.js";

/** More are not looked at one by one. */
export const SHEET_IMAGES = 400;
const GAP = 2;
const BETWEEN = 128;

/**
 * The first `SHEET_IMAGES` images in rows, as a PNG file: about as many columns as rows, grey lines between.
 *
 * @throws WildmarkError `bad-data` for images of other than one or three channels.
 */
export function contactSheet(images: Images): Uint8Array {
  const { channels, height, width } = images.shape;
  const count = Math.min(images.count, SHEET_IMAGES);
  const columns = Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / columns);
  const shape = { channels, height: rows * (height + GAP) + GAP, width: columns * (width + GAP) + GAP };
  const sheet = new Uint8Array(channels * shape.height * shape.width).fill(BETWEEN);
  for (let i = 0; i < count; i++) {
    const image = imageAt(images, i);
    const [top, left] = [GAP + Math.floor(i / columns) * (height + GAP), GAP + (i % columns) * (width + GAP)];
    for (let line = 0; line < channels * height; line++) {
      const [channel, y] = [Math.floor(line / height), line % height];
      const at = (channel * shape.height + top + y) * shape.width + left;
      sheet.set(image.subarray(line * width, (line + 1) * width), at);
    }
  }
  return pngBytes(sheet, shape);
}
