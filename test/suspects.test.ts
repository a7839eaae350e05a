/**
 * @file A process that asks an endpoint is killed again and again: what it was answered is asked twice only as a check.
 */

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { readTranscript } from "../src/ownership/suspects/endpoint/transcript.js";
import { startServer } from "../src/ownership/suspects/testing/servers.js";
import { digits, ownAnswers, smallModel } from "../src/ownership/suspects/testing/small.js";

const folder = await mkdtemp(join(tmpdir(), "wildmark-killed-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (path: string): string => JSON.stringify(new URL(`../dist/${path}`, import.meta.url).href);

/** Asks the endpoint forty digits and prints what it said. */
const SCRIPT = `
import { readEndpoint } from ${at("ownership/suspects/endpoint/config.js")};
import { endpointSuspect } from ${at("ownership/suspects/endpoint/endpoint.js")};
import { openTranscript } from ${at("ownership/suspects/endpoint/transcript.js")};
import { renderDigits } from ${at("data/digits.js")};
const config = await readEndpoint("suspect.yaml");
const transcript = await openTranscript("transcript.jsonl", { to: config.name, asking: config.asking });
const suspect = endpointSuspect(config, { classes: 10, transcript });
console.log(JSON.stringify(await suspect.ask(renderDigits("test", 40, 5))));
await suspect.close();
`;

function start() {
  const child = spawn(process.execPath, ["--input-type=module", "-e", SCRIPT], { cwd: folder });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  let failed = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    failed += text;
  });
  const ended = new Promise<{ readonly said: string; readonly failed: string }>((resolve) => {
    child.on("close", () => resolve({ said, failed }));
  });
  return { child, ended };
}

test("killed five times, it goes on each time and ends with the model's own answers", async () => {
  const model = smallModel();
  let kill = (): void => {};
  const server = await startServer("raw", model, {
    mishap: (number) => {
      if (number % 7 === 0 && number <= 35) kill();
      return { slow: 5 };
    },
  });
  try {
    await writeFile(join(folder, "suspect.yaml"), `preset: raw\nurl: ${server.url}\nconcurrency: 2\n`);
    let kills = 0;
    for (;;) {
      const { child, ended } = start();
      kill = () => {
        kills++;
        child.kill("SIGKILL");
      };
      const { said, failed } = await ended;
      if (child.signalCode === "SIGKILL") continue;
      expect(failed).toBe("");
      expect(z.array(z.int()).parse(JSON.parse(said))).toEqual(await ownAnswers(model, digits(40)));
      break;
    }
    expect(kills).toBe(5);
    // Each kill may lose the answers that were under way, two at most; all others were asked once, and some as a check.
    const found = await readTranscript(join(folder, "transcript.jsonl"));
    const checks = found?.entries.filter(({ again }) => again === true).length ?? 0;
    expect(server.requests()).toBeGreaterThanOrEqual(40 + checks);
    expect(server.requests()).toBeLessThanOrEqual(40 + checks + 2 * kills);
    expect(found?.entries).toHaveLength(40 + checks);
    expect(new Set(found?.entries.map(({ image }) => image)).size).toBe(40);
    expect(await readFile(join(folder, "transcript.jsonl"), "utf8")).toMatch(/^\{"n":0,/);
  } finally {
    await server.close();
  }
});
