/**
 * @file docs/key-format.md, followed by hand: from the bytes of a key's file, with node:crypto alone and none of
 * Wildmark's code, the labels, coins and commitments that the page says follow from the secret.
 */

import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { secretOfSeed } from "../src/ownership/binding.js";
import { commitToKey } from "../src/ownership/commitment.js";
import { type BaseData, drawTriggers } from "../src/ownership/draw-key.js";
import { encodeKey } from "../src/ownership/key-file.js";
import { makeKeyElsewhere } from "../src/ownership/key-elsewhere.js";
import { makeKey } from "../src/ownership/make-key.js";
import { tinyImages } from "../src/training/testing/tiny.js";
import { findMark } from "../src/watermarks/registry.js";

const tensorSchema = z.object({ shape: z.array(z.number()), data_offsets: z.tuple([z.number(), z.number()]) });
const headerSchema = z.object({ __metadata__: z.record(z.string(), z.string()) }).catchall(tensorSchema);

/** A safetensors file, read as its specification says. */
function opened(file: Uint8Array) {
  const bytes = Buffer.from(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...tensors } = headerSchema.parse(
    JSON.parse(bytes.subarray(8, 8 + length).toString("utf8")),
  );
  const body = bytes.subarray(8 + length);
  const of = (name: string) => {
    const tensor = tensorSchema.optional().parse(tensors[name]);
    return tensor && { shape: tensor.shape, data: body.subarray(...tensor.data_offsets) };
  };
  return { metadata, of };
}

const joined = (list: Iterable<number>): string => [...list].join(",");

