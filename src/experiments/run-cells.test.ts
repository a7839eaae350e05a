/** @file Which cells are begun, in which order, and what becomes of the others when one fails. */

import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { isClaimed, takeClaim } from "./claims.js";
import type { PlannedCell } from "./plan.js";
import { type CellWork, runCells } from "./run-cells.js";
import { type Cell, finishCell, stemOf } from "./store.js";

let out: string;
beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), "wildmark-cells-"));
});
afterEach(() => rm(out, { recursive: true, force: true }));

/** Cell i stands on `needs[i]`; `finish` is what it does. */
function experiment(needs: readonly (readonly number[])[], finish: (position: number) => Promise<void>): CellWork {
  const plan: PlannedCell[] = needs.map((each, position) => ({
    address: { kind: "null-model", seed: position },
    position,
    needs: each,
    what: `cell ${position}`,
    steps: 1,
  }));
  return {
    plan,
    async finish({ position }) {
      await finish(position);
      return { line: `did ${position}`, computed: true };
    },
    pack: () => {
      throw new Error("stays here");
    },
  };
}

describe("what is begun", () => {
  test("the plan's order, and nothing before what it stands on", async () => {
    const order: number[] = [];
    const notes: string[] = [];
    await runCells(
      experiment([[], [0], [], [1, 2]], async (position) => void order.push(position)),
      { out, progress: { update: () => {}, note: (line) => void notes.push(line) } },
    );
    expect(order).toEqual([0, 1, 2, 3]);
    expect(notes).toEqual(["[1/4] did 0", "[2/4] did 1", "[3/4] did 2", "[4/4] did 3"]);
  });

  test("some of the plan, where only some are asked for", async () => {
    const order: number[] = [];
    const whole = experiment([[], [0], [], [2]], async (position) => void order.push(position));
    await runCells(whole, { out }, { cells: whole.plan.slice(2) });
    expect(order).toEqual([2, 3]);
  });
});

describe("a cell that fails", () => {
  const failing = (order: number[], error: Error) =>
    experiment([[], [0], [1], []], async (position) => {
      order.push(position);
      if (position === 0) throw error;
    });

  test("takes with it only what stands on it", async () => {
    const order: number[] = [];
    const told: string[] = [];
    const onFailure = async ({ what }: PlannedCell, { message }: Error): Promise<void> => {
      told.push(`${what}: ${message}`);
    };
    const failures = await runCells(failing(order, new Error("broken")), { out }, { onFailure });
    expect(order).toEqual([0, 3]);
    expect([...failures.keys()]).toEqual([0, 1, 2]);
    expect(told).toEqual([
      "cell 0: broken",
      "cell 1: it stands on another cell that failed (cell 0)",
      "cell 2: it stands on another cell that failed (cell 1)",
    ]);
  });

  test.each(["cannot-write", "interrupted"] as const)("ends all in any case when it is %s", async (code) => {
    const order: number[] = [];
    const cells = failing(order, new WildmarkError(code, "no more"));
    await expect(runCells(cells, { out })).rejects.toMatchObject({ code });
    expect(order).toEqual([0]);
  });
});

const cell: Cell<number> = {
  name: "shared",
  spec: {},
  schema: z.number(),
  compute: async () => ({ result: 42, files: {} }),
};
const claimPath = (): string => join(out, `${stemOf(cell)}.claim`);

describe("several processes on one folder", () => {
  test("a cell that another one computes is left alone, and waited for at last", async () => {
    // The process that started this one: alive, and somebody else.
    await writeFile(claimPath(), JSON.stringify({ host: hostname(), pid: process.ppid }));
    const order: number[] = [];
    const cells = experiment([[], []], async (position) => {
      if (position === 0) await finishCell(out, cell);
      order.push(position);
    });
    const running = runCells(cells, { out });
    await setTimeout(100);
    expect(order).toEqual([1]);
    await rm(claimPath());
    await running;
    expect(order).toEqual([1, 0]);
  });

  test("a claim is held while a cell is computed, and never after", async () => {
    let held = false;
    const compute = async () => {
      held = await isClaimed(claimPath());
      return { result: 42, files: {} };
    };
    await finishCell(out, { ...cell, compute });
    expect([held, await isClaimed(claimPath())]).toEqual([true, false]);
    await rm(join(out, `${stemOf(cell)}.json`));
    const failing = { ...cell, compute: () => Promise.reject(new Error("broken")) };
    await expect(finishCell(out, failing)).rejects.toThrow("broken");
    expect(await isClaimed(claimPath())).toBe(false);
  });

  test.each([
    ["a process that is no more", () => JSON.stringify({ host: hostname(), pid: 2 ** 30 })],
    ["an earlier process with the number of this one", () => JSON.stringify({ host: hostname(), pid: process.pid })],
  ])("the claim of %s is taken over", async (_, note) => {
    await writeFile(claimPath(), note());
    expect(await isClaimed(claimPath())).toBe(false);
    const claim = await takeClaim(claimPath());
    expect(claim).toBeDefined();
    expect(await takeClaim(claimPath())).toBeUndefined();
    await claim?.release();
    expect((await finishCell(out, cell)).computed).toBe(true);
  });

  test("the claim of another machine is believed while it is fresh", async () => {
    await writeFile(claimPath(), JSON.stringify({ host: `not-${hostname()}`, pid: 1 }));
    expect(await isClaimed(claimPath())).toBe(true);
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(claimPath(), longAgo, longAgo);
    expect(await isClaimed(claimPath())).toBe(false);
  });
});
