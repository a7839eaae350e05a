/**
 * @file A compiled training step: forward, objective, backward and update, by the strategy that suits network and
 * device.
 */

import type { RuntimeOptions } from "../runtime/options.js";
import type { AutotuningWatch } from "../runtime/autotuning/autotune.js";
import type { StepPlan, StepStrategy, TrainingStep } from "./step-plan.js";
import { split } from "./strategies/split.js";
import { vectors } from "./strategies/vectors.js";
import { whole } from "./strategies/whole.js";

/** The first that suits is taken. */
const strategies: readonly StepStrategy[] = [split, vectors];

/**
 * Derives the training graph of `plan` and loads it.
 *
 * @param watch is told where lowerings are measured first, which may take a while.
 * @throws WildmarkError `unsupported-operator` where a gradient rule is missing, `runtime` where ONNX Runtime refuses.
 */
export function compileStep(
  plan: StepPlan,
  options: RuntimeOptions = {},
  watch: AutotuningWatch = {},
): Promise<TrainingStep> {
  const strategy = strategies.find((candidate) => candidate.suits(plan, options)) ?? whole;
  return strategy.compile(plan, options, watch);
}
