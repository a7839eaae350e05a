/** @file Writes down what `verify` asked and found, for whoever has to be convinced: the document of a verdict. */

import { pngDataUri } from "../data/png.js";
import { imageSize } from "../data/dataset.js";
import { modelPreprocessing } from "../onnx/image-graph.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import { type Key, type KeyBase, type KeyImages, type KeyOption, MADE_ELSEWHERE } from "../ownership/key.js";
import { keySha256 } from "../ownership/key-file.js";
import { keyIdentity } from "../ownership/key-binding.js";
import type { NullModel } from "../ownership/null-models.js";
import { NOT_ASKED, REFUSED, type SuspectAnswers } from "../ownership/suspect.js";
import type { Matches } from "../ownership/tests.js";
import { groundsInWords, type Verdict } from "../ownership/verdict.js";
import { type Answers, comparedCounts } from "../ownership/verify.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { thisMachine, thisSoftware } from "./machine.js";
import { RESULT_FORMAT } from "./document.js";
import { VERDICT_VERSION, type VerdictDocument } from "./verdict-result.js";
import { defined } from "../core/defined.js";

/** More triggers than these are not shown, so that a page stays one: the key holds them all. */
export const PICTURES = 60;

export interface VerdictFacts {
  /** The command line as it was typed. */
  readonly command: string;
  readonly started: Date;
  readonly runtime?: RuntimeOptions;
  readonly suspect: VerdictDocument["suspect"];
  readonly key: Key;
  /** What the document calls it: its path. */
  readonly keyName: string;
  readonly answers: Answers;
  readonly verdict: Verdict;
  /** As they were asked, in the order of their answers. */
  readonly nullModels?: readonly NullModel[];
  /** What the strangers' keys were drawn from, and how many images they hold in all. */
  readonly strangers?: { readonly base: KeyBase; readonly images: number };
  readonly heldOut?: Matches;
  readonly regenerated: boolean;
  readonly commitment?: string;
  /** Whether to show the first triggers: whoever has seen them can filter them out, or claim them. */
  readonly pictures?: boolean;
}

/** @throws WildmarkError `bad-data` for pictures of images with other than one or three channels. */
export function verdictDocument(facts: VerdictFacts): VerdictDocument {
  const { started, runtime = {}, suspect, key, answers, verdict, heldOut } = facts;
  const finished = new Date();
  const document: VerdictDocument = {
    format: RESULT_FORMAT,
    version: VERDICT_VERSION,
    kind: "verdict",
    title: `Does ${suspect.name} carry the mark of ${facts.keyName}?`,
    command: withoutSalt(facts.command),
    started: started.toISOString(),
    finished: finished.toISOString(),
    seconds: (finished.getTime() - started.getTime()) / 1000,
    software: thisSoftware(),
    machine: thisMachine(runtime, runtime.threads ?? 1),
    suspect,
    key: keyFacts(facts),
    asked: {
      triggers: askedOf(answers.triggers),
      placebos: answers.placebos === undefined ? 0 : askedOf(answers.placebos),
      heldOutTriggers: heldOut?.n ?? 0,
      strangers: facts.strangers?.images ?? 0,
    },
    verdict,
    grounds: groundsInWords(verdict).map((ground) => ({ ...ground })),
    compared: comparedOf(facts),
    ...(heldOut === undefined ? {} : { heldOut: { ...heldOut } }),
    notTested: [],
    ...(facts.pictures === true ? { pictures: picturesOf(key, answers) } : {}),
  };
  return { ...document, notTested: [...notTested(document)] };
}

/** A model's file as a suspect. */
export function modelFacts(model: Model, name: string, key: Key): VerdictDocument["suspect"] {
  const { layout, range, mean, std, channelOrder, from } = modelPreprocessing(model, key.shape);
  const sha256 = modelSha256(encodeModel(model));
  return {
    kind: "model",
    name,
    sha256,
    isTheMarkedFile: sha256 === key.modelSha256,
    reading: { layout, range: [...range], mean: [...mean], std: [...std], channelOrder, from: { ...from } },
  };
}

