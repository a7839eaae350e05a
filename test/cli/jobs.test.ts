/** @file Cells computed side by side in processes of their own give the same bytes as one after the other. */

import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { contentsWithoutTimes } from "../../src/experiments/testing/folder.js";
import { start, wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const line =
  "reproduce --dataset digits --limit 2100 --test-limit 100 --watermarks content,noise --metrics js --no-baselines " +
  "--epochs 2 --training-epochs 1 --budgets 0.2";

describe("wildmark reproduce --jobs", () => {
  test("same models, keys and cells whatever the number of jobs", async () => {
    for (const jobs of [1, 3]) {
      const run = await wildmark(folder, `${line} --jobs ${jobs} --out jobs-${jobs}`);
      expect(run.status, run.stderr).toBe(0);
      expect(run.stderr).toContain("[7/7]");
      expect(run.stderr).not.toContain("found finished");
    }
    const cells = (jobs: number) => contentsWithoutTimes(join(folder, `jobs-${jobs}`, "cells"));
    const alone = await cells(1);

    expect(Object.keys(alone).length).toBe(7 + 5 + 2);
    expect(await cells(3)).toEqual(alone);
  });

  test("Ctrl-C ends all processes at once, and the same command goes on", async () => {
    const words = `${line} --jobs 2 --out stopped`.split(" ");
    const running = start(folder, words);
    await new Promise<void>((resolve) => {
      running.process.stderr?.on("data", (text: Buffer | string) => {
        if (String(text).includes("[1/7]")) resolve();
      });
    });
    running.process.kill("SIGINT");
    const { status, stderr } = await running.ended;
    expect(status, stderr).toBe(130);
    const resumed = await wildmark(folder, words.join(" "));
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(resumed.stderr).toContain("found finished");
    expect(await contentsWithoutTimes(join(folder, "stopped", "cells"))).toEqual(
      await contentsWithoutTimes(join(folder, "jobs-1", "cells")),
    );
  });
});
