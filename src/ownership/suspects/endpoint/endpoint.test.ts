import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { randomStream } from "../../../core/random.js";
import { type Images, selectImages } from "../../../data/dataset.js";
import { renderDigits } from "../../../data/digits.js";
import { imageHashes } from "../../../data/image-id.js";
import { throughChain } from "../../../data/through.js";
import { NOT_ASKED, REFUSED } from "../../suspect.js";
import { firstQueries, keySecrets } from "../key-queries.js";
import { openLedger, readLedger } from "../ledger.js";
import { type ServerOptions, startServer, type TestServer, WORDS } from "../testing/servers.js";
import { digits, ownAnswers, smallKey, smallModel } from "../testing/small.js";
import { type EndpointConfig, parseEndpoint, type PresetId } from "./config.js";
import { CHECKED, type EndpointOptions, endpointSuspect } from "./endpoint.js";
import { openTranscript, readTranscript } from "./transcript.js";

const model = smallModel();
const images = digits(10);
const TOKEN = "hf_verysecrettoken123";
const env = { TOKEN };

let folder = "";
let own: number[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-endpoint-"));
  own = await ownAnswers(model, images);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
async function serve(protocol: PresetId, options: ServerOptions = {}): Promise<TestServer> {
  const server = await startServer(protocol, model, options);
  servers.push(server);
  return server;
}

/** Waits of tests are short; everything else is as it is by default. */
const QUICK = "firstWait: 0.01\nlongestWait: 5\n";
const RAW = "preset: raw\n";

function config(server: TestServer, lines: string): EndpointConfig {
  return parseEndpoint(`url: ${server.url}\n${QUICK}${lines}`, "suspect.yaml", env);
}

let serial = 0;
const freshPath = (): string => join(folder, `transcript${serial++}.jsonl`);

async function open(described: EndpointConfig, options: Partial<EndpointOptions> & { readonly path?: string } = {}) {
  const { path = freshPath(), ...rest } = options;
  const transcript = await openTranscript(path, { to: described.name, asking: described.asking });
  return endpointSuspect(described, { classes: 10, transcript, ...rest });
}

type Options = Partial<EndpointOptions> & { readonly path?: string; readonly images?: Images };

async function askOnce(described: EndpointConfig, { images: asked = images, ...options }: Options = {}) {
  const suspect = await open(described, options);
  try {
    return { said: [...((await suspect.ask(asked)) as number[])], summary: suspect.summary() };
  } finally {
    await suspect.close();
  }
}

test("the small model tells several classes apart: else the tests below would show nothing", () => {
  expect(new Set(own).size).toBeGreaterThan(2);
});

const words = `labels: [${WORDS.join(", ")}]\n`;

test.each<[PresetId, string, string]>([
  [
    "open-inference",
    "a tensor of scores",
    "model: lenet\ninput: image\nimage: {range: [0, 1], mean: [0.5], std: [0.5]}",
  ],
  ["open-inference", "bytes of pixels", "model: lenet\ninput: image\nversion: 1\nimage: {datatype: UINT8}"],
  ["open-inference", "a PNG in base64", "model: lenet\ninput: image\nimage: {as: png}"],
  [
    "open-inference",
    "a PNG after the JSON, answered value:index:label",
    `model: lenet\ninput: image\noutput: scores\nclassification: true\nbytes: binary\nimage: {as: png}\n${words}`,
  ],
  ["tensorflow-serving", "a PNG in base64", "model: lenet"],
  ["tensorflow-serving", "nested numbers", "model: lenet\nimage: {as: tensor, layout: NHWC}"],
  [
    "multipart",
    "a form, answered with a word at a path",
    `field: picture\nfields: {top: 1}\nanswer: {path: result.class}\n${words}`,
  ],
  ["raw", "bytes, answered as Hugging Face does", ""],
  ["raw", "bytes, asked four at a time", "concurrency: 4"],
  ["gradio", "an upload, a call and its events", `api: classify\ninputs: [3]\n${words}`],
  ["gradio", "a data URI in the call", `api: classify\nupload: false\ninputs: [3]\n${words}`],
])("%s, %s: the model's own answers", async (preset, _, lines) => {
  const server = await serve(preset);
  const { said, summary } = await askOnce(config(server, `preset: ${preset}\n${lines}`));
  expect(said).toEqual(own);
  expect(summary).toMatchObject({ asked: 10, askedNow: 10, answered: 10, refused: 0, unreadable: 0, unknownWords: [] });
  expect(server.requests()).toBe(10);
});

test("JPEG 75 on the way: what the model says of the images as JPEG 75 leaves them", async () => {
  const server = await serve("raw");
  const { said } = await askOnce(config(server, `${RAW}image: {as: jpeg, quality: 75}`));
  expect(said).toEqual(await ownAnswers(model, await throughChain("jpeg:75")(images)));
});

test("a fifth refused by what they show: those are refused, the others the model's", async () => {
  const many = digits(40);
  const sums = (pixels: readonly number[]): number => pixels.reduce((sum, value) => sum + value, 0);
  const server = await serve("raw", {
    mishap: (_, pixels) => (sums(pixels) % 5 === 0 ? { status: 403, body: "blocked" } : undefined),
  });
  const { said, summary } = await askOnce(config(server, RAW), { images: many });
  const expected = (await ownAnswers(model, many)).map((label, i) => {
    const pixels = selectImages(many, [i]);
    return sums([...pixelsOf(pixels)]) % 5 === 0 ? REFUSED : label;
  });
  expect(said).toEqual(expected);
  expect(said.filter((label) => label === REFUSED).length).toBeGreaterThan(0);
  expect(summary.refused).toBe(said.filter((label) => label === REFUSED).length);
  expect(server.requests()).toBe(40); // a refusal is not asked again
});

test(
  "429 with Retry-After is waited for, as seconds and as a date; 500s and dropped connections are " + "tried again",
  async () => {
    const mishaps = [
      { status: 429, headers: { "retry-after": "1" }, body: "slow down" },
      { status: 500, body: "oops" },
      { drop: true as const },
      { status: 503, headers: { "retry-after": new Date(Date.now() + 2000).toUTCString() } },
    ];
    const server = await serve("raw", { mishap: (number) => mishaps[number - 1] });
    const start = performance.now();
    const { said, summary } = await askOnce(config(server, RAW));
    expect(said).toEqual(own);
    expect(performance.now() - start).toBeGreaterThan(1000);
    expect(server.requests()).toBe(14);
    expect(summary).toMatchObject({ asked: 10, requests: 14 });
  },
);

test("an answer that takes too long is tried again", async () => {
  const server = await serve("raw", { mishap: (number) => (number === 1 ? { slow: 4000 } : undefined) });
  const { said } = await askOnce(config(server, `${RAW}timeout: 2`));
  expect(said).toEqual(own);
  expect(server.requests()).toBe(11);
});

test(
  "retries used up count as a refusal where others are answered, and are not asked again: answers are, " +
    "to be checked",
  async () => {
    const [bad = ""] = imageHashes(selectImages(images, [4]));
    const pixels = pixelsOf(selectImages(images, [4])).join();
    const path = freshPath();
    const server = await serve("raw", {
      mishap: (_, asked) => (asked.join() === pixels ? { drop: true } : undefined),
    });
    const described = config(server, `${RAW}retries: 2`);
    const expected = own.map((label, i) => (i === 4 ? REFUSED : label));
    expect((await askOnce(described, { path })).said).toEqual(expected);
    expect(server.requests()).toBe(9 + 3);
    const entry = (await readTranscript(path))?.entries.find(({ image }) => image === bad);
    expect(entry).toMatchObject({ outcome: "no-answer", tries: 3, raw: "the connection was cut off" });
    expect((await askOnce(described, { path })).said).toEqual(expected);
    expect(server.requests()).toBe(12 + 9);
  },
);

test(
  "an endpoint that is down stops the work; when it is up, the same goes on and asks what is left, and " +
    "what it heard before as a check",
  async () => {
    const path = freshPath();
    let down = false;
    const server = await serve("raw", {
      mishap: (number) => {
        if (number === 4) down = true;
        return down ? { status: 503, body: "maintenance" } : undefined;
      },
    });
    const described = config(server, `${RAW}retries: 1\ngiveUpAfter: 3`);
    await expect(askOnce(described, { path })).rejects.toMatchObject({
      code: "network",
      message: expect.stringMatching(/3 images in a row got no answer: status 503, maintenance\.$/),
      hint: expect.stringContaining("the same command goes on"),
    });
    expect(server.requests()).toBe(3 + 3 * 2);
    down = false;
    const { said, summary } = await askOnce(described, { path });
    expect(said).toEqual(own);
    expect(summary).toMatchObject({ asked: 10, askedNow: 7 + 3, checked: 3, unchecked: 0, answered: 10 });
    expect(server.requests()).toBe(9 + 7 + 3);
  },
);

test("refused from the first: the work stops and says why; nothing counts as an answer", async () => {
  const path = freshPath();
  const server = await serve("raw", { token: "another" });
  const described = config(server, `${RAW}bearer: \${TOKEN}`);
  await expect(askOnce(described, { path })).rejects.toMatchObject({
    code: "network",
    message: expect.stringMatching(/5 images in a row were refused, and none was answered: status 401/),
  });
  const suspect = await open(described, { path });
  expect(suspect.summary()).toMatchObject({ answered: 0, refused: 0 });
  await suspect.close();
});

test("fewer images than give up the work, and none answered: no verdict either, and asked again", async () => {
  const path = freshPath();
  let up = false;
  const server = await serve("raw", { mishap: () => (up ? undefined : { status: 404, body: "no such route" }) });
  const few = selectImages(images, [0, 1]);
  await expect(askOnce(config(server, RAW), { path, images: few })).rejects.toThrow(
    "2 images in a row were refused, and none was answered: status 404, no such route.",
  );
  up = true;
  expect((await askOnce(config(server, RAW), { path, images: few })).said).toEqual(own.slice(0, 2));
  up = false;
  // Told to count whatever happens, it does.
  const counted = config(server, `${RAW}giveUpAfter: 0`);
  expect((await askOnce(counted, { images: few })).said).toEqual([REFUSED, REFUSED]);
});

test("a long Retry-After is not waited for", async () => {
  const server = await serve("raw", { mishap: () => ({ status: 429, headers: { "retry-after": "86400" } }) });
  await expect(askOnce(config(server, `${RAW}giveUpAfter: 2`))).rejects.toThrow(
    "2 images in a row got no answer: status 429, asks to wait 86400 s.",
  );
  expect(server.requests()).toBe(2);
});

test("nobody there, and a redirect, which is not followed", async () => {
  const server = await serve("raw");
  const described = config(server, `${RAW}retries: 0\ngiveUpAfter: 2`);
  await server.close();
  servers.pop();
  await expect(askOnce(described)).rejects.toThrow("nobody answers at that address");
  const other = await serve("raw", { mishap: () => ({ status: 302, headers: { location: "http://127.0.0.1:1/" } }) });
  await expect(askOnce(config(other, RAW))).rejects.toThrow("status 302, redirected to http://127.0.0.1:1/");
});

test("stopped by a signal, it goes on, and asks twice only as a check", async () => {
  const path = freshPath();
  const stop = new AbortController();
  const server = await serve("raw", {
    mishap: (number) => {
      if (number === 5) stop.abort();
      return undefined;
    },
  });
  const described = config(server, RAW);
  await expect(askOnce(described, { path, signal: stop.signal })).rejects.toMatchObject({ code: "interrupted" });
  const before = (await readTranscript(path))?.entries.length ?? 0;
  expect(before).toBe(4);
  expect((await askOnce(described, { path })).said).toEqual(own);
  expect(server.requests()).toBe(5 + 6 + 4);
  expect((await askOnce(described, { path })).summary).toMatchObject({ askedNow: 10, checked: 10, asked: 10 });
});

test(
  "a line that a crash cut off is taken away; any other change breaks the chain and is refused by " + "its line",
  async () => {
    const path = freshPath();
    const server = await serve("raw");
    const described = config(server, RAW);
    await askOnce(described, { path, images: selectImages(images, [0, 1, 2]) });
    await appendFile(path, '{"n":4,"image":"abc');
    expect((await readTranscript(path))?.torn).toBe(true);
    expect((await askOnce(described, { path })).said).toEqual(own);
    expect(server.requests()).toBe(10 + 3);
    const whole = await readFile(path, "utf8");
    expect((await readTranscript(path))?.entries).toHaveLength(10 + 3);
    const lines = whole.split("\n");
    const changes: [string, number][] = [
      [whole.replace("LABEL_", "LABEL_1"), 3], // the second line is changed, the third no longer follows
      [lines.toSpliced(4, 1).join("\n"), 5],
      [lines.toSpliced(0, 1).join("\n"), 1],
      [`nonsense\n${whole}`, 1],
    ];
    for (const [text, line] of changes) {
      await writeFile(path, text);
      await expect(askOnce(described, { path })).rejects.toThrow(`the chain is broken at line ${line}`);
    }
    expect(server.requests()).toBe(10 + 3);
  },
);

test("a transcript belongs to one way of asking, and to one process at a time", async () => {
  const path = freshPath();
  const server = await serve("raw");
  const suspect = await open(config(server, RAW), { path });
  await suspect.ask(selectImages(images, [0]));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await expect(open(config(server, RAW), { path })).rejects.toThrow(/process \d+ is writing it/);
  await suspect.close();
  // A process that is no more does not hold it.
  await writeFile(`${path}.lock`, "999999999");
  await (await open(config(server, `${RAW}perMinute: 6000`), { path })).close();
  await expect(open(config(server, `${RAW}image: {as: jpeg}`), { path })).rejects.toThrow("asked in another way");
});

test(
  "an answer that cannot be read stops the work with what was answered; mended, it is asked again only " + "as a check",
  async () => {
    const path = freshPath();
    const server = await serve("multipart");
    const lines = "preset: multipart\nfield: picture\nfields: {top: 1}\n";
    await expect(askOnce(config(server, `${lines}answer: {path: result.klass}`), { path })).rejects.toMatchObject({
      code: "bad-file",
      message: expect.stringContaining("5 answers, and none can be read: nothing stands at result.klass"),
      details: [expect.stringMatching(/^the first answer: \{"result":\{"class":"\w+"\}\}$/)],
    });
    await expect(askOnce(config(server, `${lines}answer: {path: result.class}`), { path })).rejects.toThrow(
      /5 answers, and none can be read: no class is called "\w+"/,
    );
    expect(server.requests()).toBe(5);
    const right = config(server, `${lines}answer: {path: result.class}\n${words}`);
    expect((await askOnce(right, { path })).said).toEqual(own);
    expect(server.requests()).toBe(10 + 5);
  },
);

test("a word that names no class is a wrong answer, and is told", async () => {
  const server = await serve("multipart");
  const [first = 0] = own;
  const known = WORDS.map((word, i) => (i === first ? "something else" : word));
  const lines =
    `preset: multipart\nfield: picture\nfields: {top: 1}\nanswer: {path: result.class}\nlabels: ` +
    `[${known.join(", ")}]`;
  const { said, summary } = await askOnce(config(server, lines));
  // Until a class was read, nothing tells an unknown word from a wrong description; afterwards it is class 10, beyond
  // all.
  expect(said).toEqual(own.map((label) => (label === first ? 10 : label)));
  expect(summary.unknownWords).toEqual([WORDS[first]]);
});

test("the budget counts images, over all runs; what is beyond it is not asked", async () => {
  const path = freshPath();
  const server = await serve("raw");
  const described = config(server, `${RAW}budget: 6`);
  const expected = own.map((label, i) => (i < 6 ? label : NOT_ASKED));
  expect((await askOnce(described, { path })).said).toEqual(expected);
  expect((await askOnce(described, { path })).said).toEqual(expected);
  expect(server.requests()).toBe(6);
});

/** A transcript that somebody wrote without asking anybody: sound as a chain, with the answers that suit. */
async function forged(described: EndpointConfig, answers: readonly number[], asked: Images): Promise<string> {
  const path = freshPath();
  const transcript = await openTranscript(path, { to: described.name, asking: described.asking });
  for (const [i, image] of imageHashes(asked).entries()) {
    const raw = `[{"label":"LABEL_${answers[i]}","score":0.9}]`;
    await transcript.append({ outcome: "answer", image, sent: "0".repeat(64), status: 200, tries: 1, raw });
  }
  await transcript.close();
  return path;
}

test(
  "a transcript that was made up is found out by a sample of what it holds, or by asking " + "everything anew",
  async () => {
    const many = digits(100);
    const honest = await ownAnswers(model, many);
    const server = await serve("raw");
    const described = config(server, RAW);
    // Half of the answers are others: twenty of a hundred that all fall on the honest half have a chance of 9e-8.
    const lies = honest.map((label, i) => (i % 2 === 0 ? label : (label + 1) % 10));
    const path = await forged(described, lies, many);
    await expect(askOnce(described, { path, images: many })).rejects.toMatchObject({
      code: "bad-file",
      message: expect.stringMatching(/of \d+ answers that were asked for again, \d+ are others now/),
      hint: expect.stringContaining("--fresh"),
    });
    expect(server.requests()).toBe(CHECKED);
    const { said, summary } = await askOnce(described, { path, images: many, fresh: true });
    expect(said).toEqual(honest);
    expect(summary).toMatchObject({ askedNow: 100, unheard: { answers: 0, of: 100 } });
    // What stands in the transcript last is what goes on.
    expect((await askOnce(described, { path, images: many })).said).toEqual(honest);
  },
);

test("what was read and not heard is counted; a sample is drawn each time, of answers that can be had", async () => {
  const many = digits(60);
  const server = await serve("raw");
  const described = config(server, RAW);
  const honest = await ownAnswers(model, many);
  const path = await forged(described, honest, many);
  const { said, summary } = await askOnce(described, { path, images: many });
  expect(said).toEqual(honest);
  expect(summary).toMatchObject({ checked: CHECKED, unchecked: 0, unheard: { answers: 60 - CHECKED, of: 60 } });
  const entries = async () =>
    (await readTranscript(path))?.entries.flatMap(({ again, image }) => (again ? [image] : []));
  const first = await entries();
  await askOnce(described, { path, images: many });
  const both = await entries();
  expect(both).toHaveLength(2 * CHECKED);
  // Twenty of sixty, the same ones twice: 1 in 4e15.
  expect(new Set(both?.slice(CHECKED))).not.toEqual(new Set(first));
});

test("a sample that the budget does not allow, or that nobody answers, is missed", async () => {
  const many = digits(30);
  const server = await serve("raw");
  const honest = await ownAnswers(model, many);
  for (const [budget, checked] of [
    [30, 0],
    [35, 5],
    [50, 20],
  ] as const) {
    const described = config(server, `${RAW}budget: ${budget}`);
    const path = await forged(described, honest, many);
    const { summary } = await askOnce(described, { path, images: many });
    expect(summary).toMatchObject({ checked, unchecked: 20 - checked, asked: 30, askedNow: checked });
  }
  const described = config(server, `${RAW}retries: 0`);
  const path = await forged(described, honest, many);
  await server.close();
  servers.pop();
  await expect(askOnce(described, { path, images: many })).rejects.toMatchObject({
    code: "network",
    message: expect.stringContaining("20 images that it answered before, as the transcript has it, got no answer now"),
  });
});

test("asked anew, images that were paid for before count against the budget once more", async () => {
  const path = freshPath();
  const server = await serve("raw");
  const described = config(server, `${RAW}budget: 14\ncostPerQuery: 1`);
  await askOnce(described, { path });
  const { said, summary } = await askOnce(described, { path, fresh: true });
  expect(said).toEqual(own.map((label, i) => (i < 4 ? label : NOT_ASKED)));
  expect(summary).toMatchObject({ askedNow: 4, cost: 14 });
});

test("a rate is kept", async () => {
  const server = await serve("raw");
  const start = performance.now();
  await askOnce(config(server, `${RAW}perMinute: 600\nconcurrency: 4`));
  expect(performance.now() - start).toBeGreaterThan(850); // nine spaces of 100 ms
});

test(
  "decoys go first and between, each once, are no part of the answers, and tell whether classes are " + "read rightly",
  async () => {
    const path = freshPath();
    const server = await serve("raw");
    const ordinary = renderDigits("test", 20, 99);
    // Their labels are what the model says, but for one: so the share of right ones is known.
    const labels = Uint16Array.from(await ownAnswers(model, ordinary));
    labels[3] = ((labels[3] ?? 0) + 1) % 10;
    const decoys = { images: { ...ordinary, labels }, each: 2, random: randomStream(4) };
    const { said, summary } = await askOnce(config(server, RAW), { path, decoys });
    expect(said).toEqual(own);
    expect(server.requests()).toBe(30);
    expect(summary).toMatchObject({ asked: 30, decoys: { answered: 20, right: 19 } });
    const secret = new Set(imageHashes(images));
    const order = (await readTranscript(path))?.entries.map(({ image = "" }) => secret.has(image)) ?? [];
    expect(order[0]).toBe(false);
    // Spread: neither half holds them all.
    expect(order.slice(0, 15).filter((isKey) => isKey).length).toBeGreaterThan(2);
    expect(order.slice(15).filter((isKey) => isKey).length).toBeGreaterThan(2);
    expect((await askOnce(config(server, RAW), { path, decoys })).summary).toMatchObject({ askedNow: 10, checked: 10 });
  },
);

test("the ledger has each image of the key before it is sent, and no decoy", async () => {
  const key = smallKey(4);
  const { triggers, placebos = triggers } = firstQueries(key, 2);
  const path = join(folder, "endpoint.ledger.jsonl");
  const seen: number[] = [];
  const server = await serve("raw", {
    mishap: () => {
      seen.push(1);
      return undefined;
    },
  });
  const described = config(server, RAW);
  const suspect = await open(described, {
    ledger: await openLedger(path, keySecrets(key), described.name),
    decoys: { images: renderDigits("test", 4, 99), each: 1, random: randomStream(1) },
  });
  await Promise.all([suspect.ask(triggers), suspect.ask(placebos)]);
  await suspect.close();
  const entries = await readLedger(path);
  expect(entries.map(({ image }) => image)).toEqual([...imageHashes(triggers), ...imageHashes(placebos)]);
  expect(new Set(entries.map(({ to }) => to))).toEqual(new Set([described.name]));
  expect(seen).toHaveLength(8);
});

test("secrets reach the endpoint and nothing else, not even where it repeats them", async () => {
  const path = freshPath();
  const server = await serve("raw", { token: TOKEN });
  const described = config(server, `${RAW}bearer: \${TOKEN}`);
  const { said, summary } = await askOnce(described, { path });
  expect(said).toEqual(own);
  // A server that says back what it got.
  const echo = await serve("raw", { token: "another" });
  const other = config(echo, `${RAW}headers: {authorization: "Bearer \${TOKEN}"}\ngiveUpAfter: 1`);
  const echoed = freshPath();
  const failure = await askOnce(other, { path: echoed }).then(
    String,
    (error: Error) => `${error.stack}${JSON.stringify(error)}`,
  );
  expect(failure).toContain(`no access with Bearer \${TOKEN}`);
  const everything = [
    failure,
    JSON.stringify(summary),
    described.name,
    await readFile(path, "utf8"),
    await readFile(echoed, "utf8"),
  ];
  for (const text of everything) expect(text).not.toContain("verysecret");
});

function pixelsOf(one: ReturnType<typeof selectImages>): Uint8Array {
  const { pixels } = one;
  if (pixels.kind !== "picked" || pixels.from.kind !== "memory") throw new Error("digits lie in memory");
  const at = pixels.indices[0] ?? 0;
  return pixels.from.bytes.subarray(at * 784, (at + 1) * 784);
}