/** The salt stays with the owner until somebody has to be shown the commitment. */
function withoutSalt(command: string): string {
  return command.replaceAll(/(--salt[= ])('[^']*'|\S+)/g, "$1SALT");
}

function keyFacts(facts: VerdictFacts): VerdictDocument["key"] {
  const { key, keyName, regenerated, commitment } = facts;
  const { shape, drawn, placebos, classNames } = key;
  return {
    name: keyName,
    sha256: keySha256(key),
    scheme: key.scheme,
    options: facts.pictures === true ? { ...key.options } : withoutClasses(key.options),
    createdBy: key.createdBy,
    classes: key.classes,
    ...(classNames === undefined ? {} : { classNames: [...classNames] }),
    shape: [shape.channels, shape.height, shape.width],
    triggers: key.triggers.count,
    heldOutTriggers: key.heldOut?.count ?? 0,
    placebos: placebos?.count ?? 0,
    placebosPaired: placebos?.paired ?? false,
    madeFor: key.modelSha256,
    // Field by field: the secret lies beside them.
    ...(drawn === undefined
      ? {}
      : {
          drawn: {
            labelling: drawn.labelling,
            exchangeable: drawn.exchangeable,
            base: { ...drawn.base },
            identity: keyIdentity({ ...key, drawn }),
          },
        }),
    regenerated,
    ...(commitment === undefined ? {} : { commitment: commitment.toLowerCase() }),
  };
}

/** Options by which classes can be chosen: a target is the label of every trigger. */
const CLASS_OPTIONS = ["source", "target", "first", "second"];

function withoutClasses(options: Key["options"]): Record<string, KeyOption> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, CLASS_OPTIONS.includes(name) ? "kept back" : value]),
  );
}

function comparedOf({ key, answers, verdict, nullModels = [], strangers }: VerdictFacts): VerdictDocument["compared"] {
  const { luck, placebos, ...found } = comparedCounts(key, answers, verdict.provenance === "made-here");
  const base = key.drawn?.base;
  return {
    ...defined({ luck }),
    ...(placebos === undefined || placebos.n === 0 ? {} : { placebos: { ...placebos } }),
    ...(found.nullModels === undefined
      ? {}
      : {
          nullModels: found.nullModels.map(({ matches }, i) => {
            const { name, model } = nullModels[i] ?? {};
            if (name === undefined || model === undefined) throw new RangeError(`null model ${i} has no name`);
            return { name, sha256: modelSha256(encodeModel(model)), matches };
          }),
        }),
    ...(found.strangers === undefined
      ? {}
      : {
          strangers: {
            keys: found.strangers.map((each) => ({ ...each })),
            ...(base === undefined || strangers === undefined ? {} : { sameBase: sameBase(base, strangers.base) }),
          },
        }),
  };
}

function sameBase(a: KeyBase, b: KeyBase): boolean {
  return a.sha256 === b.sha256 && a.picturesSha256 === b.picturesSha256 && a.modelSha256 === b.modelSha256;
}

function askedOf(answers: SuspectAnswers): number {
  return Array.from(answers).filter((answer) => answer !== NOT_ASKED).length;
}

function picturesOf(key: Key, answers: Answers): NonNullable<VerdictDocument["pictures"]> {
  const { triggers, placebos, sourceLabels } = key;
  const paired = placebos?.paired ? placebos : undefined;
  return Array.from({ length: Math.min(PICTURES, triggers.count) }, (_, i) => {
    const sourceLabel = sourceLabels?.[i];
    return {
      trigger: picture(key, triggers, i),
      ...(paired === undefined ? {} : { placebo: picture(key, paired, i) }),
      label: triggers.labels[i] ?? 0,
      ...defined({ sourceLabel }),
      answer: classOf(answers.triggers[i]),
      ...(paired === undefined || answers.placebos === undefined
        ? {}
        : { placeboAnswer: classOf(answers.placebos[i]) }),
    };
  });
}

function picture({ shape }: Key, { images }: KeyImages, i: number): string {
  const size = imageSize(shape);
  return pngDataUri(images.subarray(i * size, (i + 1) * size), shape);
}

function classOf(answer: number | undefined): number | null {
  return answer === undefined || answer === REFUSED || answer === NOT_ASKED ? null : answer;
}

