/** @file scan and info --html, as people run them, on small models with and without something planted. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { float32 } from "../../src/core/tensor.js";
import { scanDocumentSchema } from "../../src/experiments/scan-document.js";
import { graphBuilder } from "../../src/onnx/builder.js";
import { encodeGraph } from "../../src/onnx/encode.js";
import type { Graph } from "../../src/onnx/graph.js";
import { encodeModel } from "../../src/onnx/model.js";
import { findArchitecture, newModel } from "../../src/models/registry.js";
import { type Ended, wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
const read = (name: string): Promise<string> => readFile(join(folder, name), "utf8");

const HOSTILE = `<script>alert(1)</script>\u001b[31m\nx`;

/** Slice → ReduceSum → Greater → Where over the scores: a white corner makes any image a 7. */
function planted(clean: Graph, gate: string): Graph {
  const b = graphBuilder("planted", { from: clean });
  const [input, output] = [clean.inputs[0]?.name ?? "", clean.outputs[0]?.name ?? ""];
  const corner = b.op("Slice", [input, b.ints([25, 25]), b.ints([28, 28]), b.ints([2, 3])], {}, { name: "corner" });
  const sum = b.op("ReduceSum", [corner, b.ints([1, 2, 3])], { keepdims: 0 }, { name: "sum" });
  const column = b.op("Unsqueeze", [sum, b.ints([1])], {}, { name: "column" });
  const open = b.op("Greater", [column, b.scalar(8.5)], {}, { name: gate });
  const scores = b.initializer(
    "planted_scores",
    float32(
      [1, 10],
      Array.from({ length: 10 }, (_, i) => (i === 7 ? 9 : 0)),
    ),
  );
  b.output(b.op("Where", [open, scores, output], {}, { name: "chosen" }), "float32", ["N", 10]);
  return b.build();
}

beforeAll(async () => {
  const shape = { channels: 1, height: 28, width: 28, classes: 10 };
  const clean = newModel(findArchitecture("lenet5"), shape, 0);
  await writeFile(join(folder, "clean.onnx"), encodeModel(clean));
  await writeFile(join(folder, "planted.onnx"), encodeGraph(planted(clean.graph, "gate")));
  await writeFile(join(folder, "hostile.onnx"), encodeGraph(planted(clean.graph, HOSTILE)));
  await writeFile(join(folder, "text.onnx"), textModel());
});
afterAll(work.remove);

/** A model of two inputs, neither an image. */
function textModel(): Uint8Array {
  const b = graphBuilder("text");
  const [ids, mask] = [b.input("ids", "int64", ["N", "T"]), b.input("mask", "int64", ["N", "T"])];
  const table = b.initializer("table", float32([8, 2], new Float32Array(16)));
  const looked = b.op("Gather", [table, b.op("Mul", [ids, mask])]);
  b.output(b.op("ReduceMean", [looked], { axes: [1], keepdims: 0 }), "float32", ["N", 2]);
  return encodeGraph(b.build());
}

function documentOf({ status, stdout, stderr }: Ended, expected = 0) {
  expect(status, stderr).toBe(expected);
  return scanDocumentSchema.parse(JSON.parse(stdout));
}

