/** @file wildmark info: what a model is, and what Wildmark sees in it. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { writeFileAtomic } from "../../core/files.js";
import { bestReading, type ReadingScores } from "../../data/best-reading.js";
import { requireAskable } from "../../data/fit.js";
import { describeDims } from "../../onnx/classifier.js";
import { describeModel, type ModelDescription } from "../../onnx/describe.js";
import type { ValueInfo } from "../../onnx/graph.js";
import { encodeModel, type Model, modelSha256 } from "../../onnx/model.js";
import { preprocessingInWords } from "../../onnx/preprocessing.js";
import { renderModel } from "../../report/model/page.js";
import { type Call, type CommandFile, defineCommand } from "../command.js";
import { type DataCall, type DataFlags, dataFlags, loadChosen } from "../data.js";
import { type Fingerprint, fingerprint } from "../fingerprint.js";
import { picturedModel } from "../pictured-model.js";
import { requireWritable } from "../outputs.js";
import { thisSoftware } from "../../experiments/machine.js";
import { imageShapeOf, layerLowerings, loweringsInWords, watchOf } from "../lowerings.js";
import { type ModelFlags, modelFlags, openModel } from "../model.js";
import { textTable } from "../../core/text-table.js";
import { count, indented } from "../output.js";
import { readingsDocument, readingsInWords } from "../readings.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "info",
    description:
      "Shows a model's inputs, outputs, operators and parameters, which of them training would change, and " +
      "the feature " +
      "tensor that WILD would use.",
    arguments: [{ name: "MODEL.onnx", description: "any ONNX model" }],
    flags: z.object({
      ...dataFlags,
      dataset: dataFlags.dataset.optional().meta({
        description: "data to ask the model under every usual preprocessing, to see which it expects",
        placeholder: "NAME",
      }),
      ...modelFlags,
      html: z
        .string()
        .optional()
        .meta({ description: "write a page with the model drawn, layer by layer", placeholder: "FILE" }),
      autotuning: z
        .boolean()
        .default(false)
        .describe(
          "how convolutions and the gradients of convolutions and poolings are computed, and what was measured",
        ),
      rows: z.int().min(1).max(65_536).default(128).meta({
        description: "with --autotuning: images in a step, all views together (WILD sees each twice: 2 × --batch)",
        placeholder: "N",
      }),
      measure: z
        .boolean()
        .default(false)
        .describe("with --autotuning: measure what was not measured on this machine, and keep it"),
    }),
    common: { computes: "trains", loads: true, writes: true },
    examples: [
      ["wildmark info model.onnx", ""],
      ["wildmark info model.onnx --html model.html", "the model drawn: layers, shapes, parameters"],
      ["wildmark info model.onnx --dataset mnist", "which preprocessing it expects, by its answers"],
      ["wildmark info model.onnx --json", "everything, each weight with its shape"],
      ["wildmark info model.onnx --autotuning --measure", "the lowering of each layer, measured on this machine"],
    ],
    async run({ args: [path = ""], flags, runtimeFor, progress, force, signal }) {
      if (flags.measure && !flags.autotuning)
        throw new WildmarkError("usage", "info: --measure goes with --autotuning.");
      if (flags.html !== undefined) await requireWritable(flags.html, force, [path]);
      const model = await openModel(path, flags, progress);
      const bytes = encodeModel(model);
      const description = describeModel(model);
      const file = { path, ...(await fingerprint(path)) };
      const read = { bytes: bytes.length, sha256: modelSha256(bytes) };
      if (flags.html !== undefined) {
        const picture = await picturedModel(model, description, { threads: 1 });
        const page = renderModel({ file, description, picture, software: thisSoftware() });
        await writeFileAtomic(flags.html, Buffer.from(page), { force });
        progress.note(`page: ${flags.html}`);
      }
      const asked = await readingsOf(path, model, flags, runtimeFor, { progress, force });
      const document = {
        command: "info",
        file,
        read,
        ...description,
        ...(asked === undefined ? {} : { readings: readingsDocument(asked.readings) }),
      };
      const described = inWords(file, read, description);
      const text = asked === undefined ? described : `${described}\n\n${readingsInWords(asked.readings, asked.title)}`;
      if (!flags.autotuning) return { document, text };
      const { rows, measure } = flags;
      // Where the file does not say how many classes there are, one column of targets stands for all.
      const classes = description.classifier?.classes ?? 1;
      const runtime = await runtimeFor({ model, shape: imageShapeOf(model), classes });
      const options = { rows, measure, runtime, watch: watchOf(progress, signal) };
      const lowerings = await layerLowerings(model, options);
      return {
        document: { ...document, autotuning: { rows, lowerings } },
        text: `${text}\n\n${loweringsInWords(lowerings, options)}`,
      };
    },
  });

/** Where data are named: what the model answers under each reading. */
async function readingsOf(
  path: string,
  model: Model,
  { dataset: named, ...flags }: ModelFlags & Omit<DataFlags, "dataset"> & { readonly dataset?: string | undefined },
  runtimeFor: Call<unknown>["runtimeFor"],
  call: DataCall,
): Promise<{ readonly readings: ReadingScores; readonly title: string } | undefined> {
  if (named === undefined) return undefined;
  const dataset = await loadChosen({ ...flags, dataset: named }, call);
  const { shape, classes } = dataset.test;
  for (const sentence of requireAskable(
    model,
    path,
    { what: `the images of ${dataset.id}`, shape, classes },
    { exactly: true },
  ))
    call.progress.note(`note: ${sentence}`);
  const runtime = await runtimeFor({ model, shape, classes });
  return { readings: await bestReading(model, dataset.test, { againstFlags: true, runtime }), title: dataset.title };
}

