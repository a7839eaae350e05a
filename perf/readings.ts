/**
 * @file `npm run perf:readings`: how often the reading of a model is found, and what embedding does where it is not.
 * Nothing is timed.
 *
 * A network is wrapped into thirty preprocessings, none of them the assumed one, and each is sought from 1,000 labelled
 * images. Found is the right one, to two grey levels. As good is one under which the images that were not asked are
 * answered as well as under the right one, to half a point.
 */

import { parseArgs } from "node:util";
import { z } from "zod";
import { WildmarkError } from "../src/core/errors.js";
import { writeFileAtomic } from "../src/core/files.js";
import { accuracy } from "../src/data/answers.js";
import { bestReading, type ReadingScores, racedIndices } from "../src/data/best-reading.js";
import { type Dataset, type LabelledImages, select } from "../src/data/dataset.js";
import { loadData } from "../src/data/load.js";
import { thirtyPreprocessings, wrapped } from "../src/data/testing/wrapped.js";
import { embed } from "../src/api.js";
import { encodeGraph } from "../src/onnx/encode.js";
import { imageGraph } from "../src/onnx/image-graph.js";
import { decodeModel, type Model } from "../src/onnx/model.js";
import { readModelFile } from "../src/onnx/model-file.js";
import type { Preprocessing } from "../src/onnx/preprocessing.js";
import { readAs, readingFlags, sameReading } from "../src/onnx/readings.js";
import { runProgram, say } from "./program.js";

const HELP = `npm run perf:readings -- --model MODEL.onnx --dataset NAME [options]

  --model FILE       a network of these data; MODEL.wildmark.json beside it says what it expects
  --dataset NAME     data set
  --data-dir DIR     where it lies
  --only LIST        some of the wrappings, from 0 on: 0,4,17 (default: all thirty)
  --embed N          mark each wrapped network too, with N training images and two epochs, as one who says nothing of its
                     preprocessing, and as one who then says what fits best
  --test-limit N     test images (default: all); 1,000 of them are asked
  --out FILE         write what was found as JSON
`;

const ASKED = 1000;
const AS_GOOD = 0.005;

const schema = z.object({
  model: z.string(),
  dataset: z.string(),
  "data-dir": z.string().optional(),
  only: z
    .string()
    .optional()
    .transform((text) => text?.split(",").map(Number)),
  embed: z.coerce.number().int().min(100).optional(),
  "test-limit": z.coerce.number().int().min(ASKED).optional(),
  out: z.string().optional(),
});

interface Row {
  readonly as: Preprocessing;
  readonly assumed: number;
  readonly right: number | undefined;
  readonly best: number;
  readonly bestName: string;
  readonly found: boolean;
  /** Accuracy under the best minus that under the right one, on images that were not asked; 0 where it was found. */
  readonly difference: number;
  readonly refused: boolean;
  readonly told: boolean;
  readonly marked?: Marked;
}

/** Accuracies of what embedding wrote: as it is run, read as the network was trained, and as embedding says. */
interface Written {
  readonly after: number;
  readonly reported: number;
}

/** Undefined where embedding refused. */
interface Marked {
  /** As it is run. */
  readonly before: number;
  readonly unsaid: Written | undefined;
  readonly said: Written | undefined;
}

async function main(words: readonly string[]): Promise<void> {
  const options = readOptions(words);
  if (options === "help") return say(HELP);
  const { "data-dir": dataDir, embed: embedded } = options;
  const dataset = await loadData(options.dataset, {
    ...(dataDir === undefined ? {} : { dataDir }),
    limits: { train: embedded ?? ASKED, test: options["test-limit"] },
    force: true,
  });
  const { shape } = dataset.test;
  const plain = takingPixels(await readModelFile(options.model), dataset.test);
  const rows: Row[] = [];
  const wanted = thirtyPreprocessings(shape).filter((_, i) => options.only?.includes(i) ?? true);
  for (const as of wanted) {
    const row = await sought(plain, dataset, as, embedded !== undefined);
    rows.push(row);
    say(rowText(row));
  }
  say(summary(rows));
  if (options.out !== undefined)
    await writeFileAtomic(options.out, Buffer.from(`${JSON.stringify(rows, null, 1)}\n`), { force: true });
}

function readOptions(words: readonly string[]): z.infer<typeof schema> | "help" {
  const flags = Object.keys(schema.shape).map((name) => [name, { type: "string" as const }] as const);
  try {
    const { values } = parseArgs({
      args: [...words],
      options: { ...Object.fromEntries(flags), help: { type: "boolean", short: "h" } },
    });
    return values.help === true ? "help" : schema.parse(values);
  } catch (cause) {
    throw new WildmarkError("usage", cause instanceof Error ? cause.message : String(cause), { hint: HELP, cause });
  }
}