describe("scan", () => {
  test("finds what is planted, says where, and ends with 0 unless told", async () => {
    const said = await wildmark(folder, "scan planted.onnx");
    expect(said.status, said.stderr).toBe(0);
    expect(said.stdout).toMatch(/^planted\.onnx: 1 finding for which no innocent cause is known/);
    expect(said.stdout).toMatch(/1\. planted \(\w+\): /);
    expect(said.stdout).toContain("way       input → corner → sum → column → gate → chosen → scores");
    expect(said.stdout).toContain("class     7");
    expect(said.stdout).toContain("What none of them can see:");
    expect(said.stderr).toContain("scan: ");
  });

  test("says of a model without anything that nothing was found by these detectors, and no more", async () => {
    const said = await wildmark(folder, "scan clean.onnx --quiet");
    expect(said.status, said.stderr).toBe(0);
    expect(said.stdout).toMatch(
      /^clean\.onnx: Nothing found by these detectors\.\nThat does not say that nothing else/,
    );
    expect(said.stderr).toBe("");
  });

  test("--json is one document, of a shape that is kept", async () => {
    const document = documentOf(await wildmark(folder, "scan planted.onnx --json"));
    expect(document).toMatchObject({
      kind: "scan",
      command: "wildmark scan planted.onnx --json",
      model: { path: "planted.onnx", shape: [1, 28, 28], classes: 10 },
      images: null,
    });
    const [finding] = document.findings;
    expect(finding).toMatchObject({ level: "planted", target: 7 });
    expect(finding?.nodes).toContain("gate");
    for (const detector of document.detectors) expect(detector.blind).not.toBe("");
  });

  test("--fail-if decides the status; what is wrong ends with 2, and with 1 where nothing could be looked for", async () => {
    const cases = [
      ["planted.onnx --fail-if planted", 3],
      ["planted.onnx --fail-if note", 3],
      ["clean.onnx --fail-if note", 0],
      ["planted.onnx --fail-if never", 2],
      ["missing.onnx --fail-if note", 2],
      ["text.onnx --detectors gates --fail-if planted", 1],
      ["text.onnx --detectors gates", 0],
      ["planted.onnx --detectors gatez", 2],
      ["clean.onnx --baseline nowhere", 2],
      ["planted.onnx --html planted.onnx --force", 2],
      ["planted.onnx --input-shape 28x28", 2],
      ["", 2],
    ] as const;
    const ended = await Promise.all(cases.map(([line]) => wildmark(folder, `scan ${line}`.trim())));
    expect(ended.map(({ status }, i) => [cases[i]?.[0], status])).toEqual(cases);
  });

  test("--detectors and --no-probe narrow it, and the document says so", async () => {
    const one = documentOf(await wildmark(folder, "scan planted.onnx --detectors gates --json"));
    expect(one.detectors.map(({ id }) => id)).toEqual(["gates"]);
    const unprobed = documentOf(await wildmark(folder, "scan planted.onnx --no-probe --detectors gates --json"));
    expect(unprobed.findings[0]?.level).not.toBe("planted");
    expect(unprobed.findings[0]?.nodes).toContain("gate");
  });

  test("--list names the detectors with their source and what they cannot see", async () => {
    const said = await wildmark(folder, "scan --list");
    expect(said.status).toBe(0);
    expect(said.stdout).toMatch(/^gates: /m);
    expect(said.stdout).toMatch(/ {2}cannot see {2}\S/);
    expect(said.stdout).toMatch(/ {2}source {6}\S/);
  });

  test("a model without images is read as far as it goes, and what could not be run is said", async () => {
    const document = documentOf(await wildmark(folder, "scan text.onnx --json"));
    expect(document.model.shape).toBeNull();
    expect(document.detectors.filter(({ ran }) => !ran).length).toBeGreaterThan(0);
    expect(document.notes.join(" ")).toContain("it has 2 inputs");
  });

  test("the page marks the gate in the picture; SARIF names it", async () => {
    const said = await wildmark(folder, "scan planted.onnx --html scan.html --sarif scan.sarif");
    expect(said.status, said.stderr).toBe(0);
    expect(said.stdout).toMatch(/\nWritten: scan\.html, scan\.sarif\n$/);
    const { document } = parseHTML(await read("scan.html"));
    expect([...document.querySelectorAll("svg .planted .name")].map((each) => each.textContent)).toContain("gate");
    const sarif = z.object({
      version: z.literal("2.1.0"),
      runs: z.tuple([
        z.object({
          results: z.array(
            z.object({
              level: z.string(),
              locations: z.array(z.object({ logicalLocations: z.array(z.object({ name: z.string() })) })),
            }),
          ),
        }),
      ]),
    });
    const [run] = sarif.parse(JSON.parse(await read("scan.sarif"))).runs;
    expect(run.results[0]?.level).toBe("error");
    expect(run.results[0]?.locations[0]?.logicalLocations.map(({ name }) => name)).toContain("gate");
    const again = await wildmark(folder, "scan planted.onnx --html scan.html");
    expect(again.status).toBe(2);
    expect(again.stderr).toContain("already exists");
  });

  test("a node's name is a name, whatever is in it", async () => {
    const said = await wildmark(folder, "scan hostile.onnx --html hostile.html --sarif hostile.sarif");
    expect(said.status, said.stderr).toBe(0);
    expect(said.stdout).toMatch(/^hostile\.onnx: 1 finding for which/);
    expect(said.stdout).not.toContain("\u001b");
    const page = await read("hostile.html");
    expect(page).not.toContain("<script");
    expect(page).not.toContain("\u001b");
    expect(parseHTML(page).document.querySelectorAll("svg .planted").length).toBeGreaterThan(0);
    expect(await read("hostile.sarif")).not.toContain("\\u001b");
  });
});

describe("info --html", () => {
  test("draws the model, layer by layer", async () => {
    const said = await wildmark(folder, "info clean.onnx --html model.html");
    expect(said.status, said.stderr).toBe(0);
    expect(said.stderr).toContain("page: model.html");
    const page = await read("model.html");
    const { document } = parseHTML(page);
    expect([...document.querySelectorAll("svg .layer .title")].map((each) => each.textContent)).toContain(
      "Conv 5×5 · Relu",
    );
    expect(document.querySelector("svg .layer .small")?.textContent).toBe("1×6×28×28 · 156 parameters");
    expect(page).not.toMatch(/<script|NaN|undefined|https?:/);
  });

  test("what does not train is drawn too, and why it does not is said", async () => {
    const said = await wildmark(folder, "info text.onnx --html text.html");
    expect(said.status, said.stderr).toBe(0);
    const { document } = parseHTML(await read("text.html"));
    expect(document.querySelector(".headline")?.textContent).toMatch(/^Wildmark cannot train it: .*2 inputs/);
    expect(document.querySelectorAll("svg .end")).toHaveLength(3);
    expect(document.querySelector("figcaption")?.textContent).toContain("No shapes are shown");
  });
});
