/** @file The dimensions of all values of a model for one image, had by running it once. */

import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import { elementCount, float32 } from "../core/tensor.js";
import { describeNode } from "../onnx/graph.js";
import type { Model } from "../onnx/model.js";
import { ownInput } from "../onnx/own-input.js";
import { createSession, type RuntimeOptions } from "../runtime/session.js";
import { traceGraph } from "../runtime/trace.js";

export interface ValueShapes {
  /** By the name of the value in the model's graph. */
  readonly dims: ReadonlyMap<string, readonly number[]>;
  /** Why there are none; undefined where there are. */
  readonly why: string | undefined;
}

/** @param shape of the image; of what the model's file leaves open. */
export async function valueShapes(
  model: Model,
  shape: ImageShape,
  { threads }: RuntimeOptions = {},
): Promise<ValueShapes> {
  const runtime = { device: "cpu", ...(threads === undefined ? {} : { threads }) } as const;
  const holder = model.graph.nodes.find(({ attributes }) =>
    Object.values(attributes).some(({ kind }) => kind === "opaque"),
  );
  if (holder !== undefined) return { dims: new Map(), why: `${describeNode(holder)} holds what cannot be traced.` };
  try {
    const own = ownInput(model, shape);
    const fixed = own.input.dims?.[0];
    const dims = [typeof fixed === "number" ? fixed : 1, shape.channels, shape.height, shape.width];
    const black = float32(dims, new Float32Array(elementCount(dims)));
    const session = await createSession(own.graph, runtime);
    const made = await session.run(new Map([["wildmark/image", black]])).finally(() => session.release());
    const fed = made.get("wildmark/input");
    if (fed === undefined) throw new Error("the front makes no input");
    const traced = await traceGraph(model.graph, new Map([[own.input.name, fed]]), runtime);
    return { dims: new Map([...traced].map(([name, value]) => [name, value.dims])), why: undefined };
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    return { dims: new Map(), why: error.message };
  }
}
