import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { silent } from "../core/progress.js";
import { imageHashes } from "../data/image-id.js";
import { throughChain } from "../data/through.js";
import { modelSuspect, NOT_ASKED, REFUSED } from "../ownership/suspect.js";
import { exportImages } from "../ownership/suspects/export.js";
import { firstQueries } from "../ownership/suspects/key-queries.js";
import { readLedger } from "../ownership/suspects/ledger.js";
import { writeManifest } from "../ownership/suspects/manifest.js";
import { startServer, type TestServer, WORDS } from "../ownership/suspects/testing/servers.js";
import { ownAnswers, smallKey, smallModel } from "../ownership/suspects/testing/small.js";
import { describeDryRun, dryRun, openSuspect, type SuspectChoice, suspectFlags } from "./suspect.js";

const model = smallModel();
const key = smallKey(10);
const { triggers, placebos = triggers } = firstQueries(key);

let folder = "";
let server: TestServer | undefined;
let keyPath = "";
let yaml = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-suspect-"));
  keyPath = join(folder, "mark.safetensors");
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(async () => {
  await server?.close();
  server = undefined;
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
});

async function serve(lines: string, options: Parameters<typeof startServer>[2] = {}): Promise<void> {
  server = await startServer("raw", model, options);
  yaml = join(folder, "suspect.yaml");
  await writeFile(yaml, `preset: raw\nurl: ${server.url}\nfirstWait: 0.01\n${lines}`);
}

const schema = z.object(suspectFlags);

function choice(flags: z.input<typeof schema>, path?: string): SuspectChoice {
  return {
    path,
    flags: schema.parse(flags),
    key,
    keyPath,
    keySha256: "ab".repeat(32),
    openModel: async (name) => modelSuspect(model, name),
    seed: 0,
    progress: silent,
    force: false,
    signal: new AbortController().signal,
  };
}

async function answersOf(chosen: SuspectChoice) {
  const { suspect, record, notes, close, queries } = await openSuspect(chosen);
  try {
    const said = [await suspect.ask(triggers), await suspect.ask(placebos)].map((answers) => Array.from(answers));
    return { said, record: record(), notes: notes(), queries };
  } finally {
    await close();
  }
}

test("a file, a table of answers and an endpoint of the same model: the same answers", async () => {
  await serve("");
  const { manifest } = exportImages([triggers, placebos]);
  await writeManifest(`${keyPath}.manifest.json`, manifest);
  const own = [await ownAnswers(model, triggers), await ownAnswers(model, placebos)];
  const hashes = [...imageHashes(triggers), ...imageHashes(placebos)];
  const csv = join(folder, "answers.csv");
  await writeFile(
    csv,
    manifest.images.map(({ name, sha256 }) => `${name},${own.flat()[hashes.indexOf(sha256)]}`).join("\n"),
  );
  const [file, answers, endpoint] = [
    await answersOf(choice({}, "model.onnx")),
    await answersOf(choice({ answers: csv })),
    await answersOf(choice({ endpoint: yaml, decoys: 6, dataset: "digits" })),
  ];
  for (const { said, queries } of [file, answers, endpoint]) {
    expect(said).toEqual(own);
    expect(queries).toEqual({ triggers: 10, placebos: 10 });
  }
  expect(file.record).toEqual({ kind: "model", name: "model.onnx" });
  expect(answers.record).toMatchObject({ kind: "answers", exported: 20, answered: 20 });
  expect(endpoint.record).toMatchObject({
    kind: "endpoint",
    transcript: `${keyPath}.suspect.transcript.jsonl`,
    ledger: `${keyPath}.ledger.jsonl`,
    asked: 26,
    refused: 0,
    decoys: { answered: 6 },
  });
  expect(endpoint.notes.join("\n")).toMatch(
    /26 images asked, 26 of them now; 26 answered, 0 refused.*\ndecoys: \d of 6/,
  );
  expect(await readLedger(`${keyPath}.ledger.jsonl`)).toHaveLength(20);
});

test("the same command goes on with the same decoys, and asks twice only as a check", async () => {
  await serve("concurrency: 2");
  const chosen = choice({ endpoint: yaml, decoys: 5, dataset: "digits" });
  await answersOf(chosen);
  const { record, notes } = await answersOf(chosen);
  // The two calls ask for ten triggers and ten placebos, all of which are checked.
  expect(record).toMatchObject({ asked: 25, askedNow: 20, checked: 20, unheard: { answers: 0, of: 20 } });
  expect(notes.join("\n")).toContain("20 answers of the transcript were asked for again, and were the same");
  expect(server?.requests()).toBe(25 + 20);
  const fresh = await answersOf({ ...chosen, flags: { ...chosen.flags, fresh: true } });
  expect(fresh.record).toMatchObject({ asked: 25, askedNow: 25, checked: 0 });
});