/** What a reader might take for granted, and should not. */
function notTested(document: VerdictDocument): readonly string[] {
  return [...ofTests(document), ...ofKey(document), ...ofSuspect(document), ...ALWAYS];
}

function ofTests({ grounds, key, asked, compared, heldOut }: VerdictDocument): string[] {
  const isUntested = (against: string): boolean =>
    grounds.some((ground) => ground.against === against && !ground.tested);
  const { nullModels, strangers } = compared;
  return [
    ...(isUntested("luck")
      ? ["Luck by itself: nothing bounds how often a model that knows nothing of the key answers as it says."]
      : []),
    ...(nullModels === undefined
      ? ["What models without the mark answer to these triggers: none was asked (--null-models)."]
      : [
          `That the ${nullModels.length} null models never saw the key, and that an innocent suspect could ` +
            "have been one of them: that is the word of whoever gave them. Models made to answer otherwise would " +
            "hide what all others match.",
        ]),
    ...(asked.placebos === 0
      ? [
          key.placebos === 0
            ? "The same images without the mark: the key holds none."
            : "The same images without the mark: they were not put to the suspect.",
        ]
      : []),
    ...(strangers === undefined
      ? [
          key.scheme === MADE_ELSEWHERE
            ? "Whether a key that anybody can make would do as well: how this one was made is not known."
            : "Whether a key that anybody can make would do as well: none was drawn (--dataset).",
        ]
      : strangers.sameBase === false
        ? ["Strangers' keys from the data of this key: they were drawn from other data."]
        : []),
    ...(asked.triggers < key.triggers
      ? [`The rest of the key: ${asked.triggers} of its ${key.triggers} triggers were put to the suspect.`]
      : []),
    ...(heldOut === undefined
      ? [
          key.heldOutTriggers === 0
            ? "Triggers that were never trained on: the key holds none."
            : "Triggers that were never trained on: they were not put to the suspect.",
        ]
      : []),
  ];
}

function ofKey({ key }: VerdictDocument): string[] {
  return [
    ...(key.drawn === undefined
      ? ["That nobody chose the key's images and labels: it was not drawn from a secret."]
      : key.regenerated
        ? []
        : ["That the key's images follow from its secret and its data: it was not made again (--regenerate)."]),
    key.commitment === undefined
      ? "That the key is older than the suspect: it was not held against a commitment."
      : "When the commitment was published: the place where it was has to tell.",
  ];
}

function ofSuspect({ suspect, verdict }: VerdictDocument): string[] {
  const { kind, reading, readingsTried, table } = suspect;
  const assumed = Object.entries(reading?.from ?? {}).filter(([, from]) => from === "assumed");
  return [
    ...(kind === "model" && readingsTried === undefined
      ? [
          assumed.length === 0
            ? "Other readings of the suspect's images than the one below."
            : `Other readings of the suspect's images: ` +
              `${assumed.map(([field]) => FIELDS[field] ?? field).join(", ")} were assumed.`,
        ]
      : []),
    ...(kind === "answers"
      ? ["That these answers are the suspect's: whoever filled in the table has to vouch for it."]
      : []),
    ...(table?.seen !== undefined && table.seen < table.exported
      ? [
          `That the images which were answered are those which were exported: ${table.seen} of ` +
            `${table.exported} were looked at (--images).`,
        ]
      : []),
    ...(verdict.unheard === undefined
      ? []
      : [
          `That the endpoint said what the transcript has: ${verdict.unheard.answers} of ` +
            `${verdict.unheard.of} answers were read from it, and not heard by this command (--fresh).`,
        ]),
    ...(kind === "endpoint"
      ? [
          "Which model stands behind the endpoint, and whether it answered the images as it answers others: " +
            "it may have filtered triggers out.",
        ]
      : []),
  ];
}

const FIELDS: Readonly<Record<string, string>> = { channelOrder: "order of colours", std: "standard deviation" };

const ALWAYS = [
  "That no other key, description, reading, way or stop was tried on this suspect before: nothing can count " +
    "them but whoever asked (--keys-tried).",
  "Who trained the suspect, and when. A model answers like this where it was made from the marked one, or " +
    "where somebody who had the key trained it so.",
];
