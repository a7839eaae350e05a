/**
 * @file Commitments against their formulas, that they open to one key and one salt only, and triggers that are opened
 * singly.
 */

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { tinyImages } from "../training/testing/tiny.js";
import { commitToKey, requireCommitment } from "./commitment.js";
import { NO_MODEL } from "./key.js";
import { decodeKey, encodeKey } from "./key-file.js";
import { makeKeyElsewhere } from "./key-elsewhere.js";
import { openedEvidence, openTriggers, requireOpened } from "./opened-triggers.js";

const CLASSES = 4;
const triggers = tinyImages(5, { classes: CLASSES });
const secret = new Uint8Array(32).fill(1);
const salt = Uint8Array.from({ length: 32 }, (_, i) => i);
const saltHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const chosen = encodeKey(makeKeyElsewhere({ triggers, labels: triggers.labels, classes: CLASSES }));
const drawn = encodeKey(makeKeyElsewhere({ triggers, classes: CLASSES, secret }));
/** The same drawn key but for what nothing follows from. */
const other = encodeKey(makeKeyElsewhere({ triggers, classes: CLASSES, secret, modelSha256: "1".repeat(64) }));

test("of a chosen key: SHA-256 of domain, salt and file", () => {
  const expected = createHash("sha256").update("wildmark key commitment 1\n").update(salt).update(chosen).digest("hex");
  expect(commitToKey(chosen, salt)).toEqual({ commitment: expected, salt: saltHex });
});

describe.each([
  ["chosen", chosen],
  ["drawn", drawn],
])("a commitment to a %s key", (_, key) => {
  const known = commitToKey(key, salt);

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
    expect(() => requireCommitment(other, known, "a.key")).toThrow(/a\.key is not the key that was committed to/);
    expect(() => requireCommitment(key, { ...known, salt: "0".repeat(64) }, "a.key")).toThrow(/not the key/);
    expect(() => requireCommitment(Uint8Array.of(1, 2, 3), known, "a.key")).toThrow(/a\.key/);
  });

  test.each(["", "12", "g".repeat(64), "0".repeat(63)])("refuses %j as a commitment and as a salt", (text) => {
    expect(() => requireCommitment(key, { ...known, commitment: text }, "key")).toThrow(/commitment is 64/);
    expect(() => requireCommitment(key, { ...known, salt: text }, "key")).toThrow(/salt is 64/);
    expect(() => commitToKey(key, new Uint8Array(31))).toThrow(/32 bytes/);
  });
});

test("covers what no label follows from: the model's hash", () => {
  expect(decodeKey(other, "x").triggers).toEqual(decodeKey(drawn, "x").triggers);
  expect(decodeKey(drawn, "x").modelSha256).toBe(NO_MODEL);
  expect(commitToKey(other, salt).commitment).not.toBe(commitToKey(drawn, salt).commitment);
});

describe("opened triggers", () => {
  const { commitment } = commitToKey(drawn, salt);
  const document = openTriggers(drawn, [0, 3], saltHex, "a.key");
  const text = JSON.stringify(document);

  test("are the key's, and show nothing of the others or of the secret", () => {
    const key = decodeKey(drawn, "x");
    const opened = requireOpened(text, commitment, "opened.json");
    expect(opened).toMatchObject({ commitment, triggers: 5, classes: CLASSES, indices: [0, 3] });
    expect([...opened.labels]).toEqual([key.triggers.labels[0], key.triggers.labels[3]]);
    expect(text).not.toContain(Buffer.from(secret).toString("hex"));
    const hidden = Buffer.from(key.triggers.images.subarray(64, 128)).toString("base64");
    expect(text).not.toContain(hidden);
    expect(text).toContain(Buffer.from(key.triggers.images.subarray(0, 64)).toString("base64"));
  });

  test("all of them open, one by one", () => {
    for (let i = 0; i < 5; i++) {
      const alone = JSON.stringify(openTriggers(drawn, [i], saltHex, "a.key"));
      expect(requireOpened(alone, commitment, "x").indices).toEqual([i]);
    }
  });

  const [first] = document.opened;
  if (first === undefined) throw new Error("nothing opened");
  const second = document.opened.slice(1);
  const image = Buffer.from(first.image, "base64");
  test.each<readonly [string, object, RegExp]>([
    [
      "another label",
      { opened: [{ ...first, label: (first.label + 1) % CLASSES }, ...second] },
      /trigger 0 is not what/,
    ],
    ["another place", { opened: [{ ...first, index: 1 }, ...second] }, /trigger 1 is not what/],
    ["a place beyond", { opened: [{ ...first, index: 5 }, ...second] }, /is none of 5/],
    ["another nonce", { opened: [{ ...first, nonce: "0".repeat(64) }] }, /not what/],
    ["a shorter path", { opened: [{ ...first, path: first.path.slice(1) }] }, /not what/],
    [
      "another pixel",
      { opened: [{ ...first, image: Buffer.from(image.map((v) => v ^ 1)).toString("base64") }] },
      /not what/,
    ],
    ["a pixel less", { opened: [{ ...first, image: image.subarray(1).toString("base64") }] }, /63 pixels, expected 64/],
    ["one twice", { opened: [first, first] }, /there twice/],
    ["fewer triggers than there are", { triggers: 4 }, /not what/],
    ["fewer classes", { classes: 3 }, /not what|has the label/],
    ["another form", { shape: [1, 4, 16] }, /not what/],
    ["another salt", { salt: "0".repeat(64) }, /not what/],
    ["a label beyond", { opened: [{ ...first, label: CLASSES }] }, /has the label 4/],
    ["nothing opened", { opened: [] }, /opened/],
    ["something beside", { owner: "me" }, /owner/],
  ])("refused: %s", (_, change, reason) => {
    expect(() => requireOpened(JSON.stringify({ ...document, ...change }), commitment, "o.json")).toThrow(reason);
  });

  test("are refused against another commitment, and for what is no such document", () => {
    // What the document says of the commitment is not what was published.
    expect(() => requireOpened(text, "0".repeat(64), "o.json")).toThrow(/not what was committed to with 0000/);
    expect(() => requireOpened(text, "12", "o.json")).toThrow(/64 hexadecimal/);
    expect(() => requireOpened("{", commitment, "o.json")).toThrow(/no JSON/);
  });

  test("can only be had of a drawn key, each once, by its own salt", () => {
    expect(() => openTriggers(chosen, [0], saltHex, "a.key")).toThrow(/a\.key: .* drawn from a secret/);
    for (const wrong of [[], [5], [-1], [0.5], [1, 1]]) {
      expect(() => openTriggers(drawn, wrong, saltHex, "a.key")).toThrow(/triggers 0 to 4, each once/);
    }
    const byAnother = JSON.stringify(openTriggers(drawn, [0], "0".repeat(64), "a.key"));
    expect(() => requireOpened(byAnother, commitment, "o.json")).toThrow(/not what/);
  });

  test("count closed triggers as misses, unless the judge chose which are opened", () => {
    const opened = requireOpened(text, commitment, "o.json");
    const evidence = openedEvidence(opened, opened.labels);
    // Binomial: two of two at 1/3, and at least two of five.
    expect(evidence).toMatchObject({ matches: 2, opened: 2, triggers: 5, chance: 1 / 3 });
    expect(evidence.pValueIfJudgeChose).toBeCloseTo(1 / 9, 12);
    expect(evidence.pValueIfOwnerChose).toBeCloseTo(1 - 32 / 243 - 80 / 243, 12);
    expect(openedEvidence(opened, [-1, -1])).toMatchObject({ matches: 0, pValueIfJudgeChose: 1 });
  });
});
