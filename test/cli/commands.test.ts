/** @file Every command's ordinary way, on tiny settings of the built-in digits. */

import { copyFile, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withMetadata } from "../../src/onnx/model.js";
import { readModelFile, writeModelFile } from "../../src/onnx/model-file.js";
import { METADATA_KEY } from "../../src/onnx/preprocessing.js";
import { type Ended, wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
const DATA = "--dataset digits --limit 800 --test-limit 200";
const TRIGGERS = "--triggers 30 --held-out 10";

let embedded: Ended;
let trained: Ended;
beforeAll(async () => {
  [embedded, trained] = await Promise.all([
    wildmark(
      folder,
      `embed --scheme noise ${DATA} ${TRIGGERS} --epochs 12 --batch 32 --out marked.onnx --key mark.key`,
    ),
    wildmark(folder, `train ${DATA} --epochs 8 --batch 32 --out model.onnx --json`),
  ]);
});
afterAll(work.remove);

/** stdout as the one JSON document that it must be. */
function document({ status, stdout, stderr }: Ended): Record<string, unknown> {
  expect(status, stderr).toBe(0);
  const parsed: unknown = JSON.parse(stdout);
  if (typeof parsed !== "object" || parsed === null) throw new Error("no document");
  return { ...parsed };
}

test("train writes a model and says how good it is", async () => {
  const said = document(trained);
  expect(said).toMatchObject({ command: "train", out: "model.onnx", seed: 0 });
  expect(said.accuracy).toBeGreaterThan(0.3);
  expect(trained.stderr).toContain("epoch 8: loss ");
});

test("train goes on with a given model, wherever it stands among the flags, gently or by a recipe", async () => {
  const [gentle, byRecipe, both, frozen] = await Promise.all([
    wildmark(folder, `train ${DATA} --epochs 1 --batch 32 --out further.onnx model.onnx --json`),
    wildmark(folder, `train model.onnx ${DATA} --recipe resnet18 --epochs 1 --batch 32 --out recipe.onnx --json`),
    wildmark(folder, `train model.onnx ${DATA} --arch resnet18 --out both.onnx`),
    wildmark(folder, `train model.onnx ${DATA} --freeze layer9.* --out frozen.onnx`),
  ]);
  const said = document(gentle);
  expect(said).toMatchObject({ accuracyBefore: document(trained).accuracy, options: { learningRate: 0.01 } });
  expect(said.accuracy).toBeGreaterThan(0.3);
  expect(document(byRecipe)).toMatchObject({ options: { learningRate: 0.1, labelSmoothing: 0.1, nesterov: true } });
  expect(both).toMatchObject({ status: 2, stderr: expect.stringContaining("--recipe NAME") });
  expect(frozen).toMatchObject({ status: 2, stderr: expect.stringContaining("conv1.weight") });
  expect((await readdir(folder)).filter((file) => /^(both|frozen)/.test(file))).toEqual([]);
});

test("evaluate tells the number with test-time augmentation beside the plain one", async () => {
  const [told, text] = await Promise.all([
    wildmark(folder, `evaluate model.onnx ${DATA} --tta mirror --json`),
    wildmark(folder, `evaluate model.onnx ${DATA} --tta mirror`),
  ]);
  expect(document(told)).toMatchObject({
    accuracy: document(trained).accuracy,
    testTimeAugmentation: { views: "mirror", accuracy: expect.any(Number) },
  });
  expect(text.stdout).toMatch(/^Accuracy .* %: .*\.\n\nWith test-time augmentation \(mirror\) .* %: \d+ of 200\./);
});

test("embed writes a model and a private key, and says what was measured", async () => {
  expect(embedded.stderr).toContain("epoch 12: loss ");
  expect(embedded.status, embedded.stderr).toBe(0);
  expect(embedded.stdout).toMatch(/^Ownership is shown: /);
  expect(embedded.stdout).toMatch(/accuracy .* %\nretention .* %\nheld-out retention .* %/);
  expect((await stat(join(folder, "mark.key"))).mode & 0o777).toBe(0o600);
});

test("embed marks a given model too, wherever it stands among the flags", async () => {
  const said = document(
    await wildmark(
      folder,
      `embed --scheme unrelated ${DATA} ${TRIGGERS} --epochs 1 --out again.onnx --key again.key model.onnx --json`,
    ),
  );
  expect(said).toMatchObject({ scheme: "unrelated", accuracyBefore: document(trained).accuracy });
  // Going on has a smaller rate than starting anew.
  expect(said.training).toMatchObject({ epochs: 1, learningRate: 0.01 });
});

test("verify tells the marked model from the innocent one, with status 0 for both", async () => {
  const [guilty, innocent, text] = await Promise.all([
    wildmark(folder, "verify marked.onnx --key mark.key --json"),
    wildmark(folder, "verify model.onnx --key mark.key --json"),
    wildmark(folder, "verify marked.onnx --key mark.key"),
  ]);
  expect(document(guilty)).toMatchObject({ owned: true, n: 30, suspect: { isTheMarkedFile: true } });
  expect(document(innocent)).toMatchObject({ owned: false, n: 30, suspect: { isTheMarkedFile: false } });
  expect(text.stdout).toMatch(/^Ownership is shown: p [=<] /);
  expect(text.stdout).toMatch(/\nagainst luck: .*\nagainst look-alikes: .*\nagainst forgers: /);
  expect(text.stdout).toMatch(/\n\d+ of 30 triggers .* Clopper-Pearson interval/);
  expect(text.stdout).toContain("Null hypothesis: ");
});

test("verify asks null models too, files or a folder", async () => {
  await mkdir(join(folder, "null-models"));
  await copyFile(join(folder, "model.onnx"), join(folder, "null-models", "a.onnx"));
  const [one, whole, twice, empty] = await Promise.all([
    wildmark(folder, "verify marked.onnx --key mark.key --tries-log2 0 --null-models model.onnx --json"),
    wildmark(folder, "verify marked.onnx --key mark.key --tries-log2 0 --null-models null-models --json"),
    wildmark(folder, "verify marked.onnx --key mark.key --null-models null-models,model.onnx"),
    wildmark(folder, "verify marked.onnx --key mark.key --null-models model.onnx,"),
  ]);
  expect(document(one)).toMatchObject({ nullModels: 1, owned: true, nullModelFiles: ["model.onnx"] });
  expect(document(whole)).toMatchObject({ nullModels: 1, nullModelFiles: [join("null-models", "a.onnx")] });
  expect(twice.status).toBe(2);
  expect(twice.stderr).toContain("model.onnx cannot be a null model");
  expect(empty.status).toBe(2);
});

test("verify makes a key again from its data, draws strangers' keys, and refuses other data", async () => {
  const [again, others, without] = await Promise.all([
    wildmark(folder, `verify marked.onnx --key mark.key ${DATA} --regenerate --strangers 3 --json`),
    wildmark(folder, "verify marked.onnx --key mark.key --dataset digits --limit 700 --regenerate"),
    wildmark(folder, "verify marked.onnx --key mark.key --regenerate"),
  ]);
  expect(document(again)).toMatchObject({ owned: true, regenerated: true, strangers: 3, provenance: "drawn" });
  expect(others.status).toBe(2);
  expect(others.stderr).toContain("mark.key was drawn from other training images");
  expect(without.status).toBe(2);
});

test("a stranger's key of the same scheme proves nothing on the owner's model", async () => {
  const stranger = await wildmark(
    folder,
    `embed --scheme noise ${DATA} ${TRIGGERS} --epochs 1 --out theirs.onnx --key theirs.key --quiet`,
  );
  expect(stranger.status, stranger.stderr).toBe(0);
  const claim = document(await wildmark(folder, "verify marked.onnx --key theirs.key --tries-log2 0 --json"));
  expect(claim).toMatchObject({ owned: false, provenance: "drawn" });
});

test("key commit prints what verify holds the key to, before it opens a model", async () => {
  const { commitment, salt } = document(await wildmark(folder, "key commit mark.key --json"));
  const check = (model: string, opened: unknown) =>
    wildmark(folder, `verify ${model} --key mark.key --commitment ${commitment} --salt ${opened}`);
  const [right, wrong, half] = await Promise.all([
    check("marked.onnx", salt),
    check("missing.onnx", "0".repeat(64)),
    wildmark(folder, `verify marked.onnx --key mark.key --salt ${salt}`),
  ]);
  expect(right.stdout).toContain(`committed to: ${commitment}`);
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain("mark.key is not the key that was committed to");
  expect(half.status).toBe(2);
});

test(
  "certify says how far weights may be moved, wants the noise of marks that had none, and " + "measures a move",
  async () => {
    const [found, text, silent] = await Promise.all([
      wildmark(folder, "certify marked.onnx --key mark.key --weight-noise 0.01 --draws 40 --moved model.onnx --json"),
      wildmark(folder, "certify marked.onnx --key mark.key --weight-noise 0.01 --draws 40 --quiet"),
      wildmark(folder, "certify marked.onnx --key mark.key"),
    ]);
    const said = document(found);
    expect(said).toMatchObject({ sigma: 0.01, draws: 40, confidence: 0.99, least: 0.5, moved: { path: "model.onnx" } });
    expect(said.bounds).toHaveLength(11);
    expect(text.stdout).toMatch(/^However its weights are moved by a length of 0\.0\d+ or less/);
    expect(silent.status).toBe(2);
    expect(silent.stderr).toContain("--weight-noise");
  },
);

test("remove writes a cleaned model and, with the key, draws the curve", async () => {
  const said = document(
    await wildmark(
      folder,
      `remove marked.onnx ${DATA} --metric ce --epochs 2 --fraction 0.2 --key mark.key --out cleaned.onnx --json`,
    ),
  );
  expect(said).toMatchObject({ method: "wild", label: "WILD-CE", images: 160, fraction: 0.2 });
  expect(said.epochs).toHaveLength(3);
  expect(said.epochs).toMatchObject([{ epoch: 0, measured: {} }, { measured: {} }, { measured: {} }]);
  expect(said.mark).toMatchObject({ before: {}, after: {}, verdict: {} });
});

test("remove without a key measures accuracy, and says that it cannot know more", async () => {
  const { status, stdout } = await wildmark(
    folder,
    `remove marked.onnx ${DATA} --method fine-tune --variant rtll --epochs 1 --out tuned.onnx --quiet`,
  );
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^Fine-tuning \(RTLL\) with 80 labelled images\. Whether a mark is gone, only its owner's key can tell/,
  );
});

