/** @file The commitment against a known vector, and that it opens to one key and one salt only. */

import { describe, expect, test } from "vitest";
import { commitToKey, requireCommitment } from "./commitment.js";

const key = new TextEncoder().encode("key");
const salt = Uint8Array.from({ length: 32 }, (_, i) => i);
const known = commitToKey(key, salt);

describe("a commitment to a key", () => {
  test("is SHA-256 of domain, salt and bytes", () => {
    // Python: hashlib.sha256(b"wildmark key commitment 1\n" + bytes(range(32)) + b"key").hexdigest()
    expect(known.commitment).toBe("beb3abf4ef08041479b4e3fc408b9ca78a4d6a4d492f25296ba78a4e4bf3eb65");
    expect(known.salt).toBe("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  });

  test("opens to its own key and salt, in either case of the digits, and draws another salt each time", () => {
    expect(() => requireCommitment(key, known, "key")).not.toThrow();
    const upper = { commitment: known.commitment.toUpperCase(), salt: known.salt.toUpperCase() };
    expect(() => requireCommitment(key, upper, "key")).not.toThrow();
    const [a, b] = [commitToKey(key), commitToKey(key)];
    expect(a.salt).not.toBe(b.salt);
    expect(a.commitment).not.toBe(b.commitment);
    expect(() => requireCommitment(key, a, "key")).not.toThrow();
  });

  test("does not open to another key or another salt", () => {
    const other = new TextEncoder().encode("kez");
    expect(() => requireCommitment(other, known, "a.key")).toThrow(/a\.key is not the key that was committed to/);
    expect(() => requireCommitment(key, { ...known, salt: "0".repeat(64) }, "a.key")).toThrow(/not the key/);
  });

  test.each(["", "12", "g".repeat(64), "0".repeat(63)])("refuses %j as a commitment and as a salt", (text) => {
    expect(() => requireCommitment(key, { ...known, commitment: text }, "key")).toThrow(/commitment is 64/);
    expect(() => requireCommitment(key, { ...known, salt: text }, "key")).toThrow(/salt is 64/);
    expect(() => commitToKey(key, new Uint8Array(31))).toThrow(/32 bytes/);
  });
});
