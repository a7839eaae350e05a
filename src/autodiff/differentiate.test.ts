/** @file How gradients find their way through a graph; what each operator does with them is `rules/rules.test.ts`. */

import { describe, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { float32, type Tensor, toNumbers } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { createSession } from "../runtime/session.js";
import { traceGraph } from "../runtime/trace.js";
import { appendGradients, type DifferentiateOptions } from "./differentiate.js";
import type { GradientRules } from "./rule.js";
import { gradientRules } from "./rules/index.js";
import { checkGradient } from "./testing/check-gradient.js";

/** Differentiates what `build` returns by `by`; x is [1, 2, 3], fed, and w is [4, 5, 6], stored. */
async function differentiate(
  build: (b: GraphBuilder) => string,
  by: readonly string[],
  options: Partial<DifferentiateOptions> = {},
) {
  const b = graphBuilder("g");
  b.input("x", "float32", [3]);
  b.initializer("w", float32([3], [4, 5, 6]));
  const loss = build(b);
  const feeds = new Map<string, Tensor>([["x", float32([3], [1, 2, 3])]]);
  const nodesBefore = [...b.build().nodes];
  const trace = await traceGraph({ ...b.build(), nodes: nodesBefore }, feeds);
  const gradients = appendGradients(b, { trace, loss, by, ...options });
  const appended = b.build().nodes.slice(nodesBefore.length);
  const named = new Map([...gradients].map(([value, gradient]) => [value, b.op("Identity", [gradient])]));
  for (const name of named.values()) b.output(name);
  const results = named.size === 0 ? new Map<string, Tensor>() : await runOnce(b.build(), feeds);
  const gradient = (value: string): number[] | undefined => {
    const found = results.get(named.get(value) ?? "");
    return found && toNumbers(found);
  };
  return { gradients, appended, gradient };
}

async function runOnce(graph: Graph, feeds: ReadonlyMap<string, Tensor> = new Map()): Promise<Map<string, Tensor>> {
  const session = await createSession(graph);
  const results = await session.run(feeds);
  await session.release();
  return results;
}

const total = (b: GraphBuilder, value: string): string => b.op("ReduceSum", [value], { keepdims: 0 });

describe("where gradients go", () => {
  test("a value used three times gets the sum of three gradients", async () => {
    await checkGradient({
      inputs: { x: { dims: [2, 3] } },
      build: (b, { x }) => {
        const h = b.op("Tanh", [x]);
        return b.op("Add", [b.op("Mul", [h, b.op("Exp", [h])]), b.op("Sigmoid", [h])]);
      },
    });
  });

  test("x · x gets both sides", async () => {
    const { gradient } = await differentiate((b) => total(b, b.op("Mul", ["x", "x"])), ["x"]);
    expect(gradient("x")).toEqual([2, 4, 6]);
  });

  test("a diamond of depth 30, whose paths are 2^30, takes a node or two a level", async () => {
    const { gradient, appended } = await differentiate(
      (b) => {
        let h = "x";
        for (let i = 0; i < 30; i++) h = b.op("Add", [h, h]);
        return total(b, h);
      },
      ["x"],
    );
    expect(gradient("x")).toEqual([2 ** 30, 2 ** 30, 2 ** 30]);
    expect(appended.length).toBeLessThan(70);
  });

  test("several losses' worth of outputs, some of them intermediate", async () => {
    await checkGradient({
      inputs: { x: { dims: [2, 3] }, w: { dims: [3, 2], initializer: true } },
      build: (b, { x, w }) => {
        const h = b.op("MatMul", [x, w]);
        const a = b.op("Relu", [h]);
        return [h, a, b.op("Softmax", [a])];
      },
    });
  });

  test("an intermediate value and what it was computed from", async () => {
    const { gradient } = await differentiate(
      (b) => {
        const h = b.op("Mul", ["x", "w"], {}, { name: "h" });
        return total(b, b.op("Mul", [h, h]));
      },
      ["h", "w"],
    );
    expect(gradient("h")).toEqual([8, 20, 36]);
    expect(gradient("w")).toEqual([8, 40, 108]);
  });

  test("the loss by itself", async () => {
    const { gradient, appended } = await differentiate((b) => total(b, "x"), ["ReduceSum"]);
    expect(gradient("ReduceSum")).toEqual([1]);
    expect(appended).toEqual([]);
  });

  test("a loss of one element that is no scalar", async () => {
    const { gradient } = await differentiate(
      (b) => b.op("ReduceSum", [b.op("Mul", ["x", "w"])], { keepdims: 1 }),
      ["w"],
    );
    expect(gradient("w")).toEqual([1, 2, 3]);
  });

  test("unused outputs of a node, and nodes that lead nowhere", async () => {
    const { gradient, appended } = await differentiate(
      (b) => {
        const [, second = ""] = b.ops("Split", ["w", b.ints([1, 2])], 2, { axis: 0 });
        b.op("Softmax", [b.op("Exp", ["w"])]);
        return total(b, second);
      },
      ["w"],
    );
    expect(gradient("w")).toEqual([0, 1, 1]);
    expect(appended.map((node) => node.opType)).not.toContain("Exp");
  });

  test("empty names, of inputs and outputs left out, connect nothing", () => {
    const b = graphBuilder("g");
    for (const name of ["x", "w"]) b.input(name, "float32", []);
    const node = { domain: "", attributes: {} };
    b.append({ ...node, name: "", opType: "LSTM", inputs: ["w"], outputs: ["", "state"] });
    b.append({ ...node, name: "", opType: "Clip", inputs: ["x", "", "x"], outputs: ["loss"] });
    const trace = new Map(["x", "w", "state", "loss"].map((name) => [name, { type: "float32", dims: [] }] as const));
    const rules: GradientRules = { Clip: ({ dy }) => [dy, dy, undefined] };
    // Were "" a value, the LSTM would lie between w and the loss, and lack a rule.
    const gradients = appendGradients(b, { trace, loss: "loss", by: ["x", "w"], rules });
    expect([...gradients.keys()]).toEqual(["x"]);
  });
});

describe("where gradients do not go", () => {
  test("values that the loss does not depend on have none, and cost nothing", async () => {
    const { gradients, appended } = await differentiate((b) => total(b, b.op("Exp", ["x"])), ["w"]);
    expect(gradients.size).toBe(0);
    expect(appended).toEqual([]);
  });

  test("a value that reaches the loss by its shape only", async () => {
    const { gradients } = await differentiate(
      (b) => {
        const size = b.op("Cast", [b.op("Shape", ["w"])], { to: 1 });
        return total(b, b.op("Div", ["x", size]));
      },
      ["w"],
    );
    expect(gradients.size).toBe(0);
  });

  test("branches that nobody asked about get no nodes", async () => {
    const { appended } = await differentiate((b) => total(b, b.op("Mul", [b.op("Exp", ["x"]), "w"])), ["w"]);
    expect(appended.map((node) => node.opType)).toEqual(["Expand", "Mul"]);
  });

  test("stopAt: the value counts as a constant for all its consumers", async () => {
    const build = (b: GraphBuilder): string => {
      const h = b.op("Mul", ["x", "w"], {}, { name: "h" });
      return total(b, b.op("Mul", [h, "w"]));
    };
    expect((await differentiate(build, ["w"])).gradient("w")).toEqual([8, 20, 36]);
    const stopped = await differentiate(build, ["w", "h"], { stopAt: new Set(["h"]) });
    expect(stopped.gradient("w")).toEqual([4, 10, 18]);
    expect(stopped.gradients.has("h")).toBe(false);
  });

  test("stopAt agrees with central differences that keep the value fixed", async () => {
    await checkGradient({
      inputs: { x: { dims: [2, 3] } },
      build: (b, { x }) => {
        const target = b.op("Softmax", [x], {}, { name: "target" });
        return b.op("Mul", [target, b.op("LogSoftmax", [x])]);
      },
      stopAt: () => ["target"],
    });
  });

  test("stopAt on the only way leaves none", async () => {
    const { gradients } = await differentiate((b) => total(b, b.op("Exp", ["w"], {}, { name: "h" })), ["w"], {
      stopAt: new Set(["h"]),
    });
    expect(gradients.size).toBe(0);
  });
});

describe("what cannot be differentiated", () => {
  const without = (operator: string) =>
    Object.fromEntries(Object.entries(gradientRules).filter(([name]) => name !== operator));
  const withoutCumSum = without("CumSum");
  const withoutQuickGelu = without("com.microsoft.QuickGelu");

  test("an operator without a rule is named, with its node and what hangs on it, and the way out", async () => {
    const build = (b: GraphBuilder): string => {
      const h = b.op("Mul", ["x", "w"]);
      return total(
        b,
        b.op(
          "CumSum",
          [h, b.initializer("axis", { type: "int64", dims: [], data: BigInt64Array.of(0n) })],
          {},
          { name: "running" },
        ),
      );
    };
    const error = await differentiate(build, ["w"], { rules: withoutCumSum }).catch((reason: unknown) => reason);
    if (!(error instanceof WildmarkError)) throw new Error("expected a WildmarkError");
    expect(error.code).toBe("unsupported-operator");
    expect(error.message).toBe(
      'No gradient rule for CumSum node "running"; 1 trainable value(s) lie before it (w) and would get no gradient.',
    );
    expect(error.hint).toMatch(/all trainable weights lie before/);
  });

  test(
    "where something is left to train after a node without a rule, the way out names a node " + "that works",
    async () => {
      const axis = { type: "int64", dims: [], data: BigInt64Array.of(0n) } as const;
      const build = (b: GraphBuilder): string => {
        for (const name of ["v", "u"]) b.initializer(name, float32([3], [1, 2, 3]));
        const running = b.op("CumSum", [b.op("Mul", ["x", "w"]), b.initializer("axis", axis)], {}, { name: "running" });
        const again = b.op("CumSum", [b.op("Mul", [running, "v"]), "axis"], {}, { name: "again" });
        return total(b, b.op("Mul", [again, "u"], {}, { name: "head" }));
      };
      const error = await differentiate(build, ["w", "v", "u"], { rules: withoutCumSum }).catch(
        (reason: unknown) => reason,
      );
      if (!(error instanceof WildmarkError)) throw new Error("expected a WildmarkError");
      expect(error.message).toMatch(/CumSum node "again"; 2 trainable value\(s\) lie before it \(w, v\)/);
      expect(error.hint).toBe("Freeze what lies before it: --train-from again");
      await expect(differentiate(build, ["u"], { rules: withoutCumSum })).resolves.toBeDefined();
    },
  );

  test("an operator without a rule does no harm where no gradient passes", async () => {
    const build = (b: GraphBuilder): string => {
      const axis = b.initializer("axis", { type: "int64", dims: [], data: BigInt64Array.of(0n) });
      return total(b, b.op("Mul", [b.op("CumSum", ["x", axis]), "w"]));
    };
    expect((await differentiate(build, ["w"])).gradient("w")).toEqual([1, 3, 6]);
  });

  test("operators of other domains are named with their domain", async () => {
    const build = (b: GraphBuilder): string => total(b, b.op("QuickGelu", ["w"], {}, { domain: "com.microsoft" }));
    await expect(differentiate(build, ["w"], { rules: withoutQuickGelu })).rejects.toThrow(
      /No gradient rule for com\.microsoft\.QuickGelu node/,
    );
  });

  test("bounds that depend on what is trained are refused where a rule needs constants", async () => {
    const build = (b: GraphBuilder): string => {
      const first = b.op("Cast", [b.op("Slice", ["w", b.ints([0]), b.ints([1])])], { to: 7 });
      return total(b, b.op("Slice", ["w", b.ints([0]), first], {}, { name: "piece" }));
    };
    const slicing = (b: GraphBuilder): string => {
      const end = b.op("Cast", [b.op("Slice", ["x", b.ints([0]), b.ints([1])])], { to: 7 });
      return total(b, b.op("Slice", ["w", end, b.ints([3])], {}, { name: "piece" }));
    };
    await expect(differentiate(build, ["w"])).resolves.toBeDefined();
    await expect(differentiate(slicing, ["w"])).rejects.toThrow(/Slice node "piece" computes its input 1 \("Cast"\)/);
  });

  test("a loss of several numbers is a mistake of the caller", async () => {
    await expect(differentiate((b) => b.op("Exp", ["w"]), ["w"])).rejects.toThrow(/only one float32 number/);
  });

  test("padding by reflection is refused with its mode", async () => {
    const build = (b: GraphBuilder): string => total(b, b.op("Pad", ["w", b.ints([1, 1])], { mode: "reflect" }));
    await expect(differentiate(build, ["w"])).rejects.toThrow(/Pad node "Pad" pads by "reflect"/);
  });
});
