/** @file wildmark remove: an attack on one marked model, measured from outside. */

import { z } from "zod";
import { WildmarkError } from "../../core/errors.js";
import { requireFit } from "../../data/fit.js";
import { erasingShape } from "../../data/views.js";
import { isAtChance } from "../../tasks/chance.js";
import { reactivationSchema } from "../../tasks/reactivation.js";
import { settleReading } from "../../tasks/reading.js";
import { gateStands } from "../../tasks/graph-check.js";
import { type CleanedMark, type CleanedModel, type GraphRecord, removeMark } from "../../tasks/remove-mark.js";
import { requireAttackerImages } from "../../tasks/attacker-images.js";
import { encodeModel, modelSha256 } from "../../onnx/model.js";
import { writeModelFile } from "../../onnx/model-file.js";
import { keySha256, readKey } from "../../ownership/key-file.js";
import { describeVerdict } from "../../ownership/verdict.js";
import { findMethod, removalMethods } from "../../removal/registry.js";
import { tuningShape } from "../../removal/tuning.js";
import { keeping } from "../../tasks/checkpoint.js";
import { checkpointBeside, modelIdentity } from "../checkpoint.js";
import { type CommandFile, defineCommand, wordAfter } from "../command.js";
import { dataFlags, datasetIn, doubtLines, doubtsOf, loadChosen } from "../data.js";
import { noteEpochs } from "../epochs.js";
import { asReadFlag, modelFlags, openModel, requireSidecarWritable, trainFromFlag } from "../model.js";
import { textTable } from "../../core/text-table.js";
import { points } from "../output.js";
import type { Finding } from "../../detection/finding.js";
import { percent } from "../../core/percent.js";
import { requireWritable } from "../outputs.js";
import { readingsDocument } from "../readings.js";
import { defined } from "../../core/defined.js";

const DEFAULT_METHOD = "wild";

const flags = z.object({
  method: z
    .string()
    .default(DEFAULT_METHOD)
    .meta({ description: `how to remove: ${removalMethods.map(({ id }) => id).join(", ")}`, placeholder: "METHOD" }),
  ...dataFlags,
  fraction: z
    .number()
    .gt(0)
    .max(1)
    .default(0.1)
    .meta({ description: "the attacker's share of the training images: 0.1 or 10%", placeholder: "SHARE" }),
  unlabelled: z.number().gt(0).max(1).optional().meta({
    description: "for methods that need images without labels: their share (default: as large as --fraction)",
    placeholder: "SHARE",
  }),
  out: z.string().meta({ description: "where the cleaned model goes", placeholder: "FILE" }),
  key: z.string().optional().meta({
    description: "the owner's key: measures retention each epoch; the method never sees it",
    placeholder: "FILE",
  }),
  reactivate: z
    .boolean()
    .default(true)
    .describe("with --key: do not try whether some steps of tuning on clean training images bring the mark back"),
  cut: z
    .boolean()
    .default(false)
    .describe("first cut out of the graph what is certainly planted there: no method touches the graph"),
  ...trainFromFlag,
  ...modelFlags,
  ...asReadFlag,
});

/** What methods have in common; the number of their options would fill a screen. */
const METHOD_GROUPS = [
  { heading: "Training", keys: Object.keys(tuningShape) },
  { heading: "Random Erasing", keys: Object.keys(erasingShape) },
];

