/**
 * @file The file that says what a bench is to do: read, checked as a whole, defaults filled in. No data are loaded.
 *
 * Methods, marks and their options are those of the registries, so whatever is registered can be named.
 */

import { basename, extname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { readShare, shareHint } from "../../core/share.js";
import { didYouMean } from "../../core/suggest.js";
import { openYaml, type Path, pathText, type YamlFile } from "../../core/yaml-file.js";
import { isPath } from "../../data/load.js";
import { datasets } from "../../data/registry.js";
import { architectures, findArchitecture } from "../../models/registry.js";
import { type ChosenMethod, removalMethods } from "../../removal/registry.js";
import { embedFromScratchOptions } from "../../watermarks/embed.js";
import { type ChosenMark, markSchemes } from "../../watermarks/registry.js";
import { DEFAULT_BUDGETS, type Entry } from "../spec.js";
import { ACCEPTABLE_DROP } from "../../tasks/acceptable-drop.js";
import { type Reactivation, reactivationSchema } from "../../tasks/reactivation.js";
import { defined } from "../../core/defined.js";

export interface BenchFile {
  readonly title: string;
  readonly dataset: z.infer<typeof datasetSchema>;
  /** Images of the marks that need another domain's; default: what belongs to the data set. */
  readonly unrelated?: string;
  /** Default: the usual one for the data. */
  readonly architecture?: string;
  /** As given: defaults are the architecture's. */
  readonly training: Readonly<Record<string, unknown>>;
  readonly marks: readonly Entry<ChosenMark>[];
  /** Where in the file each mark stands: "marks[1] (line 5)". */
  readonly markPlaces: readonly string[];
  /** Marked models that are given, with their keys, as paths. */
  readonly models: readonly z.infer<typeof givenSchema>[];
  readonly removers: readonly Entry<ChosenMethod>[];
  /** Shares of the training set, ascending. */
  readonly budgets: readonly number[];
  readonly seeds: readonly number[];
  /** How many models are trained without a mark. */
  readonly nullModels: number;
  readonly alpha: number;
  readonly acceptableDrop: number;
  readonly reactivation: Reactivation | undefined;
  /** Whether accuracy and retention are measured after each epoch of an attack. */
  readonly everyEpoch: boolean;
}

const DEFAULT_SEEDS = 5;

const options = z.record(z.string(), z.unknown());

const datasetSchema = z.strictObject({
  name: z.string().min(1),
  limit: z.int().min(1).optional(),
  testLimit: z.int().min(1).optional(),
  resize: z
    .string()
    .regex(/^[1-9]\d{0,3}x[1-9]\d{0,3}$/, "expected HEIGHTxWIDTH, such as 32x32")
    .optional(),
  seed: z.int().optional(),
});

/** A marked model's file and its key. */
const givenSchema = z.strictObject({
  model: z.string().min(1),
  key: z.string().min(1),
  name: z.string().min(1).max(60).optional(),
});

const entrySchema = z.strictObject({
  id: z.string(),
  name: z.string().min(1).max(60).optional(),
  options: options.default({}),
  variants: z.union([z.literal("all"), z.array(options).min(1)], 'expected "all" or a list of options').optional(),
});

/** A share as a number or in per cent. */
const share = z.unknown().transform((value, context): number => {
  const found = readShare(value);
  if (found !== undefined && found > 0 && found <= 1) return found;
  context.addIssue(
    `expected a share above 0 and at most 1, such as 0.05 or 5 %; found ` +
      `${JSON.stringify(value) ?? "nothing"}${shareHint(value)}`,
  );
  return z.NEVER;
});

const list = z.array(z.unknown(), "expected a list").min(1, "expected at least one");

const seedsSchema = z.union(
  [z.int().min(1).max(1000), z.array(z.int()).min(1)],
  "expected how many, from 1 to 1000, or a list of whole numbers",
);

const LONGEST_TITLE = 200;

/** "mnist-little" of "specs/mnist-little.yaml" */
function titleOf(path: string): string {
  return basename(path, extname(path)).slice(0, LONGEST_TITLE) || "bench";
}

/** The parts; each is looked at by itself, so that one that is wrong does not hide another. */
const fileSchema = z.strictObject({
  title: z.string().min(1).max(LONGEST_TITLE).optional(),
  dataset: z.unknown(),
  unrelated: z.string().min(1).optional(),
  architecture: z.string().optional(),
  training: options.optional(),
  marks: z.unknown().optional(),
  models: z.array(givenSchema, "expected a list").min(1, "expected at least one").optional(),
  removers: z.unknown(),
  budgets: z.unknown().optional(),
  seeds: z.unknown().optional(),
  nullModels: z.int().min(0).max(1000).optional(),
  /** What specs from before call null models. */
  unmarked: z.int().min(0).max(1000).optional(),
  publishedForms: z.boolean().optional(),
  attackEpochs: z.int().min(1).max(100_000).optional(),
  alpha: z.number().gt(0).lt(1).optional(),
  acceptableDrop: z.unknown().optional(),
  reactivation: z.unknown().optional(),
  everyEpoch: z.boolean().optional(),
});

export interface BenchFileOptions {
  /** Where the file says none; default: the file's name. */
  readonly title?: string | undefined;
  /** A data set by its path that need not be there: what is known of it is kept elsewhere. */
  readonly knownData?: string | undefined;
}

/**
 * @param name what messages call the file: its path.
 * @throws WildmarkError `usage` that names every mistake with its path and line.
 */
export function parseBenchFile(text: string, name: string, options: BenchFileOptions = {}): BenchFile {
  const { title = titleOf(name), knownData } = options;
  const file = openYaml(text, name, "docs/bench.md says what a spec may hold.");
  file.settle();
  const given = file.read(z.record(z.string(), z.unknown(), "expected a map of keys and values"), file.value, []);
  file.settle();
  if (given === undefined) throw new Error("a mistake without a word");
  const { shape } = fileSchema;
  for (const key of Object.keys(given)) {
    if (!(key in shape)) file.wrong([key], `no such key${didYouMean(key, Object.keys(shape))}`);
  }
  const part = <T>(key: string, schema: z.ZodType<T>): T | undefined => file.read(schema, given[key], [key]);
  const needed = (key: string): boolean => {
    if (given[key] !== undefined && given[key] !== null) return true;
    file.wrong([key], "must be given");
    return false;
  };

  const ownTitle = given.title === null ? undefined : part("title", shape.title);
  const dataset = needed("dataset") ? readDataset(file, given.dataset, knownData) : undefined;
  const architecture = part("architecture", shape.architecture);
  if (architecture !== undefined) checkArchitecture(file, architecture);
  const training = part("training", shape.training) ?? {};
  file.read(embedFromScratchOptions, training, ["training"]);
  const epochs = part("attackEpochs", shape.attackEpochs);
  const published = part("publishedForms", shape.publishedForms) ?? false;
  const models = part("models", shape.models) ?? [];
  const wantsMarks = given.models === undefined || given.marks !== undefined;
  const marks = wantsMarks && needed("marks") ? readEntries(file, given.marks, "marks", marksKind(published)) : [];
  refuseTwice(
    file,
    [...models.map(({ name, model }) => name ?? model), ...marks.map(({ entry }) => entry.name)],
    "models",
  );
  const removers = needed("removers") ? readEntries(file, given.removers, "removers", methodsKind(epochs)) : [];
  const budgets = given.budgets === undefined ? DEFAULT_BUDGETS : readEach(file, given.budgets, "budgets", share);
  const seeds = seedsOf(part("seeds", seedsSchema.default(DEFAULT_SEEDS)) ?? []);
  refuseTwice(file, seeds, "seeds");
  const nullModels = part("nullModels", shape.nullModels) ?? part("unmarked", shape.unmarked) ?? seeds.length;
  const alpha = part("alpha", shape.alpha) ?? 0.05;
  const acceptableDrop =
    given.acceptableDrop === undefined
      ? ACCEPTABLE_DROP
      : given.acceptableDrop === 0
        ? 0
        : (part("acceptableDrop", share) ?? 0);
  const reactivation = readReactivation(file, given.reactivation);
  const unrelated = part("unrelated", shape.unrelated);
  file.settle();
  if (dataset === undefined) throw new Error("a mistake without a word");
  return {
    title: ownTitle ?? title,
    dataset,
    ...defined({ unrelated, architecture }),
    training,
    marks: marks.map(({ entry }) => entry),
    markPlaces: marks.map(({ path }) => `${pathText(path)} (line ${file.lineOf(path)})`),
    removers: removers.map(({ entry }) => entry),
    budgets: [...budgets].sort((a, b) => a - b),
    seeds,
    models,
    nullModels,
    alpha,
    acceptableDrop,
    reactivation,
    everyEpoch: part("everyEpoch", shape.everyEpoch) ?? false,
  };
}

function readDataset(
  file: YamlFile,
  given: unknown,
  knownData: string | undefined,
): z.infer<typeof datasetSchema> | undefined {
  const whole = typeof given === "string" ? { name: given } : given;
  const dataset = file.read(datasetSchema, whole, ["dataset"]);
  if (dataset === undefined) return undefined;
  const known = datasets.map(({ id }) => id);
  if (![...known, knownData].includes(dataset.name) && !isPath(dataset.name)) {
    const path = typeof given === "string" ? ["dataset"] : ["dataset", "name"];
    file.wrong(path, `no data set ${JSON.stringify(dataset.name)}${didYouMean(dataset.name, known)}`);
  }
  return dataset;
}

function checkArchitecture(file: YamlFile, id: string): void {
  try {
    findArchitecture(id);
  } catch {
    const known = architectures.map((each) => each.id);
    file.wrong(["architecture"], `no architecture ${JSON.stringify(id)}${didYouMean(id, known)}`);
  }
}

/** What marks and removal methods have in common, to be named in a file. */
interface Kind<Chosen> {
  /** "mark" */
  readonly what: string;
  readonly known: readonly {
    readonly id: string;
    readonly options: z.ZodObject;
    readonly variants?: readonly Readonly<Record<string, unknown>>[];
    readonly choose: (options: Readonly<Record<string, unknown>>) => Chosen;
  }[];
  readonly titleOf: (chosen: Chosen) => string;
  /** Options for all that have them, where the entry does not say otherwise. */
  readonly sharedBy: (id: string) => Readonly<Record<string, unknown>>;
}

/** @param published whether marks have the form of the papers where nothing else is said. */
function marksKind(published: boolean): Kind<ChosenMark> {
  const sharedBy = (id: string) => (published ? (markSchemes.find((mark) => mark.id === id)?.published ?? {}) : {});
  return { what: "mark", known: markSchemes, titleOf: ({ title }) => title, sharedBy };
}

function methodsKind(epochs: number | undefined): Kind<ChosenMethod> {
  const shared = epochs === undefined ? {} : { epochs };
  return { what: "removal method", known: removalMethods, titleOf: ({ label }) => label, sharedBy: () => shared };
}

/** An entry that was read, before it has a name. */
interface Form<Chosen> {
  readonly path: Path;
  readonly name: string | undefined;
  readonly said: Readonly<Record<string, unknown>>;
  readonly chosen: Chosen;
}

type Choosable = { readonly id: string; readonly options: Readonly<Record<string, unknown>> };

function readEntries<Chosen extends Choosable>(
  file: YamlFile,
  given: unknown,
  key: string,
  kind: Kind<Chosen>,
): Placed<Chosen>[] {
  const all = kind.known.map(({ id }) => ({ id, variants: "all" }));
  const entries = given === "all" ? all : (file.read(list, given, [key]) ?? []);
  const forms = entries.flatMap((entry, i) => readEntry(file, entry, [key, i], kind));
  for (const [i, form] of forms.entries()) {
    const twin = forms.slice(0, i).find((other) => isTwin(other.chosen, form.chosen));
    if (twin !== undefined) {
      file.wrong(form.path, `the same as ${pathText(twin.path)}: every cell would stand there twice`);
    }
  }
  return withNames(file, forms, kind);
}

function isTwin(a: Choosable, b: Choosable): boolean {
  return a.id === b.id && isDeepStrictEqual(a.options, b.options);
}

function readEntry<Chosen>(file: YamlFile, given: unknown, path: Path, kind: Kind<Chosen>): Form<Chosen>[] {
  const entry = file.read(entrySchema, typeof given === "string" ? { id: given } : given, path);
  if (entry === undefined) return [];
  const { id, name, variants } = entry;
  const found = kind.known.find((each) => each.id === id);
  if (found === undefined) {
    const known = kind.known.map((each) => each.id);
    const meant = didYouMean(id, known) || `; there are ${known.join(", ")}`;
    file.wrong(typeof given === "string" ? path : [...path, "id"], `no ${kind.what} ${JSON.stringify(id)}${meant}`);
    return [];
  }
  const several = variants === "all" ? (found.variants ?? [{}]) : (variants ?? [{}]);
  if (name !== undefined && several.length > 1) {
    file.wrong([...path, "name"], `one name for ${several.length} variants; leave it out, or list them one by one`);
  }
  const own = several.length > 1 ? undefined : name;
  return several.flatMap((variant, i): Form<Chosen>[] => {
    const said = { ...entry.options, ...variant };
    const shared = Object.fromEntries(Object.entries(kind.sharedBy(id)).filter(([key]) => key in found.options.shape));
    // Each option stands where it was said: in the variant, in the options of all variants, or at the top for all.
    const placeOf = (part: Path): Path => {
      const [key = ""] = part;
      if (key in variant && Array.isArray(variants)) return [...path, "variants", i, ...part];
      if (key in entry.options) return [...path, "options", ...part];
      return key === "epochs" && key in shared ? ["attackEpochs"] : path;
    };
    const options = { ...shared, ...said };
    const fine = file.read(found.options, options, placeOf) !== undefined;
    return fine
      ? [
          {
            path: Array.isArray(variants) ? [...path, "variants", i] : path,
            name: own,
            said,
            chosen: found.choose(options),
          },
        ]
      : [];
  });
}

/** An entry, and where in the file it stands. */
interface Placed<Chosen> {
  readonly entry: Entry<Chosen>;
  readonly path: Path;
}

/** As the entry says; else its title, with its options where several have the same. */
function withNames<Chosen extends Choosable>(
  file: YamlFile,
  forms: readonly Form<Chosen>[],
  { what, titleOf }: Kind<Chosen>,
): Placed<Chosen>[] {
  const titles = forms.flatMap(({ name, chosen }) => (name === undefined ? [titleOf(chosen)] : []));
  const names = forms.map(({ name, said, chosen }) => {
    const title = titleOf(chosen);
    const shared = titles.filter((other) => other === title).length > 1 && Object.keys(said).length > 0;
    return name ?? (shared ? `${title} (${inBrief(said)})` : title);
  });
  return forms.map(({ path, chosen }, i) => {
    const name = names[i] ?? "";
    const first = names.indexOf(name);
    // Twins have been told of already.
    const other = forms[first];
    if (first < i && other !== undefined && !isTwin(other.chosen, chosen)) {
      file.wrong(path, `another ${what} is called ${JSON.stringify(name)} too; give one of them a name`);
    }
    return { entry: { name, chosen }, path };
  });
}

function inBrief(said: Readonly<Record<string, unknown>>): string {
  return Object.entries(said)
    .map(([key, value]) => `${key} ${String(value)}`)
    .join(", ");
}

function readEach<T>(file: YamlFile, given: unknown, key: string, schema: z.ZodType<T>): T[] {
  const read = (file.read(list, given, [key]) ?? []).map((each, i) => file.read(schema, each, [key, i]));
  refuseTwice(file, read, key);
  return read.filter((each) => each !== undefined);
}

function refuseTwice(file: YamlFile, items: readonly unknown[], key: string): void {
  items.forEach((item, i) => {
    if (item !== undefined && items.indexOf(item) < i) file.wrong([key, i], `${String(item)} stands there twice`);
  });
}

function seedsOf(seeds: number | readonly number[]): readonly number[] {
  return typeof seeds === "number" ? Array.from({ length: seeds }, (_, i) => i) : seeds;
}

function readReactivation(file: YamlFile, given: unknown): Reactivation | undefined {
  if (given === undefined || given === null || given === false) return undefined;
  return file.read(reactivationSchema, given === true ? {} : given, ["reactivation"]);
}