test("remove says when the cleaned model only guesses", async () => {
  const line = `remove marked.onnx ${DATA} --method fine-tune --epochs 2 --learning-rate 2 --out wild.onnx`;
  const { status, stdout, stderr } = await wildmark(folder, `${line} --clip-ratio 0 --json`);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ atChance: true });
  expect(stderr).toContain("warning: the cleaned model only guesses");
});

test("the same seed gives the same bytes, another seed others", async () => {
  const line = `remove marked.onnx ${DATA} --epochs 1 --quiet --out`;
  await Promise.all([
    wildmark(folder, `${line} a.onnx --seed 3`),
    wildmark(folder, `${line} b.onnx --seed 3`),
    wildmark(folder, `${line} c.onnx --seed 4`),
  ]);
  const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => readFile(join(folder, `${name}.onnx`))));
  expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true);
  expect(a?.equals(c ?? Buffer.alloc(0))).toBe(false);
});

test("evaluate and info", async () => {
  const [evaluated, described, text] = await Promise.all([
    wildmark(folder, `evaluate model.onnx ${DATA} --json`),
    wildmark(folder, "info model.onnx --json"),
    wildmark(folder, "info model.onnx"),
  ]);
  expect(document(evaluated)).toMatchObject({ accuracy: document(trained).accuracy, dataset: { testImages: 200 } });
  expect(document(described)).toMatchObject({
    classifier: { classes: 10 },
    preprocessing: { layout: "NCHW", from: { layout: "assumed" } },
  });
  expect(text.stdout).toMatch(/parameters +61,706, of which training would change 61,706/);
  expect(text.stdout).toMatch(/features +\S+/);
});