export const command: CommandFile = (words) => {
  const method = findMethod(wordAfter(words, "--method") ?? DEFAULT_METHOD);
  return defineCommand({
    name: "remove",
    fullName: `remove --method ${method.id}`,
    description:
      "Audits a mark: attacks a marked model as someone would who has its weights and a share of the " +
      "training data, and " +
      "measures what is left. For models that you own or have permission to test.",
    arguments: [{ name: "MARKED.onnx", description: "the model to attack" }],
    flags,
    extras: [{ heading: `Options of ${method.id}`, schema: method.options, groups: METHOD_GROUPS }],
    resumes: true,
    common: { random: true, computes: "trains", writes: true },
    examples: [
      ["wildmark remove marked.onnx --dataset digits --out cleaned.onnx --key mark.safetensors", "WILD on 10 %"],
      ["wildmark remove marked.onnx --metric ce --dataset mnist --fraction 0.01 --out cleaned.onnx", "1 % of MNIST"],
      ["wildmark remove --method fine-tune --help", "the options of another method"],
    ],
    async run({
      args: [path = ""],
      flags: { out, key: keyPath, fraction, unlabelled, trainFrom, reactivate, cut, asRead, ...chosen },
      read,
      ...call
    }) {
      const { seed, force, progress } = call;
      const picked = method.choose(read(method.options));
      if (unlabelled !== undefined && !method.needs.includes("unlabelled")) throw needsLabelsOnly(method.id);
      await requireWritable(out, force, [path, ...(keyPath === undefined ? [] : [keyPath])]);
      const model = await openModel(path, chosen, progress);
      await requireSidecarWritable(out, model, force);
      const key = keyPath === undefined ? undefined : await readKey(keyPath);
      if (key !== undefined) {
        requireFit(model, path, {
          what: `the key ${keyPath}`,
          shape: key.shape,
          classes: key.classes,
          code: "bad-key",
        });
      }
      const dataset = await loadChosen(chosen, call);
      const { shape, classes } = dataset.train;
      requireFit(model, path, { what: `the images of ${dataset.id}`, shape, classes });
      const share = unlabelled === undefined ? {} : { unlabelled };
      const followed = reactivate ? { reactivation: REACTIVATION } : {};
      const removal = { model, dataset, method: picked, fraction, seed, cut, ...share };
      requireAttackerImages(removal, removal.method);
      const runtime = await call.runtimeFor({ model, shape, classes });
      const readings = await settleReading(model, dataset.test, {
        where: path,
        asRead,
        words: "flags",
        runtime,
        progress,
      });
      const identity = {
        command: "remove",
        origin: modelIdentity(model),
        dataset: dataset.sha256,
        method: { id: picked.id, options: picked.options },
        ...{ fraction, seed, ...share, trainFrom, cut },
        key: key === undefined ? null : keySha256(key),
        ...followed,
      };
      const checkpoint = await checkpointBeside(out, { identity, runtime }, progress);
      const run = {
        ...call,
        runtime,
        checkpoint,
        ...defined({ trainFrom }),
        onEpoch: noteEpochs(progress),
      };
      const cleaned = await keeping(checkpoint, async () => {
        const made = await removeMark(key === undefined ? removal : { ...removal, key, ...followed }, run);
        await writeModelFile(out, made.model, { force });
        return made;
      });
      const bytes = encodeModel(cleaned.model);
      const { graph, mark, epochs, seconds, images, unlabelledImages, accuracyBefore, accuracyAfter } = cleaned;
      const [atChanceBefore, atChance] = [accuracyBefore, accuracyAfter].map((share) =>
        isAtChance(Math.round(share * dataset.test.count), dataset.test),
      );
      // Of what guessed before, settleReading has told.
      if (atChance && !atChanceBefore) progress.note(COLLAPSED);
      return {
        document: {
          command: "remove",
          model: { path, sha256: modelSha256(encodeModel(model)) },
          out: { path: out, sha256: modelSha256(bytes) },
          dataset: datasetIn(dataset),
          method: picked.id,
          label: picked.label,
          options: picked.options,
          fraction,
          images,
          unlabelledImages,
          seed,
          accuracyBefore,
          accuracyAfter,
          atChanceBefore,
          atChance,
          readings: readingsDocument(readings),
          graph: { ...graph, gateStands: gateStands(graph.after) },
          mark: mark ?? null,
          epochs,
          seconds,
        },
        text: [
          inWords(cleaned, picked.label),
          ...graphInWords(graph, cut),
          ...doubtLines(doubtsOf(dataset)),
          `Model: ${out}`,
        ].join("\n\n"),
      };
    },
  });
};

function needsLabelsOnly(id: string): WildmarkError {
  const others = removalMethods.filter(({ needs }) => needs.includes("unlabelled")).map((method) => method.id);
  return new WildmarkError("usage", `--unlabelled: ${id} needs no images without labels.`, {
    hint: others.length === 0 ? "No method does yet." : `Methods that do: ${others.join(", ")}.`,
  });
}

const REACTIVATION = reactivationSchema.parse({});

const COLLAPSED =
  "warning: the cleaned model only guesses: its training went astray. Lower --learning-rate, or shorten " +
  "long gradients " +
  "(--clip-ratio 0.03).";

/** What was cut, and what stays: a model with a gate in it is not clean, whatever became of its mark. */
function graphInWords({ cut, refused, after }: GraphRecord, wanted: boolean): readonly string[] {
  const gone = cut.map(({ removed }) => `Cut out of the graph: ${removed.join(", ")}.`);
  // What was only suspicious may have gone with what was cut.
  const stands = ({ nodes }: Finding): boolean => after.some((left) => left.nodes.join() === nodes.join());
  const left = refused.filter(({ finding }) => wanted && stands(finding));
  const stayed = left.map(({ finding, why }) => `Not cut: ${finding.nodes.join(", ")}. ${why}`);
  if (after.length === 0) return [...gone, ...stayed];
  const first = after[0]?.what ?? "";
  const said = gateStands(after)
    ? `The model is not clean: something is still planted in its graph.${wanted ? "" : " --cut cuts it out first."}`
    : "Its graph still holds what innocent ones seldom hold.";
  return [...gone, ...stayed, `${said} ${first}`];
}

function inWords(cleaned: CleanedModel & { readonly mark?: CleanedMark }, label: string): string {
  const { accuracyBefore, accuracyAfter, images, unlabelledImages, mark } = cleaned;
  const accuracy = [
    "accuracy",
    percent(accuracyBefore, 2),
    percent(accuracyAfter, 2),
    points(accuracyAfter - accuracyBefore),
  ];
  const header = ["", "before", "after", "points"];
  const what =
    `${label} with ${images} labelled ` +
    `images${unlabelledImages === 0 ? "" : ` and ${unlabelledImages} without labels`}`;
  if (mark === undefined) {
    return `${what}. Whether a mark is gone, only its owner's key can tell (--key).\n\n${textTable([accuracy], header)}`;
  }
  const { before, after, verdict, reactivated } = mark;
  const row = (name: string, from: number, to: number) => [name, percent(from, 2), percent(to, 2), points(to - from)];
  const rows = [
    accuracy,
    row("retention", before.retention, after.retention),
    ...(before.heldOutRetention === undefined || after.heldOutRetention === undefined
      ? []
      : [row("held-out retention", before.heldOutRetention, after.heldOutRetention)]),
  ];
  const again =
    reactivated === undefined
      ? ""
      : `\n\nAfter ${REACTIVATION.steps} more steps on clean training images (re-activation): ` +
        `retention ${percent(reactivated.measured.retention, 2)}, ${describeVerdict(reactivated.verdict)[0]}.`;
  return `After ${what}: ${describeVerdict(verdict)[0]}.\n\n${textTable(rows, header)}${again}`;
}
