/** @file Help texts, the version, and how soon they come. */

import { afterAll, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const COMMANDS = [
  "demo",
  "audit",
  "reproduce",
  "remove",
  "report",
  "embed",
  "verify",
  "certify",
  "train",
  "evaluate",
  "info",
  "list",
];

test("the root help names every command, an example and the responsible use, and comes at once", async () => {
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    const { status, stdout, stderr } = await wildmark(folder, "--help");
    times.push(performance.now() - start);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(stdout).toContain("Responsible use");
    expect(stdout).toContain("Examples:");
  }
  // 0.3 s is the promise; a machine that is busy with other tests gets some grace.
  expect(Math.min(...times)).toBeLessThan(600);
});

test("without a word, the same help", async () => {
  const [bare, asked] = await Promise.all([wildmark(folder, "--help"), wildmark(folder, "help")]);
  expect(asked).toEqual(bare);
});

test("--version", async () => {
  expect((await wildmark(folder, "--version")).stdout).toBe(`${manifest.version}\n`);
});

test.each([[COMMANDS.slice(0, 6)], [[...COMMANDS.slice(6), "data fetch", "data list", "key commit"]]])(
  "the help of %s has examples and the common options",
  async (commands) => {
    await Promise.all(
      commands.map(async (command) => {
        const { status, stdout, stderr } = await wildmark(folder, `${command} --help`);
        expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: "" });
        expect(stdout).toMatch(new RegExp(`Examples:\n  wildmark ${command}`));
        for (const flag of ["--json", "--quiet"]) expect(stdout, command).toContain(flag);
      }),
    );
  },
);

test("help follows the method and the mark", async () => {
  const [wild, fineTune, noise, fresh, given] = await Promise.all([
    wildmark(folder, "remove --help"),
    wildmark(folder, "remove --method=fine-tune --help"),
    wildmark(folder, "help embed --scheme noise"),
    wildmark(folder, "embed --help"),
    wildmark(folder, "embed model.onnx --help"),
  ]);
  expect(wild.stdout).toMatch(/Options of wild:\n +--metric <ce\|js> /);
  expect(fineTune.stdout).toMatch(/Options of fine-tune:\n +--variant /);
  expect(fineTune.stdout).not.toContain("--metric <");
  expect(noise.stdout).toContain("--sigma");
  expect(fresh.stdout).toContain("(default: 0.05)");
  expect(given.stdout).toContain("(default: 0.01)");
});
