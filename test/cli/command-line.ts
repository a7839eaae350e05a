/** @file Runs the built command line as people do: as a process of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Variables to set, or to unset where undefined. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Starts `wildmark` with these words, in `folder`; caches go beside it, and hold no data set. */
export function start(folder: string, words: readonly string[], env: Environment = {}): Running {
  const child = spawn(process.execPath, [MAIN, ...words], {
    cwd: folder,
    env: { ...process.env, WILDMARK_THREADS: "1", WILDMARK_DATA: "", XDG_CACHE_HOME: `${folder}-cache`, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
  return { process: child, ended };
}

/** Runs `wildmark` to its end. The words are split at spaces. */
export function wildmark(folder: string, line: string, env: Environment = {}): Promise<Ended> {
  return start(folder, line.split(" "), env).ended;
}

/** A folder of a test file's own. */
export async function workFolder(): Promise<{ readonly folder: string; readonly remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "wildmark-cli-"));
  return {
    folder,
    remove: async () => {
      for (const path of [folder, `${folder}-cache`]) await rm(path, { recursive: true, force: true });
    },
  };
}
