/**
 * @file The gradient of an objective by whatever it is asked for, images among them: what adversarial examples,
 * reversed triggers and sensitivities are made from. Nothing is updated.
 */

import { WildmarkError } from "../core/errors.js";
import { type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import type { Graph } from "../onnx/graph.js";
import { createSession, type RuntimeOptions } from "../runtime/session.js";
import {
  type AppendedObjective,
  appendObjective,
  floatInitializer,
  lowered,
  type ObjectivePlan,
  objectiveFeeds,
  stepInputs,
} from "./objective-gradients.js";

export interface GradientPlan extends ObjectivePlan {
  /** Names of initialisers, or of the graph's input. */
  readonly by: readonly string[];
  /** Names of initialisers that change from run to run (`CompiledGradient.set`); default: none. */
  readonly variable?: readonly string[];
}

/** Of one run; new arrays each time. */
export interface Gradient {
  readonly loss: number;
  /** By each of `by`, in the value's own dimensions. */
  readonly gradients: ReadonlyMap<string, FloatTensor>;
  /** What the objective tells beside the loss (`BuiltObjective.watch`). */
  readonly watched: ReadonlyMap<string, number>;
}

export interface CompiledGradient {
  /** The model's input, [views · batch, …]: fill it before each `run`. */
  readonly images: Float32Array;
  /** Target probabilities, [batch, classes]: fill it before each `run`. */
  readonly targets: Float32Array;
  /** Another value for a `variable` initialiser, from the next run on; read in place. */
  set(name: string, value: FloatTensor): void;
  run(): Promise<Gradient>;
  release(): Promise<void>;
}

export const LOSS = "wildmark/loss";
export const gradientName = (value: string): string => `wildmark/gradient/${value}`;
const watchName = (what: string): string => `wildmark/watch/${what}`;

/**
 * The graph that answers `LOSS`, the gradients of `by` under their `gradientName`s, and what the objective watches.
 *
 * @param variable initialisers that become inputs.
 */
export function gradientGraph(
  { b, loss, watch, gradients }: AppendedObjective,
  by: readonly string[],
  variable: ReadonlyMap<string, FloatTensor>,
): Graph {
  // One gradient may serve two values: each gets a name of its own.
  for (const value of by) b.op("Identity", [gradients.get(value) ?? ""], {}, { name: gradientName(value) });
  b.op("Identity", [loss], {}, { name: LOSS });
  for (const [what, value] of Object.entries(watch)) b.op("Identity", [value], {}, { name: watchName(what) });
  const built = b.build();
  const float = (name: string) => ({ name, type: "float32" as const, dims: undefined });
  return {
    ...built,
    inputs: [...built.inputs, ...[...variable].map(([name, { dims }]) => ({ ...float(name), dims }))],
    initializers: new Map([...built.initializers].filter(([name]) => !variable.has(name))),
    outputs: [LOSS, ...by.map(gradientName), ...Object.keys(watch).map(watchName)].map(float),
  };
}

/**
 * @throws WildmarkError `unsupported-operator` where a gradient rule is missing, `bad-model` where the objective does
 *   not depend on a value of `by`, `runtime` where ONNX Runtime refuses.
 */
export async function compileGradient(plan: GradientPlan, options: RuntimeOptions = {}): Promise<CompiledGradient> {
  const inputs = stepInputs(plan);
  const variable = new Map((plan.variable ?? []).map((name) => [name, floatInitializer(plan.graph, name)]));
  const appended = await appendObjective(plan, plan.by, inputs, options);
  if (appended.learningRate !== undefined) {
    throw new Error("the objective looks at a learning rate; a gradient alone has none");
  }
  for (const value of plan.by) {
    if (!appended.gradients.has(value)) {
      throw new WildmarkError("bad-model", `The objective does not depend on "${value}".`);
    }
  }
  const graph = gradientGraph(appended, plan.by, variable);
  const session = await createSession(await lowered(graph, options), options);
  return {
    images: inputs.images.data,
    targets: inputs.targets.data,
    set(name, value) {
      if (!variable.has(name)) throw new RangeError(`"${name}" is not among the variable initialisers`);
      variable.set(name, value);
    },
    async run() {
      const results = await session.run(new Map([...objectiveFeeds(plan, inputs), ...variable]));
      const numberOf = (name: string): number => floatOutput(results, name).data[0] ?? Number.NaN;
      return {
        loss: numberOf(LOSS),
        gradients: new Map(plan.by.map((value) => [value, floatOutput(results, gradientName(value))])),
        watched: new Map(Object.keys(appended.watch).map((what) => [what, numberOf(watchName(what))])),
      };
    },
    release: () => session.release(),
  };
}

function floatOutput(results: ReadonlyMap<string, Tensor>, name: string): FloatTensor {
  const value = results.get(name);
  return value?.type === "float32" ? value : float32([0], []);
}
