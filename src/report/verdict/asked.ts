/** @file What was asked and of whom, by name and by hash; and how to check it again. */

import type { VerdictDocument } from "../../experiments/verdict-result.js";
import { count, duration, list, minute, percent, plural } from "../format.js";
import { type Content, html, join, type Markup } from "../html.js";
import { table } from "../table.js";

type Row = readonly [name: string, value: Content];

export function asked(document: VerdictDocument): Markup {
  return html`<section><h2>What was asked, and of whom</h2>
<h3>The suspect</h3>
${rows(suspectRows(document))}${readingsTable(document)}
<h3>The key</h3>
${rows(keyRows(document))}
<h3>The questions</h3>
${rows(questionRows(document))}${nullModelsTable(document)}</section>
`;
}

function rows(all: readonly Row[]): Markup {
  return html`<dl class="plain">
${all.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>
`;
}

function hash(sha256: string): Markup {
  return html`<code class="hash">${sha256}</code>`;
}

const KINDS = { model: "a model's file", answers: "a table of answers", endpoint: "an endpoint" } as const;

function suspectRows({ suspect }: VerdictDocument): readonly Row[] {
  const { kind, name, sha256, isTheMarkedFile, reading, through, table, endpoint } = suspect;
  return [
    ["Name", `${name} (${KINDS[kind]})`],
    ...(sha256 === undefined ? [] : [["SHA-256", hash(sha256)] as const]),
    ...(isTheMarkedFile === undefined
      ? []
      : [["The marked file itself", isTheMarkedFile ? "yes, byte for byte" : "no: another file"] as const]),
    ...(through === undefined ? [] : [["Images went through", html`<code>${through}</code>`] as const]),
    ...(reading === undefined ? [] : [["Images were read as", readingWords(reading)] as const]),
    ...(table === undefined
      ? []
      : [["Answered", `${table.answered} of ${plural(table.exported, "image")} that were given away`] as const]),
    ...(table?.seen === undefined
      ? []
      : [["Looked at", `${count(table.seen)} of these images, and they are what was given away`] as const]),
    ...(endpoint === undefined ? [] : endpointRows(endpoint)),
  ];
}

/** Each field with who says so. */
function readingWords(reading: NonNullable<VerdictDocument["suspect"]["reading"]>): Markup {
  const { layout, range, mean, std, channelOrder, from } = reading;
  const fields: readonly (readonly [words: string, from: string])[] = [
    [`layout ${layout}`, from.layout],
    [`range ${range[0]} to ${range[1]}`, from.range],
    [`mean ${mean.join(", ")}`, from.mean],
    [`standard deviation ${std.join(", ")}`, from.std],
    [`colours ${channelOrder}`, from.channelOrder],
  ];
  const said = fields.map(([words, source]) => html`${words} <span class="from">(${source})</span>`);
  return html`${join(said, ", ")}`;
}

function endpointRows(endpoint: NonNullable<VerdictDocument["suspect"]["endpoint"]>): readonly Row[] {
  const { requests, answered, refused, unreadable, unknownWords, decoys, cost, currency = "" } = endpoint;
  return [
    [
      "Images",
      `${count(endpoint.asked)} asked, ${count(endpoint.askedNow)} of them now with ${plural(requests, "request")}`,
    ],
    ...(endpoint.checked === undefined || endpoint.checked === 0
      ? []
      : [["Asked again", `${plural(endpoint.checked, "answer")} of the transcript, which were the same`] as const]),
    [
      "Answers",
      `${count(answered)} answered, ${count(refused)} refused or without an answer, ${count(unreadable)} in ` +
        `which no class could be read`,
    ],
    ...(unknownWords.length === 0
      ? []
      : [["Names of no class", list(unknownWords.map((word) => `“${word}”`))] as const]),
    ...(decoys.answered === 0
      ? []
      : [
          [
            "Decoys",
            `${count(decoys.right)} of ${plural(decoys.answered, "ordinary image")} answered as their labels say`,
          ] as const,
        ]),
    ...(cost === undefined ? [] : [["Cost", `${Number(cost.toPrecision(6))} ${currency}`] as const]),
    ["Transcript", html`${endpoint.transcript}<br>last line SHA-256 ${hash(endpoint.head)}`],
    ["Disclosed images entered in", endpoint.ledger],
  ];
}

