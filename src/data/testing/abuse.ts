/** @file What every decoder must bear: files cut short and files with bits flipped. */

import fc from "fast-check";
import { expect } from "vitest";
import { WildmarkError } from "../../core/errors.js";

/**
 * Cuts and flips `good` in many ways; each must be decoded or refused with a WildmarkError, in bounded time.
 *
 * @param decode decodes and returns how many bytes the result takes; must not exceed `maxBytes`.
 */
export async function abuse(
  good: Uint8Array,
  decode: (bytes: Uint8Array) => number | Promise<number>,
  maxBytes: number,
): Promise<void> {
  const attempt = async (bytes: Uint8Array): Promise<void> => {
    try {
      expect(await decode(bytes)).toBeLessThanOrEqual(maxBytes);
    } catch (error) {
      if (!(error instanceof WildmarkError)) throw error;
      expect(error.message).not.toContain("\n");
    }
  };
  const flips = fc.array(fc.nat(good.length * 8 - 1), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(flips, async (bits) => {
      const bytes = good.slice();
      for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await attempt(bytes);
    }),
    { numRuns: 500, seed: 1 },
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), (length) => attempt(good.slice(0, length))),
    { numRuns: 200, seed: 2 },
  );
}
