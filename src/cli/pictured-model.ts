/** @file What the pages of a model draw: its whole graph, and the shape of every value for one image. */

import type { ImageShape } from "../core/image.js";
import type { ModelDescription } from "../onnx/describe.js";
import type { Model } from "../onnx/model.js";
import { wholeGraph } from "../onnx/whole.js";
import type { PicturedModel } from "../report/model/figure.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { valueShapes } from "../tasks/value-shapes.js";

/** Where a file leaves the size of its images open. */
const ANY_IMAGE: ImageShape = { channels: 3, height: 32, width: 32 };

/**
 * @param shape of the images, where the file leaves it open.
 * @throws WildmarkError `bad-model` for graphs within nodes that are not whole.
 */
export async function picturedModel(
  model: Model,
  { trainable }: Pick<ModelDescription, "trainable">,
  runtime: RuntimeOptions,
  shape: ImageShape = ANY_IMAGE,
): Promise<PicturedModel> {
  const { dims, why } = await valueShapes(model, shape, runtime);
  const inFile = (name: string): string => model.inFile.get(name) ?? name;
  return {
    graph: wholeGraph(model).graph,
    shapes: new Map([...dims].map(([name, each]) => [inFile(name), each])),
    whyNoShapes: why,
    trainable: new Set(trainable.map(({ name }) => inFile(name))),
  };
}