function readingsTable({ suspect: { readingsTried } }: VerdictDocument): Content {
  if (readingsTried === undefined) return undefined;
  return table<(typeof readingsTried)[number]>({
    caption: `${plural(readingsTried.length, "reading")} of the images were tried.`,
    columns: [
      { heading: "Reading", cell: ({ name }) => name },
      { heading: "Matches", align: "number", cell: ({ matches, n }) => `${matches} of ${n}` },
      { heading: "Retention", align: "number", cell: ({ matches, n }) => percent(matches / n) },
      { heading: "Used", cell: ({ used }) => used && "yes" },
    ],
    rows: readingsTried,
  });
}

function keyRows({ key, verdict }: VerdictDocument): readonly Row[] {
  const { drawn, options, shape, classNames } = key;
  const named = classNames === undefined ? "" : `: ${list(classNames)}`;
  return [
    ["Name", key.name],
    ["SHA-256", hash(key.sha256)],
    ["Kind of mark", key.scheme],
    ["Options", Object.keys(options).length === 0 ? "none" : optionsOf(options)],
    ["Where it comes from", origin(key)],
    ...(drawn === undefined ? [] : baseRows(drawn.base)),
    ["Made again", key.regenerated ? "yes, from its secret and these data, byte for byte, by this command" : "no"],
    [
      "Commitment",
      key.commitment === undefined
        ? "none was given"
        : html`${hash(key.commitment)}: this key is the one that it commits to`,
    ],
    ...(verdict.triesLog2 === undefined || verdict.triesLog2 === 0
      ? []
      : [["Secrets paid for", html`2<sup>${Number(verdict.triesLog2.toFixed(1))}</sup>`] as const]),
    ["Made for the model", hash(key.madeFor)],
    [
      "Holds",
      `${plural(key.triggers, "trigger")}, ${count(key.heldOutTriggers)} held out, ` +
        `${plural(key.placebos, "placebo")}${key.placebosPaired ? " (one for each trigger)" : ""}`,
    ],
    ["Images and classes", `${shape.join(" × ")}, ${plural(key.classes, "class", "classes")}${named}`],
    ["Made by", key.createdBy],
  ];
}

function optionsOf(options: VerdictDocument["key"]["options"]): Markup {
  const sorted = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  return html`${sorted.map(([name, value]) => html`<code class="option">${name}=${String(value)}</code> `)}`;
}

function origin({ drawn }: VerdictDocument["key"]): string {
  if (drawn === undefined) return "somebody chose what it holds";
  const { labelling, exchangeable } = drawn;
  return (
    `drawn from a secret of 32 bytes; labels: ${LABELLINGS[labelling] ?? labelling}` +
    (exchangeable ? "; a coin of the secret decided which of trigger and placebo is which" : "")
  );
}

const LABELLINGS: Readonly<Record<string, string>> = {
  fixed: "chosen, by the scheme and its options",
  uniform: "drawn at random among all classes",
  wrong: "drawn at random among the classes that the image is not of",
};

type Base = NonNullable<VerdictDocument["key"]["drawn"]>["base"];

function baseRows({ sha256, count: images, picturesSha256, modelSha256 }: Base): readonly Row[] {
  return [
    ["Drawn from", html`${plural(images, "training image")}, SHA-256 ${hash(sha256)}`],
    ...(picturesSha256 === undefined ? [] : [["Pictures", hash(picturesSha256)] as const]),
    ...(modelSha256 === undefined ? [] : [["Starting model", hash(modelSha256)] as const]),
  ];
}

