import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { workQueue } from "./queue.js";

describe("a queue of work", () => {
  test("runs what comes first in the plan first, whatever was added first", async () => {
    const queue = workQueue(1);
    const order: number[] = [];
    const add = (position: number): Promise<void> => queue.add(position, async () => void order.push(position));
    await Promise.all([add(3), add(1), add(2)]);
    expect(order).toEqual([1, 2, 3]);
  });

  test("what follows from finished work may come before what waits", async () => {
    const queue = workQueue(1);
    const order: string[] = [];
    const first = queue
      .add(0, async () => void order.push("first"))
      .then(() => queue.add(1, async () => void order.push("follows")));
    const later = queue.add(2, async () => void order.push("waits"));
    await Promise.all([first, later]);
    expect(order).toEqual(["first", "follows", "waits"]);
  });

  test.each([1, 2, 3])("runs at most %i pieces at once, and that many", async (atOnce) => {
    const queue = workQueue(atOnce);
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await setTimeout(5);
      running -= 1;
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => queue.add(i, work)));
    expect(most).toBe(atOnce);
  });

  test("after a failure nothing that waits is begun, and all of it fails alike", async () => {
    const queue = workQueue(1);
    let begun = 0;
    const failing = queue.add(0, () => Promise.reject(new Error("broken")));
    const waiting = [1, 2].map((position) =>
      queue.add(position, async () => {
        begun += 1;
      }),
    );
    const results = await Promise.allSettled([failing, ...waiting]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(begun).toBe(0);
    await expect(queue.add(3, async () => 1)).rejects.toThrow("broken");
  });
});
