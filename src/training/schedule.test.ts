import { expect, test } from "vitest";
import { parseSchedule, type Schedule, scheduleFactor, scheduleText } from "./schedule.js";

const factors = (schedule: Schedule, steps: readonly number[]): number[] =>
  steps.map((step) => scheduleFactor(schedule, step, 10, 4));

test("constant, step and exponential change at epoch boundaries only", () => {
  expect(factors(parseSchedule("constant"), [0, 39])).toEqual([1, 1]);
  expect(factors(parseSchedule("step:2:0.1"), [0, 19, 20, 39])).toEqual([1, 1, 0.1, 0.1]);
  expect(factors(parseSchedule("step:1:0.1:2"), [9, 10, 20, 39]).map((factor) => factor.toFixed(9))).toEqual(
    [1, 0.1, 0.01, 0.01].map((factor) => factor.toFixed(9)),
  );
  expect(factors(parseSchedule("exponential:0.5"), [0, 9, 10, 20, 39])).toEqual([1, 1, 0.5, 0.25, 0.125]);
});

test("cosine falls from 1 to its floor", () => {
  const [first, middle, last] = factors({ kind: "cosine", floor: 0.2 }, [0, 20, 40]);
  expect(first).toBe(1);
  expect(middle).toBeCloseTo(0.6, 12);
  expect(last).toBeCloseTo(0.2, 12);
});

test("one-cycle warms up linearly, peaks at 1 and ends at 0", () => {
  const cycle: Schedule = { kind: "one-cycle", warmup: 0.25, start: 0.04 };
  const [first, half, peak, end] = factors(cycle, [0, 5, 10, 40]);
  expect(first).toBeCloseTo(0.04, 12);
  expect(half).toBeCloseTo(0.52, 12);
  expect(peak).toBeCloseTo(1, 12);
  expect(end).toBeCloseTo(0, 12);
});

test("one-cycle takes its share of warm-up", () => {
  expect(parseSchedule("one-cycle")).toEqual({ kind: "one-cycle", warmup: 0.25, start: 0.04 });
  expect(parseSchedule("one-cycle:0.1")).toEqual({ kind: "one-cycle", warmup: 0.1, start: 0.04 });
});

test("triangle rises and falls in straight lines", () => {
  expect(parseSchedule("triangle")).toEqual({ kind: "triangle", peak: 0, start: 0, end: 0 });
  expect(factors(parseSchedule("triangle"), [0, 10, 30, 40])).toEqual([1, 0.75, 0.25, 0]);
  const found = factors(parseSchedule("triangle:0.25:0.2:0.4"), [0, 5, 10, 25, 40]);
  [0.2, 0.6, 1, 0.7, 0.4].forEach((factor, i) => {
    expect(found[i]).toBeCloseTo(factor, 12);
  });
});

test("text that is no schedule is refused", () => {
  for (const text of [
    ...[
      "linear",
      "step",
      "step:1",
      "exponential",
      "cosine:1",
      "one-cycle:2",
      "one-cycle:0.1:0.2",
      "",
      "step:2:0.1:0",
      "step:2:0.1:3:4",
      "exponential:",
      "triangle:1",
      "triangle:0.2:-1",
      "triangle:0.1:0.1:0.1:0.1",
    ],
    ...["step:0:0.5", "step:1.5:0.5", "step:1:0", "exponential:1.2.3", "exponential:0", "exponential:-1"],
  ]) {
    expect(scheduleText.safeParse(text).success, text).toBe(false);
  }
});