function questionRows({ asked: put, key, verdict, compared }: VerdictDocument): readonly Row[] {
  const { duplicates, refused, keysTried = 1 } = verdict;
  const { strangers } = compared;
  return [
    [
      "Triggers",
      `${put.triggers} of ${key.triggers} in the key; ${verdict.n} count` +
        (duplicates === undefined ? "" : `, ${duplicates} repeat a picture`) +
        (refused === undefined ? "" : `, ${refused} got no answer`),
    ],
    ["Placebos", put.placebos === 0 ? "none" : count(put.placebos)],
    ["Held-out triggers", put.heldOutTriggers === 0 ? "none" : count(put.heldOutTriggers)],
    [
      "Strangers' keys",
      strangers === undefined
        ? "none"
        : `${count(strangers.keys.length)}, ${plural(put.strangers, "image")}${
            strangers.sameBase === undefined
              ? ""
              : strangers.sameBase
                ? ", drawn from the key's data"
                : ", drawn from other data than the key's"
          }`,
    ],
    ["Null models", compared.nullModels === undefined ? "none" : count(compared.nullModels.length)],
    ["Keys tried on this suspect", count(keysTried)],
    ["Significance level", String(verdict.alpha)],
  ];
}

function nullModelsTable({ compared: { nullModels }, verdict }: VerdictDocument): Content {
  if (nullModels === undefined) return undefined;
  return table<(typeof nullModels)[number]>({
    kind: "data hashes",
    caption: "The null models, and how often each answered with the key's label.",
    columns: [
      { heading: "File", cell: ({ name }) => name },
      { heading: "Matches", align: "number", cell: ({ matches }) => `${matches} of ${verdict.n}` },
      { heading: "SHA-256", cell: ({ sha256 }) => hash(sha256) },
    ],
    rows: nullModels,
  });
}

export function again(document: VerdictDocument): Markup {
  const { software, machine } = document;
  return html`<section class="redo"><h2>How to check it again</h2>
<p>This page was drawn from a document that anybody could have written. What counts is that the same comes out when
somebody else asks: whoever holds suspect and key compares their hashes with those above and runs</p>
<pre><code>${commandWords(document.command)}</code></pre>
<ul>
${checks(document).map((text) => html`<li>${text}</li>\n`)}</ul>
<dl class="plain">
<dt>Software</dt><dd>Wildmark ${software.wildmark}, ONNX Runtime ${software.onnxruntime}, Node ${software.node}</dd>
<dt>Machine</dt><dd>${machine.platform}, ${machine.cpu}, device ${machine.device},
${plural(machine.threads, "thread")}</dd>
<dt>Started, finished</dt><dd>${minute(document.started)}, ${minute(document.finished)}
(${duration(document.seconds)})</dd>
<dt>Document</dt><dd>${document.format}, version ${document.version}, ${document.kind}</dd>
</dl>
</section>
`;
}

/** What whoever checks can do, where there is something to do. */
function checks({ suspect, key, compared }: VerdictDocument): readonly Content[] {
  const files = suspect.kind === "model" ? "the suspect's and the key's files" : "the key's file";
  return [
    html`The SHA-256 of ${files}: <code>sha256sum FILE</code>. The key is secret, and shown to a judge only.`,
    compared.strangers !== undefined &&
      "Strangers' keys are drawn anew each time, so that nobody can prepare for them: their counts move a little.",
    key.drawn !== undefined &&
      !key.regenerated &&
      html`With <code>--dataset NAME --regenerate</code> the key is made again from its secret, so that it is seen that
nobody chose its images.`,
    key.commitment !== undefined &&
      html`<code>SALT</code> is the owner's; with it the commitment above follows from the key's file. Where and when it
was published proves the key's age.`,
    html`The same as data: <code>--out FILE.json</code>, from which
<code>wildmark report FILE.json --out FILE.html</code> draws this page.`,
  ].filter((text) => text !== false);
}

/** Lines break between words, not after the dashes of a flag. */
function commandWords(command: string): Content {
  const words = command.split(" ").map((word) => html`<span class="word">${word}</span>`);
  return join(words, " ");
}