test(
  "a model that is read otherwise than it was trained: told by evaluate and info, refused by embed " + "and remove",
  async () => {
    const path = join(folder, "lying.onnx");
    const model = await readModelFile(join(folder, "model.onnx"));
    await writeModelFile(path, withMetadata(model, new Map([[METADATA_KEY, '{"range": [1, 0]}']])));
    const [evaluated, described, embedded, removed, told] = await Promise.all([
      wildmark(folder, `evaluate lying.onnx ${DATA}`),
      wildmark(folder, `info lying.onnx ${DATA}`),
      wildmark(folder, `embed lying.onnx ${DATA} --out l.onnx --key l.key`),
      wildmark(folder, `remove lying.onnx ${DATA} --out l2.onnx`),
      wildmark(folder, `remove lying.onnx ${DATA} --method fine-tune --epochs 1 --as-read --out l3.onnx`),
    ]);
    expect(evaluated?.stdout).toContain("With --range 0,1 it answers");
    expect(described?.stdout).toMatch(/read as +accuracy +images +loss/);
    expect(described?.stdout).toContain("It was trained with another preprocessing: --range 0,1 fits best");
    for (const refused of [embedded, removed]) {
      expect(refused).toMatchObject({ status: 2, stdout: "" });
      expect(refused?.stderr).toContain("lying.onnx is read otherwise than it was trained: read as 0 to 1 it answers");
      expect(refused?.stderr).toContain("--range 0,1 says so; --as-read goes on all the same.");
    }
    expect(told?.status).toBe(0);
    expect(told?.stderr).toContain("warning: lying.onnx is read as it is, but read as 0 to 1");
  },
);

