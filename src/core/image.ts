/** @file The shape of an image: what data have and models take. */

/** The shape of one image: grey has one channel, colour three. */
export interface ImageShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** "3×32×32": how messages write a shape. */
export function describeShape({ channels, height, width }: ImageShape): string {
  return `${channels}×${height}×${width}`;
}
