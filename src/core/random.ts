/**
 * @file Seeded random streams, each with a name.
 *
 * One seed gives any number of independent streams ("augment", "shuffle", "init", …), so that one more draw in one
 * place changes nothing elsewhere. A stream is xoshiro128** (Blackman & Vigna 2018) whose 128 bits of state are the
 * head of a SHA-256 over seed and name: the state loses none of the seed, so a key drawn from a secret seed is as hard
 * to guess as the seed. Same seed and name: same numbers on every machine (integer arithmetic only; `normal` uses
 * Math.log, Math.cos and Math.sin, whose last bit may differ between JavaScript engines).
 */

import { createHash, randomInt } from "node:crypto";

export interface RandomStream {
  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(): number;
  /** Uniform integer in [0, n), n up to 2^32, without modulo bias. */
  below(n: number): number;
  /** Standard normal (Box-Muller, both values used). */
  normal(): number;
  /** A stream of its own below this one, named; draws nothing from this one. */
  stream(name: string | number): RandomStream;
}

/** The root stream of a seed. Seeds may be any safe integer. */
export function randomStream(seed: number, ...names: readonly (string | number)[]): RandomStream {
  return namedStream([String(seed), ...names.map(String)].join("/"));
}

/**
 * The root stream of a secret: as `randomStream`, from bytes that nobody can try out one after the other.
 *
 * @param secret 32 bytes.
 */
export function secretStream(secret: Uint8Array, ...names: readonly (string | number)[]): RandomStream {
  return namedStream(["secret", Buffer.from(secret).toString("hex"), ...names.map(String)].join("/"));
}

function namedStream(path: string): RandomStream {
  const digest = createHash("sha256").update(path).digest();
  let a = digest.readInt32LE(0);
  let b = digest.readInt32LE(4);
  let c = digest.readInt32LE(8);
  let d = digest.readInt32LE(12);

  const bits = (): number => {
    const scaled = Math.imul(b, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  const uniform = (): number => bits() * 2 ** -32;

  let spare: number | undefined;
  return {
    uniform,
    below(n) {
      const limit = 2 ** 32 - (2 ** 32 % n);
      for (;;) {
        const draw = bits();
        if (draw < limit) return draw % n;
      }
    },
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    stream: (name) => namedStream(`${path}/${name}`),
  };
}

/** Shuffles in place (Fisher-Yates) and returns its argument. */
export function shuffle<T extends { length: number; [index: number]: number }>(items: T, random: RandomStream): T {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const swap = items[i] as number;
    items[i] = items[j] as number;
    items[j] = swap;
  }
  return items;
}

/** 0 … n−1 in random order. */
export function permutation(n: number, random: RandomStream): Uint32Array {
  return shuffle(
    Uint32Array.from({ length: n }, (_, i) => i),
    random,
  );
}

/**
 * A seed that nobody can guess, for what must stay secret: whoever knows the seed of a key and the data has the key.
 */
export function secretSeed(): number {
  return randomInt(2 ** 48 - 1);
}
