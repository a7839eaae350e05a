/**
 * @file Smoothed accuracy (Lu, Li, Zhang, Pan, Yang: Neural Dehydration, CCS 2024, arXiv:2309.03466: how Dehydra finds a
 * mark's target class): images of each class are recovered from the model, and asked again with noise on all weights
 * and on the images. What a target class is recognised by is simple and strong, and lasts.
 *
 * The value is by how much the class that lasts best is ahead of the next. No threshold is published. The published
 * noise for MNIST is 0.03 on weights and 1 on normalised pixels, 0.31 on our scale; 0.015 and 0.12 for CIFAR-10.
 */

import { z } from "zod";
import type { RandomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { packImages } from "../data/batches.js";
import { imageSize, type LabelledImages } from "../data/dataset.js";
import { recoveredImages } from "../data/recovered-images.js";
import { createSession } from "../runtime/session.js";
import { floatInitializer } from "../training/objective-gradients.js";
import { freeImageGraph } from "../training/rows.js";
import { withNoise } from "../training/weight-noise.js";
import type { Subject } from "./detector.js";
import { largest } from "./outliers.js";
import type { StatisticMethod } from "./statistic-method.js";

const options = z.strictObject({
  recovered: z.int().min(2).max(100_000).default(12).describe("images that are recovered for each class"),
  recoverySteps: z.int().min(1).max(1_000_000).default(100).describe("steps of Adam to a recovered image"),
  draws: z.int().min(1).max(100_000).default(50).describe("draws of the noise"),
  weightNoise: z.number().min(0).default(0.1).describe("its standard deviation on every weight"),
  imageNoise: z.number().min(0).default(0.5).describe("and on every pixel, pixels from 0 to 1"),
});

export const smoothAccuracy: StatisticMethod<z.infer<typeof options>> = {
  id: "smooth-accuracy",
  title: "Smoothed accuracy (Dehydra)",
  summary: "Recovers images of each class from the model, and looks for a class that is recognised through any noise.",
  source:
    "Lu, Li, Zhang, Pan, Yang: Neural Dehydration: Effective Erasure of Black-box Watermarks from DNNs with Limited " +
    "Data. CCS 2024; with more noise than theirs, under which every class of a small network lasts alike",
  blind: "Marks with a label for each trigger favour no class, and one class is always recognised better than another.",
  needs: "nothing",
  options,
  published: { recovered: 250, recoverySteps: 400, weightNoise: 0.03, imageNoise: 0.31 },
  async measure(subject, chosen) {
    const recovered = await recoveredImages(
      { ...subject, subset: subject, random: subject.random.stream("recovered") },
      { perClass: chosen.recovered, steps: chosen.recoverySteps },
    );
    const shares = await smoothedAccuracies(subject, recovered, chosen);
    const [first = 0, second = 0] = shares.toSorted((a, b) => b - a);
    return { value: first - second, target: largest(shares), classes: shares };
  },
};

/** Images that go through at once. */
const CHUNK = 250;

/** The share of each class's images that are answered with it under noise. */
async function smoothedAccuracies(
  { model, shape, classes, random, runtime, progress }: Subject,
  images: LabelledImages,
  { draws, weightNoise, imageNoise }: z.infer<typeof options>,
): Promise<readonly number[]> {
  const { graph, classifier } = await freeImageGraph(model, shape, runtime);
  const { input, logits, trainable } = classifier;
  const weights = new Map(trainable.map((name) => [name, floatInitializer(graph, name)]));
  const inputs = [...weights].map(([name, { dims }]) => ({ name, type: "float32" as const, dims }));
  const session = await createSession(
    {
      ...graph,
      inputs: [...graph.inputs, ...inputs],
      initializers: new Map([...graph.initializers].filter(([name]) => !weights.has(name))),
      outputs: [{ name: logits, type: "float32", dims: undefined }],
    },
    runtime,
  );
  const size = imageSize(shape);
  const hits = new Array<number>(classes).fill(0);
  try {
    for (let draw = 0; draw < draws; draw++) {
      const noise = random.stream("noise").stream(draw);
      const noisy = withNoise(weights, trainable, weightNoise, noise.stream("weights"));
      for (let from = 0; from < images.count; from += CHUNK) {
        const count = Math.min(CHUNK, images.count - from);
        const pixels = noisyPixels(images, { from, count, size, sigma: imageNoise }, noise.stream(from));
        const fed = float32([count, shape.channels, shape.height, shape.width], pixels);
        const scores = (await session.run(new Map([...noisy, [input.name, fed]]))).get(logits);
        for (let row = 0; row < count; row++) {
          const label = images.labels[from + row] ?? 0;
          const own = Array.from(scores?.data.slice(row * classes, (row + 1) * classes) ?? [], Number);
          if (largest(own) === label) hits[label] = (hits[label] ?? 0) + 1;
        }
      }
      progress?.prepare?.("ask under noise", draw + 1, draws);
    }
  } finally {
    await session.release();
  }
  const asked = (draws * images.count) / classes;
  return hits.map((count) => count / asked);
}

function noisyPixels(
  images: LabelledImages,
  chunk: { readonly from: number; readonly count: number; readonly size: number; readonly sigma: number },
  random: RandomStream,
): Float32Array {
  const { from, count, size, sigma } = chunk;
  const pixels = new Float32Array(count * size);
  packImages(
    images,
    Array.from({ length: count }, (_, i) => from + i),
    pixels,
  );
  return pixels.map((value) => value + sigma * random.normal());
}
