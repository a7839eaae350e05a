/** @file Help texts and the version, and what is loaded for them. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

/** What V8 writes of the scripts that ran. */
const coverageSchema = z.object({ result: z.array(z.object({ url: z.string() })) });

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

test("the root help names every command, an example and the responsible use", async () => {
  const { status, stdout, stderr } = await wildmark(folder, "--help");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
  expect(stdout).toContain("Responsible use");
  expect(stdout).toContain("Examples:");
});

test("the root help comes at once: nothing is loaded for it but the command line's own library", async () => {
  const loaded = join(folder, "loaded");
  await wildmark(folder, "--help", { NODE_V8_COVERAGE: loaded });
  const [report = ""] = await readdir(loaded);
  const { result } = coverageSchema.parse(JSON.parse(await readFile(join(loaded, report), "utf8")));
  const packages = result.flatMap(({ url }) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  expect([...new Set(packages)]).toEqual(["commander"]);
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
