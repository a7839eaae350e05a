/** @file The three ways of choosing lowerings, and what a bad cache does to them: nothing but a line. */

import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Graph } from "../../onnx/graph.js";
import { lowerPrimitives } from "../lowering/index.js";
import { identityOf, targetOf } from "./identity.js";
import { type Autotuning, autotuningOf } from "./mode.js";
import { findChoice, keepChoice } from "./store.js";
import { graphOf } from "./testing/nodes.js";
import { asChosen, chooseLowerings, type AutotuningOptions } from "./autotune.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-autotuning-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const target = await targetOf({ threads: 1 });
const graph = graphOf("ConvGradWeight");

async function choices(autotuning: Autotuning, more: Partial<AutotuningOptions> = {}, of: Graph = graph) {
  return chooseLowerings(of, { autotuning, target, folder, ...more });
}

async function lowered(autotuning: Autotuning): Promise<Graph> {
  return lowerPrimitives(graph, { ...target, choose: asChosen(await choices(autotuning)) });
}

/** Puts another lowering than the static one into the cache, as if it had been measured. */
async function pin(): Promise<string> {
  const [layer] = await choices("full");
  const other = layer?.candidates[1] ?? "";
  const [name = ""] = await readdir(folder);
  if (layer === undefined) throw new Error("no layer");
  const identity = identityOf(layer.node, layer.candidates, target);
  const found = await findChoice(folder, identity);
  if (found.kind !== "found") throw new Error("nothing was kept");
  await rm(join(folder, name));
  await keepChoice(folder, { ...found.choice, lowering: other });
  return other;
}

describe("off", () => {
  test("is the static choice, and neither reads nor writes the cache", async () => {
    await pin();
    expect(await choices("off")).toMatchObject([{ why: "static" }]);
    expect(await lowered("off")).toEqual(lowerPrimitives(graph, target));
    await rm(folder, { recursive: true });
    await choices("off");
    await expect(readdir(folder)).rejects.toThrow("ENOENT");
  });
});

describe("cached", () => {
  test("is the static choice where nothing was measured, and measures nothing", async () => {
    const onMeasured = vi.fn();
    expect(await choices("cached", { onMeasured })).toMatchObject([{ why: "static" }]);
    expect(await lowered("cached")).toEqual(lowerPrimitives(graph, target));
    expect(onMeasured).not.toHaveBeenCalled();
    expect(await readdir(folder)).toEqual([]);
  });

  test("is what was measured, also against the rule", async () => {
    const other = await pin();
    expect(await choices("cached")).toMatchObject([{ why: "cached", lowering: other }]);
    expect(await lowered("cached")).toEqual(lowerPrimitives(graph, { ...target, choose: () => other }));
    expect(await lowered("cached")).not.toEqual(lowerPrimitives(graph, target));
  });
});

describe("full", () => {
  test("measures once, and `cached` and `full` give the same graph from then on", async () => {
    const lines: string[] = [];
    const onMeasured = vi.fn();
    const [first] = await choices("full", { onMeasured, onNote: (line) => lines.push(line) });
    expect(first).toMatchObject({ why: "measured" });
    expect(onMeasured.mock.calls).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(lines[0]).toMatch(/^measured the lowerings of 1 shapes in/);
    for (const autotuning of ["full", "cached"] as const) {
      const [again] = await choices(autotuning, { onMeasured });
      expect(again).toEqual({ ...first, why: "cached" });
    }
    expect(onMeasured).toHaveBeenCalledTimes(2);
    expect(await lowered("cached")).toEqual(await lowered("full"));
  });

  test("does not measure what was measured, though the rule would choose another", async () => {
    const other = await pin();
    expect(await choices("full")).toMatchObject([{ why: "cached", lowering: other }]);
  });

  test("measures nothing where there is nothing to choose", async () => {
    expect(await choices("full", {}, graphOf("AveragePoolGrad"))).toMatchObject([{ why: "only" }]);
    expect(await readdir(folder)).toEqual([]);
  });

  test("says that a file is damaged, and measures again", async () => {
    await choices("full");
    const [name = ""] = await readdir(folder);
    await writeFile(join(folder, name), "rubbish");
    const lines: string[] = [];
    const onNote = (line: string): number => lines.push(line);
    expect(await choices("cached", { onNote })).toMatchObject([{ why: "static" }]);
    expect(lines.join()).toContain(name);
    expect(await choices("full", { onNote })).toMatchObject([{ why: "measured" }]);
    expect(await choices("cached", { onNote })).toMatchObject([{ why: "cached" }]);
  });

  test("goes on where nothing can be kept, says so once, and sticks to what it measured", async () => {
    const nowhere = join(folder, "file", "lowerings");
    await writeFile(join(folder, "file"), "");
    const lines: string[] = [];
    const onNote = (line: string): number => lines.push(line);
    const [first] = await choices("full", { folder: nowhere, onNote });
    expect(first).toMatchObject({ why: "measured" });
    const [again] = await choices("full", { folder: nowhere, onNote });
    expect(again).toMatchObject({ why: "cached", lowering: first?.lowering, measured: first?.measured });
    expect(lines.filter((line) => line.includes("cannot be kept"))).toHaveLength(1);
  });

  test("stops where who watches throws", async () => {
    const onMeasured = (): void => {
      throw new Error("stop");
    };
    await expect(choices("full", { onMeasured })).rejects.toThrow("stop");
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("what is in force", () => {
  afterEach(() => vi.unstubAllEnvs());

  test("is what is asked for, else WILDMARK_AUTOTUNING, else off", () => {
    vi.stubEnv("WILDMARK_AUTOTUNING", undefined);
    expect(autotuningOf({})).toBe("off");
    vi.stubEnv("WILDMARK_AUTOTUNING", "");
    expect(autotuningOf({})).toBe("off");
    vi.stubEnv("WILDMARK_AUTOTUNING", "cached");
    expect(autotuningOf({})).toBe("cached");
    expect(autotuningOf({ autotuning: "full" })).toBe("full");
  });

  test("a variable that says something else is refused", () => {
    vi.stubEnv("WILDMARK_AUTOTUNING", "fast");
    expect(() => autotuningOf({})).toThrow(/WILDMARK_AUTOTUNING is "fast"; expected one of off, cached, full/);
  });
});