test("--queries asks the first triggers with their placebos; a budget does so by itself", async () => {
  await serve("budget: 11\ncostPerQuery: 0.5");
  const first = (counts: readonly number[]) => counts.map((label, i) => (i < 4 ? label : NOT_ASKED));
  const expected = [first(await ownAnswers(model, triggers)), first(await ownAnswers(model, placebos))];
  expect((await answersOf(choice({ queries: 4 }, "model.onnx"))).said).toEqual(expected);
  // 4 triggers, 4 placebos and 3 decoys are 11.
  const { said, record, queries } = await answersOf(choice({ endpoint: yaml, decoys: 3, dataset: "digits" }));
  expect(said).toEqual(expected);
  expect(queries).toEqual({ triggers: 4, placebos: 4 });
  expect(record).toMatchObject({ asked: 11, cost: 5.5 });
  await expect(openSuspect(choice({ endpoint: yaml, decoys: 10, dataset: "digits" }))).rejects.toThrow(
    "budget of 11 queries is too small for one trigger",
  );
});

test("a dry run sends nothing and writes nothing", async () => {
  await serve("costPerQuery: 0.01\nperMinute: 60");
  const chosen = choice({ endpoint: yaml, queries: 6, decoys: 8, dataset: "digits", dryRun: true });
  const lines = describeDryRun(await dryRun(chosen), "p = 0.016");
  expect(lines).toEqual([
    "20 queries: 6 triggers, 6 placebos, 8 decoys",
    "0 are in the transcript already; 20 would be sent",
    "cost: 0.2 USD",
    "time: at least 20 s, at the rate that the description allows",
    "smallest p-value that can be reached: p = 0.016",
  ]);
  expect(server?.requests()).toBe(0);
  expect(await readdir(folder)).toEqual(["suspect.yaml"]);
  await answersOf(choice({ endpoint: yaml, queries: 6 }));
  expect(describeDryRun(await dryRun(chosen), "")[1]).toBe(
    "12 are in the transcript already, 12 of them would be asked again; 20 would be sent",
  );
  const fresh = { ...chosen, flags: { ...chosen.flags, fresh: true } };
  expect(describeDryRun(await dryRun(fresh), "")[1]).toBe("0 are in the transcript already; 20 would be sent");
});

test("answers that were read and not heard are said, and so is a check that the budget did not allow", async () => {
  await serve("budget: 20");
  const chosen = choice({ endpoint: yaml });
  const opened = await openSuspect(chosen);
  await opened.suspect.ask(triggers);
  expect([opened.lacks(), opened.unheard()]).toEqual([[], undefined]);
  await opened.close();
  const again = await openSuspect(chosen);
  await again.suspect.ask(triggers);
  await again.suspect.ask(placebos);
  expect(again.lacks()).toEqual([]);
  await again.close();
  // Twenty of twenty are spent.
  const spent = await openSuspect(chosen);
  await spent.suspect.ask(triggers);
  expect(spent.lacks()).toEqual([expect.stringContaining("--fresh")]);
  expect(spent.unheard()).toEqual({ answers: 10, of: 10 });
  await spent.close();
});

