/** @file Innocent graphs: what looks planted and is not, as architectures and exporters leave it. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { readModelFile } from "../onnx/model-file.js";
import { LEVELS } from "./finding.js";
import { scanGraph } from "./scan.js";
import { innocents, lookAlikeOf } from "./testing/innocent.js";
import { digits, subjectOf, trained } from "./testing/trained.js";

test("of more than a hundred innocent graphs none is called planted, and few suspicious", async () => {
  const all = innocents();
  expect(all.length).toBeGreaterThan(100);
  const found = { planted: [] as string[], suspicious: [] as string[], note: [] as string[] };
  for (const { name, model, shape, classes } of all) {
    const [gravest] = await scanGraph({ model, shape, classes, random: randomStream(1) });
    if (gravest !== undefined) found[gravest.level].push(name);
  }
  expect(found.planted).toEqual([]);
  // An expert that no probe image was sent to sleeps, is woken, and answers otherwise; and what looks at the pixels
  // before the network does, for images that no probe was like. A graph does not tell them apart.
  expect(found.suspicious).toEqual([
    "mixture of experts, the first of three, 1 channels",
    "mixture of experts, the first of three, 3 channels",
    "mixture of experts, one never chosen, 1 channels",
    "mixture of experts, one never chosen, 3 channels",
    "black and white turned where the ground is white, 1 channels",
    "black and white turned where the ground is white, 3 channels",
    "brightened where it is dark, 1 channels",
    "brightened where it is dark, 3 channels",
    "no answer to an empty image, 1 channels",
    "no answer to an empty image, 3 channels",
  ]);
}, 120_000);

test.each([
  "mixture of experts, the first of three",
  "mixture of experts, one never chosen",
  "a mask of black padding",
  "black and white turned where the ground is white",
  "brightened where it is dark",
  "no answer to an empty image",
  "numbers that are none made zero",
  "HardSwish in pieces",
  "MobileNetV3, SE and HardSwish",
])(
  "trained, %s is not called planted either, with images or without",
  async (name) => {
    const model = await trained(lookAlikeOf(name).model);
    for (const images of [undefined, digits]) {
      const levels = (await scanGraph(subjectOf(model, images))).map(({ level }) => level);
      expect(levels).not.toContain("planted");
    }
  },
  60_000,
);

const folder = process.env.WILDMARK_MODELS ?? "";

describe.skipIf(folder === "")("models of others", () => {
  const files = folder === "" ? [] : readdirSync(folder).filter((name) => name.endsWith(".onnx"));
  test.each(files)("%s is not even suspicious", async (file) => {
    const model = await readModelFile(join(folder, file));
    const [pixels = 0] = [model.graph.inputs[0]?.dims ?? []].map((dims) =>
      dims.slice(1).reduce<number>((product, dim) => product * (typeof dim === "number" ? dim : 1), 1),
    );
    const shape = pixels % 3 === 0 ? { channels: 3, height: 32, width: 32 } : { channels: 1, height: 28, width: 28 };
    const findings = await scanGraph({ model, shape, classes: 10, random: randomStream(1) });
    expect(findings.filter(({ level }) => LEVELS.indexOf(level) < LEVELS.indexOf("note"))).toEqual([]);
  });
});
