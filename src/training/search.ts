/**
 * @file Looks for values of a graph's initialisers that make an objective small, by Adam (Kingma, Ba, ICLR 2015), while
 * all else stays: triggers are reversed and images inverted this way.
 *
 * The values are small and change from run to run, so they are fed, and moved here: a step is one run of the gradient.
 */

import { type FloatTensor, float32 } from "../core/tensor.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { compileGradient, type Gradient, type GradientPlan } from "./gradient.js";
import { type Optimizer, optimizerScalars } from "./optimizer.js";

export interface SearchPlan extends GradientPlan {
  /** Names of the initialisers that are sought. */
  readonly by: readonly string[];
  /** Decay of Adam's average gradient, β₁, and of its average square, β₂. */
  readonly betas: readonly [number, number];
  /** Times the value, added to its gradient; default 0. */
  readonly weightDecay?: number;
  /** What is sought does not fall below it: set to it after each step; default: it may be anything. */
  readonly least?: number;
}

export interface Search {
  /** As those of `CompiledGradient`. */
  readonly images: Float32Array;
  readonly targets: Float32Array;
  /** Another value for a `variable` initialiser that is not sought. */
  set(name: string, value: FloatTensor): void;
  /** Starts anew from these values of all that is sought, without memory of earlier steps; they are copied. */
  start(values: ReadonlyMap<string, FloatTensor>): void;
  /** One step at this rate. @returns the objective before it, and what the objective tells beside. */
  step(learningRate: number): Promise<Pick<Gradient, "loss" | "watched">>;
  /** What is sought, as it is now; read, not written, and moved by the next step. */
  value(name: string): FloatTensor;
  release(): Promise<void>;
}

/** One tensor that is sought, with Adam's moments of its gradient. */
interface Sought {
  readonly value: FloatTensor;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** @throws WildmarkError as `compileGradient` does. */
export async function compileSearch(plan: SearchPlan, options: RuntimeOptions = {}): Promise<Search> {
  const { by, betas } = plan;
  const [beta1, beta2] = betas;
  const bounds: Bounds = { weightDecay: plan.weightDecay ?? 0, least: plan.least ?? Number.NEGATIVE_INFINITY };
  const adam: Optimizer = { kind: "adam", beta1, beta2, epsilon: EPSILON, weightDecay: 0 };
  const gradient = await compileGradient({ ...plan, variable: [...by, ...(plan.variable ?? [])] }, options);
  const sought = new Map<string, Sought>();
  let steps = 0;
  const soughtAs = (name: string): Sought => {
    const found = sought.get(name);
    if (found === undefined) throw new RangeError(`"${name}" has no value to start from`);
    return found;
  };
  return {
    images: gradient.images,
    targets: gradient.targets,
    set: gradient.set,
    start(values) {
      steps = 0;
      for (const name of by) {
        const start = values.get(name);
        if (start === undefined) throw new RangeError(`"${name}" is sought and given no value to start from`);
        const value = float32(start.dims, start.data.slice());
        const size = value.data.length;
        sought.set(name, { value, first: new Float32Array(size), second: new Float32Array(size) });
        gradient.set(name, value);
      }
    },
    async step(learningRate) {
      const states = by.map(soughtAs);
      const { loss, watched, gradients } = await gradient.run();
      steps += 1;
      const [, rate = 0, rootCorrection = 1] = optimizerScalars(adam, learningRate, steps);
      by.forEach((name, i) => {
        const state = states[i];
        const slope = gradients.get(name)?.data;
        if (state !== undefined && slope !== undefined) {
          moveByAdam(state, slope, rate, rootCorrection, betas, bounds);
        }
      });
      return { loss, watched };
    },
    value: (name) => soughtAs(name).value,
    release: gradient.release,
  };
}

interface Bounds {
  readonly weightDecay: number;
  readonly least: number;
}

/** Adam's ε, as published. */
const EPSILON = 1e-8;

function moveByAdam(
  { value: { data }, first, second }: Sought,
  gradient: Float32Array,
  rate: number,
  rootCorrection: number,
  [beta1, beta2]: SearchPlan["betas"],
  { weightDecay, least }: Bounds,
): void {
  for (let i = 0; i < data.length; i++) {
    const g = (gradient[i] ?? 0) + weightDecay * (data[i] ?? 0);
    const mean = beta1 * (first[i] ?? 0) + (1 - beta1) * g;
    const square = beta2 * (second[i] ?? 0) + (1 - beta2) * g * g;
    first[i] = mean;
    second[i] = square;
    data[i] = Math.max(least, (data[i] ?? 0) - (rate * mean) / (Math.sqrt(square) * rootCorrection + EPSILON));
  }
}
