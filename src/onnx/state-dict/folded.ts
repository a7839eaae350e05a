/**
 * @file Normalisation that an exporter folded into the layer before it, undone exactly.
 *
 * Of y = γ · (W x + c − μ) / √(σ² + ε) + β the file holds F = s · W and b = β + (c − μ) · s, with s = γ / √(σ² + ε). From
 * F and b as they are now, W = F / s and β = b + (μ − c) · s give the same y with γ, μ and σ² as they were. Where s is
 * next to nothing, W = F, γ = √(σ² + ε) and β = b + μ − c do.
 */

import { WildmarkError } from "../../core/errors.js";
import { type FloatTensor, float32 } from "../../core/tensor.js";
import { permuted } from "./permute.js";

export interface FoldedLayer {
  /** Names in the state_dict; the layer's own bias only where it has one. */
  readonly kernel: string;
  readonly bias: string | undefined;
  readonly scale: string;
  readonly shift: string;
  readonly mean: string;
  readonly variance: string;
  /** ε of the normalisation. */
  readonly epsilon: number;
  /** Names in the model, and the order of the kernel's axes there (`storedOrders`). */
  readonly stored: { readonly kernel: string; readonly bias: string; readonly perm: readonly number[] };
}

/** Below this share of the largest, a scale tells nothing of the kernel that it was multiplied with. */
const NOTHING = 1e-6;

type Named = (name: string) => FloatTensor;

/** γ / √(σ² + ε) of each channel. */
export function scaleOf(layer: Omit<FoldedLayer, "stored">, values: Named): Float64Array {
  const [gamma, variance] = [values(layer.scale), values(layer.variance)];
  return Float64Array.from(gamma.data, (g, c) => g / Math.sqrt((variance.data[c] ?? 0) + layer.epsilon));
}

/** What of the state_dict changes with what the model stores. @param like the state_dict as it was. */
export function unfolded(layer: FoldedLayer, stored: Named, like: Named): ReadonlyMap<string, FloatTensor> {
  const { dims } = like(layer.kernel);
  const kernel = permuted(stored(layer.stored.kernel), layer.stored.perm);
  const bias = stored(layer.stored.bias);
  const [mean, variance, gamma] = [like(layer.mean), like(layer.variance), like(layer.scale)];
  const own = layer.bias === undefined ? undefined : like(layer.bias);
  const scale = scaleOf(layer, like);
  const largest = scale.reduce((most, s) => Math.max(most, Math.abs(s)), 0);
  const channels = scale.length;
  const size = kernel.data.length / channels;
  const newKernel = new Float32Array(kernel.data.length);
  const newScale = Float32Array.from(gamma.data);
  const newShift = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    const s = scale[c] ?? 0;
    const away = (mean.data[c] ?? 0) - (own?.data[c] ?? 0);
    const lost = Math.abs(s) <= NOTHING * largest;
    if (lost) newScale[c] = Math.sqrt((variance.data[c] ?? 0) + layer.epsilon);
    newShift[c] = (bias.data[c] ?? 0) + away * (lost ? 1 : s);
    for (let i = c * size; i < (c + 1) * size; i++) newKernel[i] = (kernel.data[i] ?? 0) / (lost ? 1 : s);
  }
  return new Map([
    [layer.kernel, float32(dims, newKernel)],
    [layer.scale, float32(gamma.dims, newScale)],
    [layer.shift, float32(gamma.dims, newShift)],
  ]);
}

/** What the model stores of a layer of the state_dict: the other way. @param original what it stored before. */
export function folded(layer: FoldedLayer, original: Named, values: Named): ReadonlyMap<string, FloatTensor> {
  const kernel = values(layer.kernel);
  const [mean, shift] = [values(layer.mean), values(layer.shift)];
  const own = layer.bias === undefined ? undefined : values(layer.bias);
  const scale = scaleOf(layer, values);
  const size = kernel.data.length / scale.length;
  if (!Number.isInteger(size) || kernel.data.length !== original(layer.stored.kernel).data.length) {
    throw new WildmarkError(
      "bad-data",
      `"${layer.kernel}" has another size than in the state_dict that the model came from.`,
    );
  }
  const data = Float32Array.from(kernel.data, (w, i) => w * (scale[Math.floor(i / size)] ?? 0));
  const inverse = layer.stored.perm.map((_, axis) => layer.stored.perm.indexOf(axis));
  const bias = Float32Array.from(scale, (s, c) => {
    return (shift.data[c] ?? 0) + ((own?.data[c] ?? 0) - (mean.data[c] ?? 0)) * s;
  });
  return new Map([
    [layer.stored.kernel, permuted(float32(kernel.dims, data), inverse)],
    [layer.stored.bias, float32(original(layer.stored.bias).dims, bias)],
  ]);
}
