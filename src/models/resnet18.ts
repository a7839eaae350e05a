/**
 * @file ResNet-18 (He, Zhang, Ren, Sun: "Deep Residual Learning for Image Recognition", CVPR 2016) with the stem for
 * small images: one 3×3 convolution at stride 1, no maximum pooling. Four stages of two basic blocks with w, 2w, 4w
 * and 8w channels; w = 64 is the published width. Weights are named as in torchvision.
 */

import type { RandomStream } from "../core/random.js";
import type { Graph } from "../onnx/graph.js";
import type { ArchitectureFamily, ArchitectureInput } from "./architecture.js";
import { finishClassifier, startClassifier } from "./classifier.js";
import { averageFeatures, convNorm, dense, type LayerContext, relu } from "./layers.js";

export const resnet18: ArchitectureFamily = {
  id: "resnet18",
  title: (width) => `ResNet-18, width ${width}, stem for small images`,
  width: 64,
  smallest: 8,
  build,
};

function build(name: string, width: number, input: ArchitectureInput, random: RandomStream): Graph {
  const { context, image } = startClassifier(name, input, random);
  const stem = { inputs: input.channels, outputs: width, kernel: 3, padding: 1 };
  let x = convNorm(context, { conv: "conv1", norm: "bn1" }, image, stem);
  let channels = width;
  for (const stage of [1, 2, 3, 4]) {
    const outputs = width * 2 ** (stage - 1);
    for (const block of [0, 1]) {
      const stride = stage > 1 && block === 0 ? 2 : 1;
      x = basicBlock(context, `layer${stage}.${block}`, x, { inputs: channels, outputs, stride });
      channels = outputs;
    }
  }
  return finishClassifier(context, dense(context, "fc", averageFeatures(context, x), channels, input.classes), input);
}

interface BlockOptions {
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
}

/** Two 3×3 convolutions, and a way round them: the identity, or a 1×1 convolution where the shape changes. */
function basicBlock(context: LayerContext, name: string, x: string, { inputs, outputs, stride }: BlockOptions): string {
  const first = { inputs, outputs, kernel: 3, padding: 1, stride };
  const second = { inputs: outputs, outputs, kernel: 3, padding: 1, activate: false };
  const inner = convNorm(context, { conv: `${name}.conv1`, norm: `${name}.bn1` }, x, first);
  const residual = convNorm(context, { conv: `${name}.conv2`, norm: `${name}.bn2` }, inner, second);
  const names = { conv: `${name}.downsample.0`, norm: `${name}.downsample.1` };
  const unchanged = stride === 1 && inputs === outputs;
  const shortcut = unchanged ? x : convNorm(context, names, x, { inputs, outputs, kernel: 1, stride, activate: false });
  return relu(context, context.b.op("Add", [residual, shortcut], {}, { name: `${name}.add` }));
}