test("what is paid for where somebody chose which class each word or score is: none for the key's own", async () => {
  await serve("");
  const named = { ...key, classNames: WORDS };
  const words = async (labels: string, of: SuspectChoice["key"] = named): Promise<number> => {
    const csv = join(folder, "answers.csv");
    await writeManifest(`${keyPath}.manifest.json`, exportImages([triggers]).manifest, { force: true });
    await writeFile(csv, "");
    return (await openSuspect({ ...choice({ answers: csv, labels }), key: of })).chosenAmong();
  };
  expect(await words(WORDS.join(","))).toBe(0);
  // As answers are read: whatever case, spaces, hyphens; numbers; and what only the suspect knows behind them.
  expect(await words(WORDS.map((word) => ` ${word.toUpperCase()}`).join(","))).toBe(0);
  expect(await words([...WORDS, "other", "another"].join(","))).toBe(0);
  expect(await words("0,1,2,3,4,5,6,7,8,9")).toBe(0);
  expect(await words("LABEL_0,LABEL_1,2,3,4,5,6,7,8,9")).toBe(0);
  const [first = "", second = "", ...rest] = WORDS;
  expect(await words([second, first, ...rest].join(","))).toBe(10);
  expect(await words([second, first, ...rest, "other", "another"].join(","))).toBe(12);
  expect(await words("zero,one,two,three,four,five,six,seven,eight,nine", key)).toBe(10);
  const order = async (classes: readonly (number | string)[]): Promise<number> => {
    await writeFile(
      yaml,
      `preset: raw\nurl: http://127.0.0.1:1\nanswer: {as: scores, order: [${classes.join(", ")}]}\n`,
    );
    const opened = await openSuspect(choice({ endpoint: yaml, transcript: join(folder, `${classes.join()}.jsonl`) }));
    await opened.close();
    return opened.chosenAmong();
  };
  expect(await order([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])).toBe(0);
  expect(await order([1, 0, 2, 3, 4, 5, 6, 7, 8, 9])).toBe(10);
  expect(await order([1, 0, 2, 3, 4, 5, 6, 7, 8, 9, "other", "another"])).toBe(12);
});

test("--through: the model is asked what the way leaves of the images", async () => {
  await serve("");
  const { said, record, notes } = await answersOf(choice({ through: "resize:20,jpeg:75" }, "model.onnx"));
  expect(said[0]).toEqual(await ownAnswers(model, await throughChain("resize:20,jpeg:75")(triggers)));
  expect(record).toEqual({ kind: "model", name: "model.onnx", through: "resize:20,jpeg:75" });
  expect(notes.join()).toContain("went through resize:20,jpeg:75");
});

test("a transcript that cannot be used leaves nothing locked", async () => {
  await serve("");
  await writeFile(`${keyPath}.suspect.transcript.jsonl`, "{}\n");
  await expect(openSuspect(choice({ endpoint: yaml }))).rejects.toThrow("the chain is broken at line 1");
  await expect(stat(`${keyPath}.suspect.transcript.jsonl.lock`)).rejects.toThrow();
});

test("refusals count in a table and at an endpoint alike", async () => {
  const refused = (pixels: readonly number[]): boolean => pixels.reduce((sum, value) => sum + value, 0) % 5 === 0;
  await serve("", { mishap: (_, pixels) => (refused(pixels) ? { status: 451 } : undefined) });
  const endpoint = await answersOf(choice({ endpoint: yaml }));
  const { manifest } = exportImages([triggers, placebos]);
  await writeManifest(`${keyPath}.manifest.json`, manifest);
  const hashes = [...imageHashes(triggers), ...imageHashes(placebos)];
  const labels = endpoint.said.flat();
  const csv = join(folder, "answers.csv");
  const line = (name: string, label: number | undefined) => `${name},${label === REFUSED ? "" : label}`;
  await writeFile(
    csv,
    manifest.images.map(({ name, sha256 }) => line(name, labels[hashes.indexOf(sha256)])).join("\n"),
  );
  expect((await answersOf(choice({ answers: csv }))).said).toEqual(endpoint.said);
  expect(labels.filter((label) => label === REFUSED).length).toBeGreaterThan(0);
  expect((await readFile(`${keyPath}.suspect.transcript.jsonl`, "utf8")).match(/"outcome":"refused"/g)?.length).toBe(
    labels.filter((label) => label === REFUSED).length,
  );
});

test.each<[z.input<typeof schema>, string | undefined, string]>([
  [{}, undefined, "No suspect was named."],
  [{ answers: "a.csv" }, "m.onnx", "2 suspects were named: m.onnx, --answers a.csv."],
  [{ answers: "a.csv", endpoint: "s.yaml" }, undefined, "2 suspects were named"],
  [{ answers: "a.csv", through: "jpeg:75" }, undefined, "--through means nothing for a table of answers."],
  [{ endpoint: "s.yaml", through: "jpeg:75" }, undefined, "--through means nothing for an endpoint."],
  [{ decoys: 5, dataset: "digits" }, "m.onnx", "--decoys means nothing for a model's file."],
  [{ labels: "a,b" }, "m.onnx", "--labels means nothing for a model's file."],
  [{ endpoint: "s.yaml", manifest: "m.json" }, undefined, "--manifest means nothing for an endpoint."],
  [{ dryRun: true }, "m.onnx", "--dry-run means nothing for a model's file."],
])("%j with %s is refused", async (flags, path, message) => {
  await expect(openSuspect(choice(flags, path))).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining(message),
  });
});