test("nothing is reported to anyone, and no identifier is kept", async () => {
  // ONNX Runtime reports by itself where it is not told otherwise, except in continuous integration.
  const cache = join(folder, "cache");
  const env = { XDG_CACHE_HOME: cache, CI: undefined, ORT_DISABLE_TELEMETRY: undefined };
  expect((await wildmark(folder, `evaluate model.onnx ${DATA}`, env)).status).toBe(0);
  await expect(readdir(cache)).rejects.toThrow("ENOENT");
});

test("lists, for people and for programs", async () => {
  const lines = ["list methods", "list marks", "list datasets", "list architectures", "data list"];
  for (const line of lines) {
    const [text, json] = await Promise.all([wildmark(folder, line), wildmark(folder, `${line} --json`)]);
    const entries: unknown = JSON.parse(json.stdout);
    if (!Array.isArray(entries)) throw new Error(`${line} --json is no list`);
    expect(entries.length).toBeGreaterThan(0);
    for (const { id } of entries) expect(text.stdout).toContain(id);
  }
});

test("reproduce writes its result and report, finds them finished, and refuses another's folder", async () => {
  const line =
    `reproduce ${DATA} --watermarks noise --metrics js --no-baselines --epochs 1 ` +
    `--training-epochs 1 --budgets 0.5 --out run`;
  // 100 triggers and 100 held out need more of one class than 800 images have.
  expect((await wildmark(folder, `${line} --published-forms`)).status).toBe(2);
  const enough = line.replace("--limit 800", "--limit 2100");
  const first = await wildmark(folder, `${enough} --json`);
  expect(document(first)).toMatchObject({ computed: true, out: "run", result: "run/result.json" });
  expect(first.stderr).toContain("WILD-JS, 50 %, noise, seed 0: accuracy ");
  expect(await readFile(join(folder, "run/report.html"), "utf8")).toMatch(/^<!doctype html>/);
  const result = await readFile(join(folder, "run/result.json"));

  const again = await wildmark(folder, enough);
  expect(again.status, again.stderr).toBe(0);
  expect(again.stdout).toContain("WILD-JS");
  expect(await readFile(join(folder, "run/result.json"))).toEqual(result);

  const other = await wildmark(folder, enough.replace("--limit 2100", "--limit 2200"));
  expect(other).toMatchObject({ status: 2, stdout: "" });
  expect(other.stderr).toContain("run/result.json is the result of reproduce of lenet5 on digits.");

  expect((await wildmark(folder, "report run/result.json --out redrawn.html")).status).toBe(0);
  expect(await readFile(join(folder, "redrawn.html"))).toEqual(await readFile(join(folder, "run/report.html")));
  expect((await readdir(join(folder, "run"))).filter((name) => name.endsWith(".part"))).toEqual([]);
});
