/**
 * @file Bad input and bad usage: one line that says what is wrong, one that says what to do, status 2, nothing written.
 */

import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { wildmark, workFolder } from "./command-line.js";
import { modelBytes, writeFixtures } from "./fixtures.js";

const work = await workFolder();
const { folder } = work;
const DATA = "--dataset digits --limit 60 --test-limit 20";

let files: readonly string[];
beforeAll(async () => {
  await writeFixtures(folder);
  const model = modelBytes({ channels: 1, height: 28, width: 28 }, 10);
  await writeFile(join(folder, "truncated.onnx"), model.subarray(0, model.length / 2));
  await writeFile(join(folder, "empty.onnx"), "");
  await writeFile(join(folder, "text.onnx"), "To whom it may concern\n");
  await writeFile(join(folder, "text.json"), "To whom it may concern\n");
  await writeFile(join(folder, "other.json"), '{"format":"something else"}');
  files = await readdir(folder);
});
afterAll(work.remove);

const cases: readonly (readonly [line: string, message: string | RegExp, hint: string | RegExp])[] = [
  // Words
  ["foo", "unknown command 'foo'.", "wildmark --help shows what can be given."],
  ["trian", "unknown command 'trian'.", "Did you mean train?"],
  ["info", "info: missing required argument 'MODEL.onnx'.", "wildmark info --help"],
  ["info a.onnx b.onnx", "info: too many arguments; Expected 1 argument but got 2.", "wildmark info --help"],
  ["list things", 'wildmark list has no "things".', "Choose one of: methods, marks"],
  ["verify model.onnx", "verify: --key <FILE> must be given.", "wildmark verify --help"],
  // Choices
  [
    `remove model.onnx ${DATA} --out o.onnx --method nope`,
    'No removal method "nope".',
    "Choose one of: wild, fine-tune",
  ],
  [`embed ${DATA} --out o.onnx --key o.key --scheme nope`, 'No mark "nope".', "Choose one of: content"],
  [`train ${DATA} --out o.onnx --arch nope`, 'No architecture "nope".', "Choose one of: lenet5"],
  ["train --dataset nope --out o.onnx", 'there is no data set "nope"', "known: digits, mnist"],
  ["reproduce --dataset digits --watermarks content,nope", 'No mark "nope".', "Choose one of: content"],
  ["train --dataset mnist --data-dir nope --out o.onnx", "there is no folder nope", "--data-dir names a folder"],
  [
    `embed ${DATA} --out o.onnx --key o.key --scheme unrelated --unrelated nope`,
    'there are no images "nope"',
    "known: shapes, kmnist-test",
  ],
  // Flags
  [`embed ${DATA} --out o.onnx --key o.key --unrelated shapes`, "--unrelated speaks of the unrelated mark", "Leave it"],
  [
    `remove model.onnx ${DATA} --out o.onnx --variant ftll`,
    "remove --method wild: unknown option '--variant'.",
    "remove --method wild --help",
  ],
  [
    `remove model.onnx ${DATA} --out o.onnx --metrik js`,
    "remove --method wild: unknown option '--metrik'.",
    "Did you mean --metric?",
  ],
  [
    `remove model.onnx ${DATA} --out o.onnx --metric kl --epochs 1.5`,
    "--metric kl: expected one of ce, js; --epochs 1.5: expected a whole number.",
    "remove --method wild --help",
  ],
  [
    `train ${DATA} --out o.onnx --device tpu`,
    "--device tpu: expected one of cpu, webgpu, cuda, auto.",
    "wildmark train --help",
  ],
  [`train ${DATA} --out o.onnx --learning-rate fast`, "--learning-rate fast: expected a number.", ""],
  [
    `remove model.onnx ${DATA} --out o.onnx --fraction 0`,
    "--fraction 0: expected more than 0.",
    "remove --method wild --help",
  ],
  [
    `remove model.onnx ${DATA} --out o.onnx --fraction 2`,
    "--fraction 2: expected at most 1 (2 per cent is written 2%).",
    "remove --method wild --help",
  ],
  [
    `remove model.onnx ${DATA} --out o.onnx --fraction 0.05`,
    /^0\.05 of 60 images is 3, which leaves class \d empty/,
    /take a fraction of at least 0\.1/,
  ],
  [
    `remove model.onnx ${DATA} --out o.onnx --fraction 0.5 --layer nope`,
    'The model computes no value "nope".',
    "Name the output",
  ],
  [`embed ${DATA} --out o.onnx --key o.key --target 12`, /target class is 12/, ""],
  // Models
  [`evaluate missing.onnx ${DATA}`, /^missing\.onnx: .*no such file/, "check the path"],
  [`evaluate . ${DATA}`, /^\.: expected an ONNX model, found a folder/, ""],
  [`evaluate empty.onnx ${DATA}`, "empty.onnx: The file is empty", ""],
  [`evaluate truncated.onnx ${DATA}`, /^truncated\.onnx: /, "truncated"],
  [`evaluate text.onnx ${DATA}`, /^text\.onnx: No ONNX model/, ""],
  ["info truncated.onnx", /^truncated\.onnx: /, "truncated"],
  [
    `evaluate colour.onnx ${DATA}`,
    /^colour\.onnx takes \[batch,3,32,32\], but the images of digits are 1×28×28/,
    "belong together",
  ],
  [
    `evaluate five.onnx ${DATA}`,
    "five.onnx tells 5 classes apart, but the images of digits have 10.",
    "belong together",
  ],
  [`remove colour.onnx ${DATA} --out o.onnx`, /^colour\.onnx takes/, "belong together"],
  [`embed colour.onnx ${DATA} --out o.onnx --key o.key`, /^colour\.onnx takes/, "belong together"],
  // Keys
  ["verify model.onnx --key missing.key", /^missing\.key: .*no such file/, ""],
  ["verify model.onnx --key text.onnx", /^text\.onnx: /, ""],
  [`remove model.onnx ${DATA} --key five.key --out o.onnx`, /the key five\.key was made for 5/, "belong together"],
  // Data
  ["train --dataset mnist --out o.onnx", /^the files of mnist were not found/, "wildmark data fetch mnist"],
  ["data fetch digits", "digits is built in: there is nothing to fetch", ""],
  // Results
  ["report missing.json --out o.html", /^missing\.json: .*no such file/, ""],
  ["report text.json --out o.html", "text.json: expected a result document, found no JSON.", "result.json"],
  ["report other.json --out o.html", /^other\.json: no result document/, "result.json"],
  // Outputs
  [`train ${DATA} --out model.onnx`, "model.onnx already exists.", "--force"],
  [`embed ${DATA} --out o.onnx --key model.key`, "model.key already exists.", "--force"],
  [`embed ${DATA} --out o.onnx --key o.onnx`, /^o\.onnx is named twice/, ""],
  [`remove model.onnx ${DATA} --out model.onnx --force`, /^model\.onnx is named twice/, ""],
  [
    `train ${DATA} --out no/where/o.onnx`,
    "no/where/o.onnx: cannot be written, no such file or folder",
    "make the folder",
  ],
  [`train ${DATA} --out model.onnx/o.onnx`, /^model\.onnx\/o\.onnx: cannot be written/, ""],
  [`train ${DATA} --out /proc/o.onnx`, /^\/proc\/o\.onnx: cannot be written/, ""],
  [`train ${DATA} --out .`, ". is a folder; expected the path of a file to write.", ""],
  [`reproduce ${DATA} --budgets 0.2 --out model.onnx`, "model.onnx is a file; expected a folder.", "--out"],
];

test("every case ends as it should", async () => {
  // A few at a time: most of each is starting up.
  const waiting = [...cases];
  const workers = Array.from({ length: 3 }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await check(...next);
  });
  await Promise.all(workers);
  expect((await readdir(folder)).toSorted()).toEqual([...files].toSorted());
});

async function check(line: string, message: string | RegExp, hint: string | RegExp): Promise<void> {
  const { status, stdout, stderr } = await wildmark(folder, `${line} --quiet`.replace(/^(foo|trian) --quiet$/, "$1"));
  const lines = stderr.trimEnd().split("\n");
  expect
    .soft({ line, status, stdout, lines: lines.length <= 2 ? 2 : lines })
    .toEqual({ line, status: 2, stdout: "", lines: 2 });
  const [first = "", second = ""] = lines;
  expect.soft(first.startsWith("wildmark: "), stderr).toBe(true);
  const said = first.slice("wildmark: ".length);
  if (typeof message === "string") expect.soft(said, line).toContain(message);
  else expect.soft(said, line).toMatch(message);
  if (typeof hint === "string") expect.soft(second, line).toContain(hint);
  else expect.soft(second, line).toMatch(hint);
}
