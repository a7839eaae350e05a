/** @file wildmark scan: is something planted in a model that somebody gave you? */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { writeFileAtomic } from "../../core/files.js";
import type { ImageShape } from "../../core/image.js";
import { requireAskable } from "../../data/fit.js";
import type { LoadedDataset } from "../../data/registry.js";
import { LEVELS } from "../../detection/finding.js";
import { type ScanDocument, scanDocument } from "../../experiments/scan-document.js";
import { describeModel } from "../../onnx/describe.js";
import type { Model } from "../../onnx/model.js";
import { renderScan } from "../../report/scan/page.js";
import { scanSarif } from "../../report/scan/sarif.js";
import { scanText } from "../../report/scan/text.js";
import { chosenDetectors, scanDetectors, scanModel } from "../../tasks/scan-model.js";
import { type CommandFile, defineCommand, type Outcome } from "../command.js";
import { type DataCall, type DataFlags, dataFlags, loadChosen } from "../data.js";
import { fingerprint } from "../fingerprint.js";
import { type ModelFlags, modelFlags, openModel } from "../model.js";
import { indented } from "../output.js";
import { requireWritable } from "../outputs.js";
import { picturedModel } from "../pictured-model.js";
import { textTable } from "../../core/text-table.js";
import { defined } from "../../core/defined.js";

const ownFlags = {
  detectors: z
    .array(z.string())
    .min(1)
    .optional()
    .meta({ description: "look with these only (default: all; --list names them)", placeholder: "LIST" }),
  list: z.boolean().default(false).describe("list the detectors, what each cannot see, and where it comes from"),
  probe: z
    .boolean()
    .default(true)
    .describe("read the graph without running it: at once, and blind to what a gate does"),
  baseline: z
    .string()
    .optional()
    .meta({
      description:
        "a folder of 20 or more clean models of the same architecture, to rank this one among; what they measure is " +
        "kept there in wildmark-baseline.json, which may be given instead; shipped: LeNet-5 on MNIST, which come along",
      placeholder: "DIR",
    }),
  inputShape: z
    .string()
    .regex(/^[1-9]\d{0,4}x[1-9]\d{0,4}x[1-9]\d{0,4}$/, "expected CHANNELSxHEIGHTxWIDTH, such as 3x224x224")
    .optional()
    .meta({ description: "the images that it takes, where its file leaves that open", placeholder: "CxHxW" }),
  failIf: z
    .enum(LEVELS)
    .optional()
    .describe("end with status 3 where something of this level or graver was found (default: never)"),
  html: z.string().optional().meta({
    description: "write a page: the findings, and the model drawn with them marked",
    placeholder: "FILE",
  }),
  sarif: z
    .string()
    .optional()
    .meta({ description: "write the findings as SARIF 2.1.0, for code scanning", placeholder: "FILE" }),
};

type ScanFlags = z.infer<z.ZodObject<typeof ownFlags>> &
  ModelFlags &
  Omit<DataFlags, "dataset"> & { readonly dataset?: string | undefined };