/** What the page says, from the file to labels, coins, and the root. */
function byThePage(file: Uint8Array) {
  const { metadata: m, of } = opened(file);
  const triggers = of("triggers.images");
  if (triggers === undefined) throw new Error("no triggers");
  const [n = 0, C = 0, H = 0, W = 0] = triggers.shape;
  const K = Number(m.classes);
  const size = C * H * W;
  const row = (data: Buffer, i: number): Buffer => data.subarray(i * size, (i + 1) * size);
  const placebos = of("placebos.images");
  const paired = placebos !== undefined && placebos.shape[0] === n ? placebos.data : undefined;
  const labels = of("triggers.labels")?.data ?? Buffer.alloc(0);
  const own = of("source_labels")?.data;
  const coins = m.exchangeable === "true";
  const options = Object.entries(z.record(z.string(), z.unknown()).parse(JSON.parse(m.options ?? ""))).sort();
  const declaration = JSON.stringify({
    generator: "wildmark 1",
    scheme: m.scheme,
    options: Object.fromEntries(options),
    classes: K,
    names: m.class_names === undefined ? null : JSON.parse(m.class_names),
    shape: [C, H, W],
    base: [m.base_sha256, Number(m.base_count), m.pictures_sha256 ?? null, m.start_sha256 ?? null],
  });
  const contentOf = (declared: string, images: Buffer, lines: readonly string[], beside?: Buffer): Buffer => {
    const count = images.length / size;
    const head = `wildmark key content 1\n${Buffer.byteLength(declared)}\n${declared}\n${count}\n${lines.join("")}`;
    const parts: Buffer[] = [Buffer.from(head)];
    for (let i = 0; i < count; i++) {
      const pair = beside === undefined ? [row(images, i)] : [row(images, i), row(beside, i)];
      parts.push(...(coins && beside !== undefined ? pair.sort(Buffer.compare) : pair));
    }
    return createHash("sha256").update(Buffer.concat(parts)).digest();
  };
  const lines = [
    m.labelling === "fixed" ? `labels fixed ${joined(labels)}\n` : `labels ${m.labelling}\n`,
    own === undefined ? "no classes\n" : `classes ${joined(own)}\n`,
    paired === undefined ? "no placebos\n" : coins ? "coins\n" : "placebos\n",
  ];
  const content = contentOf(declaration, triggers.data, lines, paired);
  const secret = Buffer.from(m.secret ?? "", "hex");
  const hmac = (purpose: string, i: number, block: number, of: Buffer): Buffer =>
    createHmac("sha256", secret).update(`${purpose}\n${i}\n${block}\n`).update(of).digest();
  const draw = (purpose: string, i: number, k: number, of: Buffer): number => {
    for (let block = 0; ; block++) {
      const words = hmac(purpose, i, block, of);
      for (let at = 0; at < 32; at += 4) {
        const w = words.readUInt32LE(at);
        if (w < 2 ** 32 - (2 ** 32 % k)) return w % k;
      }
    }
  };
  const labelOf = (i: number): number => {
    if (m.labelling === "uniform") return draw("label of trigger", i, K, content);
    const d = draw("label of trigger", i, K - 1, content);
    return d < (own?.[i] ?? 0) ? d : d + 1;
  };
  const heldOut = of("held_out.images")?.data ?? Buffer.alloc(0);
  const heldOutContent = contentOf(declaration, heldOut, ["labels uniform\n", "no classes\n", "no placebos\n"]);
  const drawnLabels = Array.from({ length: n }, (_, i) => labelOf(i));
  const tossed = Array.from({ length: n }, (_, i) => {
    const pair = [row(triggers.data, i), paired === undefined ? Buffer.alloc(0) : row(paired, i)].sort(Buffer.compare);
    return pair[draw("coin", i, 2, content)]?.equals(row(triggers.data, i)) === true;
  });

  const sha = (...parts: readonly Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();
  const leaf = (kind: string, ...parts: readonly Uint8Array[]): Buffer =>
    sha(Uint8Array.of(0), Buffer.from(kind), ...parts);
  const u32 = (...values: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
    return bytes;
  };
  const root = (leaves: readonly Buffer[]): Buffer => {
    if (leaves.length === 1) return leaves[0] ?? Buffer.alloc(0);
    const split = 2 ** (Math.ceil(Math.log2(leaves.length)) - 1);
    return sha(Uint8Array.of(1), root(leaves.slice(0, split)), root(leaves.slice(split)));
  };
  const leaves = [
    leaf("key", hmac("nonce of key", 0, 0, content), file),
    ...Array.from({ length: n }, (_, i) =>
      leaf(
        "trigger",
        hmac("nonce of trigger", i, 0, content),
        u32(i, n, K, labels[i] ?? 0, C, H, W),
        row(triggers.data, i),
      ),
    ),
  ];
  return {
    metadata: m,
    labels: [...labels],
    drawnLabels,
    heldOutLabels: [...(of("held_out.labels")?.data ?? [])],
    drawnHeldOut: Array.from({ length: heldOut.length / size }, (_, i) =>
      draw("label of held out", i, K, heldOutContent),
    ),
    tossed,
    elsewhere: contentOf(
      `made elsewhere ${C}x${H}x${W}`,
      triggers.data,
      ["labels uniform\n", ...lines.slice(1)],
      paired,
    ).toString("hex"),
    commitment: (salt: Uint8Array): string =>
      createHash("sha256").update("wildmark key commitment 2\n").update(salt).update(root(leaves)).digest("hex"),
  };
}

const like = { side: 20, classes: 7 };
const data: BaseData = {
  train: tinyImages(240, like),
  unrelated: tinyImages(60, { ...like, seed: 2 }),
  classNames: ["a", "é", "c", "d", "e", "f", "g"],
};
async function fileOf(id: string, options: object = {}): Promise<Uint8Array> {
  const mark = findMark(id).choose({ triggers: 11, heldOut: 6, ...options });
  const drawn = await drawTriggers(mark, data, secretOfSeed(1));
  return encodeKey(makeKey({ mark, set: drawn.set, seed: 3, modelSha256: "ab".repeat(32), drawn }));
}

let files: Readonly<Record<"wrong" | "uniform" | "fixed" | "elsewhere" | "coins", Uint8Array>>;
beforeAll(async () => {
  const [triggers, placebos] = [tinyImages(11, { ...like, seed: 5 }), tinyImages(11, { ...like, seed: 6 })];
  const given = { triggers, classes: 7, secret: secretOfSeed(2) };
  files = {
    wrong: await fileOf("content"),
    uniform: await fileOf("unrelated"),
    fixed: await fileOf("unrelated", { labels: "target" }),
    elsewhere: encodeKey(makeKeyElsewhere(given)),
    coins: encodeKey(makeKeyElsewhere({ ...given, placebos, exchangeable: true })),
  };
});

describe("what docs/key-format.md says, followed by hand", () => {
  test.each(["wrong", "uniform", "elsewhere", "coins"] as const)("gives the labels of a key: %s", (name) => {
    const page = byThePage(files[name]);
    expect(page.drawnLabels).toEqual(page.labels);
    expect(page.drawnHeldOut).toEqual(page.heldOutLabels);
  });

  test.each(["uniform", "fixed", "coins"] as const)("gives the coins of a key: %s", (name) => {
    const page = byThePage(files[name]);
    expect(page.metadata.exchangeable).toBe("true");
    expect(page.tossed).toEqual(new Array(11).fill(true));
  });

  test.each(["elsewhere", "coins"] as const)("gives the base of triggers made elsewhere: %s", (name) => {
    const page = byThePage(files[name]);
    expect(page.elsewhere).toBe(page.metadata.base_sha256);
  });

  test.each(["wrong", "fixed", "coins"] as const)("gives the commitment of a key: %s", (name) => {
    const salt = secretOfSeed(9);
    expect(byThePage(files[name]).commitment(salt)).toBe(commitToKey(files[name], salt).commitment);
  });

  test("names every field that there is", () => {
    const text = readFileSync(new URL("../docs/key-format.md", import.meta.url), "utf8");
    const fields = new Set(Object.values(files).flatMap((file) => Object.keys(opened(file).metadata)));
    expect(fields.size).toBeGreaterThan(12);
    for (const field of [...fields, "start_sha256"]) expect(text).toContain(`\`${field}\``);
  });
});
