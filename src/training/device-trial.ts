/** @file A process that times a network on the device that it is told, and says how long it took. */

import { once } from "node:events";
import { elementCount, float32 } from "../core/tensor.js";
import { imageGraph } from "../onnx/image-graph.js";
import { decodeModel } from "../onnx/model.js";
import { createSession } from "../runtime/session.js";
import { TRIAL_IMAGES, type TrialOrder } from "./devices.js";
import { crossEntropyObjective } from "./objective.js";
import { compileStep } from "./step.js";

/** Runs after the first, which compiles kernels and wakes threads; the quickest counts. */
const REPEATS = 5;

/** Repeats end sooner once they have taken so long. */
const ENOUGH_MS = 3_000;

async function timeOf({ bytes, preprocessing, head, ...order }: TrialOrder): Promise<number> {
  const { shape, classes, trains, options } = order;
  const { graph, classifier } = imageGraph({ ...decodeModel(bytes, "trial"), preprocessing, head }, shape);
  if (!trains) {
    const dims = [TRIAL_IMAGES, shape.channels, shape.height, shape.width];
    const images = new Map([[classifier.input.name, float32(dims, new Float32Array(elementCount(dims)).fill(0.5))]]);
    const session = await createSession(graph, options);
    return leastTime(() => session.run(images));
  }
  const step = await compileStep(
    {
      graph,
      classifier,
      classes,
      batch: TRIAL_IMAGES,
      objective: crossEntropyObjective(),
      optimizer: { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0 },
      trainable: classifier.trainable,
      batchNorm: "train",
    },
    options,
  );
  step.images.fill(0.5);
  step.targets.fill(1 / classes);
  return leastTime(() => step.run(1e-3));
}

async function leastTime(run: () => Promise<unknown>): Promise<number> {
  await run();
  const begin = performance.now();
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < REPEATS && performance.now() - begin < ENOUGH_MS; i++) {
    const start = performance.now();
    await run();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

// What fails ends this process, and that says enough.
const [order]: TrialOrder[] = await once(process, "message");
if (order !== undefined) {
  const milliseconds = await timeOf(order);
  process.send?.(milliseconds, () => process.exit());
}
