/** @file Streams that are closed, full or left; failures as documents; options given twice; a Node that is too old. */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Ended, MAIN, wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const TRAIN = "train --dataset digits --limit 200 --test-limit 50 --epochs 2 --batch 32 --out";
const errorSchema = z.strictObject({
  error: z.strictObject({
    code: z.string(),
    message: z.string(),
    hint: z.string().nullable(),
    details: z.array(z.string()),
    status: z.int(),
  }),
});
const coverageSchema = z.object({ result: z.array(z.object({ url: z.string() })) });

/** Runs `wildmark` in a shell, with what comes after its words: redirections, pipes. */
function inShell(line: string, after: string): Promise<Ended> {
  const env = { ...process.env, WILDMARK_THREADS: "1", XDG_CACHE_HOME: `${folder}-cache` };
  const words = [process.execPath, MAIN, ...line.split(" ")];
  return new Promise((resolve) => {
    execFile(
      "sh",
      ["-c", `${after.includes("}") ? "{ " : ""}"$0" "$@" ${after}`, ...words],
      { cwd: folder, env },
      (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}

describe.runIf(process.platform !== "win32")("streams", () => {
  const full = existsSync("/dev/full");

  test.each<[string, string]>([
    ["closed", "2>&-"],
    ...(full ? ([["full", "2>/dev/full"]] satisfies [string, string][]) : []),
    // The reader goes at once; the status is that of the first part.
    ["left", "2>&1 >out.txt | true; cat out.txt"],
  ])("a %s stderr kills no work", async (name, after) => {
    const { status, stdout } = await inShell(`${TRAIN} ${name}.onnx`, after);
    expect({ status, stdout: /^Accuracy .*\nModel: /.test(stdout) }).toEqual({ status: 0, stdout: true });
    expect((await stat(join(folder, `${name}.onnx`))).size).toBeGreaterThan(1000);
  });

  test.runIf(full)("a full stdout is said in two lines, after the work; with --json too", async () => {
    for (const flag of ["", " --json"]) {
      const { status, stderr } = await inShell(`${TRAIN} out.onnx --force --quiet${flag}`, ">/dev/full");
      expect(status).toBe(2);
      expect(stderr).toMatch(
        /^wildmark: The outcome could not be written to standard output: the disk is full\.\n {2}.*\n$/,
      );
      await rm(join(folder, "out.onnx"));
    }
    expect((await inShell("remove --help", ">/dev/full")).status).toBe(2);
  });

  test("who has taken the beginning of an outcome may go; who took nothing has lost it", async () => {
    const seen = await inShell("list methods --json", "| head -1");
    expect(seen).toEqual({ status: 0, stdout: "[\n", stderr: "" });
    // The reader closes its end before it says that it did; only then is anything written.
    const unread = await inShell("list methods", "; echo $? >&2; } | exec <&-");
    expect(unread.stderr).toMatch(/^wildmark: The outcome .* closed before\.\n {2}.*\n2\n$/);
  });

  test("closed altogether, nothing is said and nothing breaks", async () => {
    expect(await inShell("list marks", ">&- 2>&-")).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(await inShell("list nothing", ">&- 2>&-")).toEqual({ status: 2, stdout: "", stderr: "" });
  });
});

describe("with --json, failures are documents", () => {
  test.each([
    ["list nothing --json", "usage", /no "nothing"/],
    ["remove missing.onnx --dataset digits --out o.onnx --json", "bad-file", /^missing\.onnx/],
    ["remove m.onnx --json", "usage", /must be given/],
    ["remove --method wold --json", "usage", /wold/],
    ["foo --json", "usage", /unknown command 'foo'/],
    ["list marks --nope --json", "usage", /unknown option '--nope'/],
  ])("%s", async (line, code, message) => {
    const { status, stdout, stderr } = await wildmark(folder, line);
    const { error } = errorSchema.parse(JSON.parse(stdout));
    expect(error).toMatchObject({ code, status: 2, message: expect.stringMatching(message) });
    expect(status).toBe(2);
    expect(stderr).toContain(error.message.slice(0, 20));
  });

  test("without it, stdout stays empty", async () => {
    expect((await wildmark(folder, "list nothing")).stdout).toBe("");
  });
});

describe("an option that is given twice", () => {
  test("is refused where it takes one value, before anything is read", async () => {
    const { status, stderr } = await wildmark(folder, "remove missing.onnx --seed 1 --seed=2 --dataset x --out o");
    expect(status).toBe(2);
    expect(stderr).toMatch(/^wildmark: --seed is given twice: 1 and 2\.\n/);
  });

  test("means both where it takes a list", async () => {
    const { stderr } = await wildmark(folder, "audit m.onnx --key k --dataset digits --budgets 5% --budgets 500%");
    expect(stderr).toContain("--budgets 5%,500%: expected at most 1.");
  });
});

test("a Node that is too old is told so, before anything is loaded that it could not read", async () => {
  const loaded = join(folder, "loaded");
  const older = 'data:text/javascript,Object.defineProperty(process,"version",{value:"v18.20.8"})';
  const env = { ...process.env, NODE_V8_COVERAGE: loaded };
  const ended = await new Promise<Ended>((resolve) => {
    execFile(process.execPath, ["--import", older, MAIN, "--version"], { env }, (error, stdout, stderr) => {
      resolve({ status: Number(error?.code ?? 0), stdout, stderr });
    });
  });
  expect(ended).toEqual({
    status: 2,
    stdout: "",
    stderr: expect.stringMatching(/^wildmark: Node v18\.20\.8 is too old.*\n$/),
  });
  const [report = ""] = await readdir(loaded);
  const { result } = coverageSchema.parse(JSON.parse(await readFile(join(loaded, report), "utf8")));
  const own = result.flatMap(({ url }) => /\/dist\/(.*)$/.exec(url)?.[1] ?? []);
  expect(own.toSorted()).toEqual(["cli/main.js", "cli/node-floor.js"]);
});
