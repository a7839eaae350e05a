import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseEndpoint, presets, readEndpoint, redacted } from "./config.js";

const parse = (text: string, env: Readonly<Record<string, string>> = {}) => parseEndpoint(text, "suspect.yaml", env);

const SMALLEST: Readonly<Record<string, string>> = {
  "open-inference": "model: resnet",
  "tensorflow-serving": "model: resnet",
};

test.each(presets.map((preset) => [preset]))("%s needs little more than an address", (preset) => {
  const { name, image, file, warnings } = parse(
    `preset: ${preset}\nurl: https://models.example.com/x?v=1\n${SMALLEST[preset] ?? ""}`,
  );
  expect(name).toBe(`https://models.example.com/x (${preset})`);
  expect(image.as).toBe(preset === "open-inference" ? "tensor" : "png");
  expect(file).toMatchObject({ retries: 5, timeout: 30, concurrency: 1, giveUpAfter: 5 });
  expect(warnings).toEqual([]);
});

test.each([
  ["url: https://x.example", ["preset"], "expected one of open-inference"],
  ["preset: gradoi\nurl: https://x.example", [], "did you mean gradio?"],
  ["preset: raw", [], "url (line 1): expected string"],
  ["preset: raw\nurl: models.example.com", ["line 2"], "expected an address such as"],
  ["preset: raw\nurl: https://me:word@x.example", ["line 2"], "without a user or password"],
  ["preset: raw\nurl: https://x.example\nretrys: 3", ["line 3"], "no such option; did you mean retries?"],
  [
    "preset: raw\nurl: https://x.example\nimage:\n  as: gif",
    ["image.as", "line 4"],
    "expected one of png, jpeg, tensor",
  ],
  ["preset: raw\nurl: https://x.example\nimage: {as: tensor}", ["image.as"], "raw takes png or jpeg"],
  ["preset: raw\nurl: https://x.example\nmodel: m", ["line 3"], "no such option"],
  ["preset: open-inference\nurl: https://x.example\nmodel: m\nclassification: true", ["line 4"], "output has to say"],
  ["preset: raw\nurl: https://x.example\nbearer: hf_abcdef", ["bearer", "line 3"], "a secret stands here"],
  ["preset: raw\nurl: https://x.example\nheaders: {X-Api-Key: abc}", ["X-Api-Key"], "a secret stands here"],
  ["preset: raw\nurl: https://x.example/?api_key=abc", ["url"], "a secret stands here"],
  ["preset: raw\nurl: https://x.example\nbearer: $" + "{NOPE}", ["bearer"], "the environment has no variable NOPE"],
  ["preset: raw\nurl: [", [], "line"],
])("%j is refused with its place", (text, places, message) => {
  const failure = ((): Error => {
    try {
      parse(text);
    } catch (error) {
      if (error instanceof Error) return error;
    }
    throw new Error("it was accepted");
  })();
  const said = JSON.stringify([failure.message, failure]);
  expect(said).toContain(message);
  for (const place of places) expect(said).toContain(place);
});

test("all mistakes at once, none of them with a secret's value", () => {
  const text = `preset: raw\nurl: $\{PLACE}\nbearer: $\{TOKEN}\nretries: -1\n`;
  const failing = () => parse(text, { TOKEN: "s3cret-value", PLACE: "s3cret-place" });
  expect(failing).toThrow("suspect.yaml has 2 mistakes");
  expect(failing).not.toThrow("s3cret");
});

test("an address without encryption is warned of, unless it is this machine", () => {
  expect(parse("preset: raw\nurl: http://models.example.com/").warnings).toEqual([
    expect.stringContaining("http://models.example.com/ is not encrypted"),
  ]);
  expect(parse("preset: raw\nurl: http://127.0.0.1:8000/").warnings).toEqual([]);
});

test("what decides the requests decides the transcript; speed, reading and secrets do not", () => {
  const base = "preset: raw\nurl: https://x.example\n";
  const { asking } = parse(base);
  for (const more of ["perMinute: 5", "budget: 9", "answer: {path: a.b}", "bearer: $" + "{T}", "labels: [a, b]"]) {
    expect(parse(base + more, { T: "12345" }).asking).toBe(asking);
  }
  for (const more of ["image: {as: jpeg}", "image: {resize: [32, 32]}"])
    expect(parse(base + more).asking).not.toBe(asking);
  expect(parse("preset: raw\nurl: https://y.example\n").asking).not.toBe(asking);
});

test("secrets are blotted out in every form in which they may come back", () => {
  const secrets = new Map([
    ["A", 'p/s "w"'],
    ["B", "p/s"],
    ["C", "xy"],
  ]);
  const said =
    `p/s "w" ${encodeURIComponent('p/s "w"')} ${JSON.stringify('p/s "w"')} ` +
    `${Buffer.from('p/s "w"').toString("base64")} xy`;
  expect(redacted(said, secrets)).toBe("$" + "{A} $" + '{A} "$' + '{A}" $' + "{A} xy");
});

test("labels are names, or a file beside the description", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wildmark-config-"));
  try {
    await writeFile(join(folder, "names.txt"), "cat\ndog\r\nship\n");
    await writeFile(join(folder, "s.yaml"), "preset: raw\nurl: https://x.example\nlabels: names.txt");
    expect((await readEndpoint(join(folder, "s.yaml"), {})).classNames).toEqual(["cat", "dog", "ship"]);
    await writeFile(join(folder, "s.yaml"), "preset: raw\nurl: https://x.example\nlabels: [cat, 7]");
    expect((await readEndpoint(join(folder, "s.yaml"), {})).classNames).toEqual(["cat", "7"]);
    await expect(readEndpoint(join(folder, "nothing.yaml"), {})).rejects.toThrow(
      "expected the description of an endpoint",
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