export const command: CommandFile = () =>
  defineCommand({
    name: "scan",
    description:
      "Looks for what may be planted in a model that somebody gave you: ways past the learned layers, gates that sleep, " +
      "classes that stand out. Says what was found and where, how sure that is, what innocent cause it may have, and " +
      "what its detectors cannot see. Needs no key and no data.",
    arguments: [{ name: "MODEL.onnx", description: "any ONNX model", optional: true }],
    flags: z.object({
      ...ownFlags,
      ...dataFlags,
      dataset: dataFlags.dataset.optional().meta({
        description: "clean images of the kind that the model is for, which some detectors need",
        placeholder: "NAME",
      }),
      ...modelFlags,
    }),
    common: { random: true, computes: true, writes: true, loads: true },
    examples: [
      ["wildmark scan model.onnx", ""],
      ["wildmark scan model.onnx --html scan.html", "with the model drawn, and the findings marked in it"],
      ["wildmark scan model.onnx --dataset mnist", "with clean images too"],
      ["wildmark scan model.onnx --baseline clean-models", "whether a class stands out, among clean models"],
      ["wildmark scan model.onnx --sarif scan.sarif --fail-if suspicious", "for continuous integration"],
      ["wildmark scan --list", "what is looked for"],
    ],
    async run({ args: [path], flags, runtimeFor, progress, force, seed, signal, typed }): Promise<Outcome> {
      if (flags.list) return listed();
      if (path === undefined) {
        throw new WildmarkError("usage", "scan: MODEL.onnx must be given.", {
          hint: "wildmark scan model.onnx, or wildmark scan --list.",
        });
      }
      const started = new Date();
      chosenDetectors(flags.detectors);
      await requireOutputs(path, flags, force);
      const model = await openModel(path, flags, progress);
      const dataset = await cleanImages(path, model, flags, { progress, force });
      const shape = shapeOf(flags.inputShape);
      const network = { model, shape: dataset?.test.shape ?? shape ?? ANY_IMAGE, classes: dataset?.test.classes ?? 1 };
      const runtime = await runtimeFor(network);
      const scan = await scanModel(model, {
        ...{ seed, runtime, progress, signal },
        structureOnly: !flags.probe,
        ...defined({ detectors: flags.detectors, baseline: flags.baseline, shape, images: dataset?.test }),
      });
      const document = scanDocument(scan, {
        command: typed,
        started,
        runtime,
        path,
        model,
        file: await fingerprint(path),
        images: dataset === undefined ? null : { id: dataset.id, sha256: dataset.sha256, count: dataset.test.count },
      });
      await write(document, model, flags, { force, shape: scan.shape });
      const written = [flags.html, flags.sarif].filter((file) => file !== undefined);
      return {
        document,
        text: [scanText(document), ...(written.length === 0 ? [] : [`Written: ${written.join(", ")}`])].join("\n\n"),
        alarmed: isAlarming(document, flags.failIf),
        // Where nothing was looked for, nobody may take silence for an answer.
        failed: flags.failIf !== undefined && document.detectors.every(({ ran }) => !ran),
      };
    },
  });

const ANY_IMAGE: ImageShape = { channels: 3, height: 32, width: 32 };

function shapeOf(text: string | undefined): ImageShape | undefined {
  const [channels, height, width] = (text ?? "").split("x").map(Number);
  return channels !== undefined && height !== undefined && width !== undefined
    ? { channels, height, width }
    : undefined;
}

async function requireOutputs(path: string, { html, sarif }: ScanFlags, force: boolean): Promise<void> {
  if (html !== undefined) await requireWritable(html, force, [path]);
  if (sarif !== undefined) await requireWritable(sarif, force, [path, ...(html === undefined ? [] : [html])]);
}

/** The data set of clean images, which the model must be able to answer. */
async function cleanImages(
  path: string,
  model: Model,
  { dataset: named, ...flags }: ScanFlags,
  call: DataCall,
): Promise<LoadedDataset | undefined> {
  if (named === undefined) return undefined;
  const dataset = await loadChosen({ ...flags, dataset: named }, call);
  const { shape, classes } = dataset.test;
  const fitting = { what: `the images of ${dataset.id}`, shape, classes };
  for (const sentence of requireAskable(model, path, fitting, { exactly: true }))
    call.progress.note(`note: ${sentence}`);
  return dataset;
}

async function write(
  document: ScanDocument,
  model: Model,
  { html, sarif }: ScanFlags,
  { force, shape }: { readonly force: boolean; readonly shape: ImageShape | undefined },
): Promise<void> {
  if (html !== undefined) {
    const picture = await picturedModel(model, describeModel(model), { threads: 1 }, shape);
    await writeFileAtomic(html, Buffer.from(renderScan(document, picture)), { force });
  }
  if (sarif !== undefined) {
    await writeFileAtomic(sarif, Buffer.from(`${JSON.stringify(scanSarif(document), undefined, 2)}\n`), { force });
  }
}

function isAlarming({ findings }: ScanDocument, failIf: ScanFlags["failIf"]): boolean {
  if (failIf === undefined) return false;
  return findings.some(({ level }) => LEVELS.indexOf(level) <= LEVELS.indexOf(failIf));
}

function listed(): Outcome {
  const all = scanDetectors.map(({ id, title, summary, source, blind, ...detector }) => {
    const needs = detector.kind === "graph" ? "nothing" : detector.needs;
    return { id, title, kind: detector.kind, needs, summary, blind, source };
  });
  const text = all.map(({ id, title, summary, blind, source, needs }) =>
    [
      `${id}: ${title}`,
      indented(
        textTable([
          ["does", summary],
          ["cannot see", blind],
          ...(needs === "images" ? [["needs", "clean images (--dataset)"]] : []),
          ["source", source],
        ]),
      ),
    ].join("\n"),
  );
  return { document: all, text: text.join("\n\n") };
}