/** The same network for pixels in [0, 1], NCHW, RGB. */
function takingPixels(model: Model, { shape }: LabelledImages): Model {
  return decodeModel(encodeGraph(imageGraph(model, shape).graph), "plain");
}

async function sought(plain: Model, dataset: Dataset, as: Preprocessing, marks: boolean): Promise<Row> {
  const { shape } = dataset.test;
  const model = wrapped(plain, shape, as);
  const result = await bestReading(model, dataset.test);
  const { best, used, scores } = result;
  const found = sameReading(best.reading, as, shape);
  const refused = scores.some(({ finished, clearlyBetter }) => finished && clearlyBetter);
  return {
    as,
    assumed: used.accuracy,
    right: scores.find(({ reading }) => sameReading(reading, as, shape))?.accuracy,
    best: best.accuracy,
    bestName: best.reading.name,
    found,
    difference: found ? 0 : await differenceOf(model, dataset.test, best.reading, as),
    refused,
    told: refused || best !== used,
    ...(marks ? { marked: await markedAs(model, dataset, as, result) } : {}),
  };
}

async function differenceOf(
  model: Model,
  test: LabelledImages,
  reading: Preprocessing,
  right: Preprocessing,
): Promise<number> {
  const asked = new Set(racedIndices(test));
  const others = select(
    test,
    Uint32Array.from({ length: test.count }, (_, i) => i).filter((i) => !asked.has(i)),
  );
  return (await accuracy(readAs(model, reading), others)) - (await accuracy(readAs(model, right), others));
}

async function markedAs(model: Model, dataset: Dataset, as: Preprocessing, { best }: ReadingScores): Promise<Marked> {
  const accuracyOf = (each: Model): Promise<number> => accuracy(readAs(each, as), dataset.test);
  const markedFrom = async (start: Model): Promise<Written | undefined> => {
    try {
      const marked = await embed({ model: start, dataset, seed: 0, training: { epochs: 2 } });
      return { after: await accuracyOf(marked.model), reported: marked.measured.accuracy };
    } catch (error) {
      if (error instanceof WildmarkError && error.code === "usage") return undefined;
      throw error;
    }
  };
  return {
    before: await accuracyOf(model),
    unsaid: await markedFrom(model),
    said: await markedFrom(readAs(model, best.reading)),
  };
}

function rowText({ as, assumed, right, best, bestName, found, difference, refused, told, marked }: Row): string {
  const what = found ? "found " : `missed (${points(difference)} elsewhere)`;
  const verdict = refused ? "" : told ? ", not refused" : ", silent";
  const plainly = { layout: "NCHW", channelOrder: "RGB", range: [0, 1], mean: [0], std: [1] } as const;
  const marks =
    marked === undefined
      ? ""
      : `; marked ${percent(marked.before)} → ${outcome(marked.unsaid)} unsaid, ${outcome(marked.said)} said`;
  return (
    `${what} ${readingFlags(as, plainly)}: assumed ${percent(assumed)}, right ${percent(right ?? 0)}, ` +
    `best ${percent(best)} (${bestName})${verdict}${marks}`
  );
}

function summary(rows: readonly Row[]): string {
  const count = (holds: (row: Row) => boolean): number => rows.filter(holds).length;
  const asGood = ({ difference }: Row): boolean => Math.abs(difference) <= AS_GOOD;
  const lines = [
    `of ${rows.length}: found ${count(({ found }) => found)}, found or as good ${count(asGood)}; the assumed reading ` +
      `refused ${count(({ refused }) => refused)}, silent ${count(({ told }) => !told)}`,
  ];
  const marked = rows.flatMap((row) => (row.marked === undefined ? [] : [row.marked]));
  for (const how of ["unsaid", "said"] as const) {
    const written = marked.flatMap((each) => (each[how] === undefined ? [] : [{ ...each[how], before: each.before }]));
    if (marked.length === 0) continue;
    const worst = (of: (each: (typeof written)[number]) => number): string => points(Math.min(...written.map(of)));
    const costs =
      written.length === 0
        ? ""
        : `: as they are run ${worst(({ after, before }) => after - before)} at worst beside before, ` +
          `${worst(({ after, reported }) => after - reported)} at worst beside what embedding says`;
    lines.push(`${how}: ${marked.length - written.length} refused, ${written.length} written${costs}`);
  }
  return lines.join("\n");
}

function outcome(written: Written | undefined): string {
  return written === undefined ? "refused" : `${percent(written.after)} (said to be ${percent(written.reported)})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function points(difference: number): string {
  return `${difference < 0 ? "−" : "+"}${(100 * Math.abs(difference)).toFixed(2)} points`;
}

await runProgram(main);
