/**
 * @file A step in which each weight is updated by itself, as it lies in the model: for a CPU. Where a network is large,
 * weights gain nothing by going together, and would be there twice.
 */

import type { StepPlan, StepStrategy } from "../step-plan.js";
import { floatInitializer } from "../objective-gradients.js";
import { alone, inVector, type WeightGroup } from "../weight-groups.js";
import { type Arrangement, compileInOneGraph } from "./one-graph.js";

export const eachAlone: Arrangement = {
  statistics: (_, plan, statistics) =>
    statistics.map(({ initializer, updated }) => ({
      input: initializer,
      output: updated,
      initial: floatInitializer(plan.graph, initializer),
      group: aloneIn(plan, initializer),
      slot: undefined,
    })),
  groups: (b, plan, gradients) =>
    plan.trainable.map((name) => {
      const [group, gradient] = [aloneIn(plan, name), gradients.get(name)];
      const weights = inVector(b, group, name);
      return { group, weights, gradient: gradient === undefined ? undefined : inVector(b, group, gradient) };
    }),
  arranged: (graph) => graph,
};

const aloneIn = ({ graph }: StepPlan, weight: string): WeightGroup => alone(weight, floatInitializer(graph, weight));

export const whole: StepStrategy = { suits: () => true, compile: compileInOneGraph(eachAlone) };