function inWords(file: Fingerprint & { readonly path: string }, read: Fingerprint, model: ModelDescription): string {
  const { origin, opsets, classifier } = model;
  const opsetWords = Object.entries(opsets).map(
    ([domain, version]) => `${domain === "" ? "ai.onnx" : domain} ${version}`,
  );
  const facts = [
    ["file", `${file.path}, ${count(file.bytes)} bytes`],
    ["SHA-256", file.sha256],
    ...(read.sha256 === file.sha256 ? [] : [["read as", `${count(read.bytes)} bytes, SHA-256 ${read.sha256}`]]),
    ["made by", `${origin.producer || "unknown"}, IR version ${origin.irVersion}, opset ${opsetWords.join(", ")}`],
    ...model.inputs.map((value) => ["input", valueWords(value)]),
    ...model.outputs.map((value) => ["output", valueWords(value)]),
    ["parameters", `${count(model.parameters)}, of which training would change ${count(model.trainableParameters)}`],
    ["operators", model.operators.map(({ operator, count: n }) => `${n} ${operator}`).join(", ")],
    ...Object.entries(model.metadata).map(([key, value]) => ["metadata", `${key} = ${value}`]),
  ];
  const seen =
    classifier === undefined
      ? [
          ["no classifier", model.problem ?? "for an unknown reason"],
          ...(model.askable
            ? [["but", "verify and evaluate can ask it: that takes a model that runs, not one that trains"]]
            : []),
        ]
      : [
          ["classes", String(classifier.classes ?? "not said in the file")],
          ["logits", classifier.logits],
          ["features", `${classifier.features}${classifier.note === undefined ? "" : ` (${classifier.note})`}`],
          ["last layer", classifier.lastLayer.join(", ") || "none"],
        ];
  const weights = model.trainable.map(({ name, dims }) => [name, `[${dims.join(",")}]`]);
  return [
    textTable(facts),
    `What it expects of images:\n${indented(textTable(preprocessingInWords(model.preprocessing).map((row) => [...row])))}`,
    ...(Object.keys(model.head).length === 0
      ? []
      : [`How its answers are read:\n${indented(textTable(headInWords(model)))}`]),
    `What Wildmark sees in it:\n${indented(textTable(seen))}`,
    ...(weights.length === 0 ? [] : [`Trainable:\n${indented(textTable(weights))}`]),
  ].join("\n\n");
}

/** One line for each thing that was said. */
function headInWords({ head }: ModelDescription): string[][] {
  const { output, logits, lastLayer, classes, binary } = head;
  const said = {
    output,
    logits,
    "last layer": lastLayer,
    classes: classes?.join(", "),
    binary: binary ? "yes" : undefined,
  };
  return Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}

function valueWords({ name, type, dims }: ValueInfo): string {
  return `${name}: ${type ?? "no tensor of numbers"} ${describeDims(dims)}`;
}
