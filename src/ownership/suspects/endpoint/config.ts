/**
 * @file The file that describes an endpoint: how it is asked, where its answer stands, how fast and how much it may be
 * asked.
 *
 * One file, one preset: a published protocol with its usual addresses and forms. Secrets do not stand in it: `${NAME}`
 * is taken from the environment, and what was taken is blotted out wherever a stranger's answer might repeat it.
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../../../core/errors.js";
import { nearestWord } from "../../../core/suggest.js";
import { openYaml, type Path, type YamlFile } from "../../../core/yaml-file.js";
import { preprocessingSchema } from "../../../onnx/preprocessing.js";
import { readClassNames } from "../labels.js";

const word = z.string().min(1);
const names = z.array(z.union([z.string(), z.int()]).transform(String)).min(2);

/** How an image is sent. */
const imageSchema = z.strictObject({
  as: z.enum(["png", "jpeg", "tensor"]).optional(),
  /** Of JPEG. */
  quality: z.int().min(1).max(100).default(95),
  /** The size in which the endpoint wants it: [height, width]. */
  resize: z.tuple([z.int().min(1).max(8192), z.int().min(1).max(8192)]).optional(),
  /** The rest is of tensors: what the numbers are. */
  datatype: z.enum(["FP32", "UINT8"]).default("FP32"),
  ...preprocessingSchema.omit({ layout: true }).shape,
  layout: z.enum(["NCHW", "NHWC", "NHW", "flat", "flat-NHWC"]).default("NCHW"),
});

const answerSchema = z.strictObject({
  /** Where it stands: "outputs.0.data", a preset's own unless said. */
  path: z.string().optional(),
  as: z.enum(["auto", "label", "scores"]).default("auto"),
  /** What each score is of, in the order in which scores come: names or numbers of classes. */
  order: names.optional(),
});

/** What every preset may say. */
const common = {
  url: word,
  bearer: word.optional(),
  headers: z.record(word, z.string()).default({}),
  image: imageSchema.prefault({}),
  answer: answerSchema.prefault({}),
  /** The classes' names in the key's order, or a file with a name a line. */
  labels: z.union([names, word]).optional(),
  /** Seconds that an answer may take; Node's own client waits no longer than 300 for the first byte. */
  timeout: z.number().gt(0).max(300).default(30),
  perMinute: z.number().gt(0).optional(),
  concurrency: z.int().min(1).max(64).default(1),
  /** How often an image is sent again after 429, 5xx, a time-out or a broken connection. */
  retries: z.int().min(0).max(100).default(5),
  /**
   * Seconds before the first of them; doubled each time, up to the longest. A Retry-After goes before, up to the
   * longest.
   */
  firstWait: z.number().gt(0).max(3600).default(1),
  longestWait: z.number().gt(0).max(86_400).default(120),
  /** Images in a row that get no answer before the work stops; 0: never. */
  giveUpAfter: z.int().min(0).default(5),
  /** Images that the endpoint may be asked in all, decoys too. */
  budget: z.int().min(1).optional(),
  costPerQuery: z.number().min(0).optional(),
  currency: word.default("USD"),
};

const schemas = {
  "open-inference": z.strictObject({
    preset: z.literal("open-inference"),
    ...common,
    model: word,
    version: z.union([word, z.int()]).transform(String).optional(),
    /** Name of the input; KServe's usual one unless said. */
    input: word.default("input-0"),
    /** Of the output that is read, where there is more than one. */
    output: word.optional(),
    /** Asks for the classification extension: the best class as `value:index:label`. */
    classification: z.boolean().default(false),
    /** How PNG and JPEG travel: in the JSON as base64, or after it as they are (binary tensor data extension). */
    bytes: z.enum(["base64", "binary"]).default("base64"),
  }),
  "tensorflow-serving": z.strictObject({
    preset: z.literal("tensorflow-serving"),
    ...common,
    model: word,
    version: z.union([word, z.int()]).transform(String).optional(),
    signature: word.optional(),
    /** Name of the input, where the model has more than one. */
    input: word.optional(),
  }),
  multipart: z.strictObject({
    preset: z.literal("multipart"),
    ...common,
    /** The form's field that takes the file. */
    field: word.default("file"),
    /** Further fields. */
    fields: z.record(word, z.union([z.string(), z.number(), z.boolean()]).transform(String)).default({}),
  }),
  raw: z.strictObject({ preset: z.literal("raw"), ...common }),
  gradio: z.strictObject({
    preset: z.literal("gradio"),
    ...common,
    /** The function's API name. */
    api: word.default("predict"),
    /** "/gradio_api" from version 5 on, "" before. */
    prefix: z.string().default("/gradio_api"),
    /** Uploads the image first; false: it travels in the call as a data URI. */
    upload: z.boolean().default(true),
    /** Further inputs of the function, after the image. */
    inputs: z.array(z.unknown()).default([]),
  }),
} as const;

export type PresetId = keyof typeof schemas;
export const presets = Object.keys(schemas) as readonly PresetId[];

export type EndpointFile = { [P in PresetId]: z.infer<(typeof schemas)[P]> }[PresetId];
export type ImageForm = EndpointFile["image"] & { readonly as: "png" | "jpeg" | "tensor" };

/** A described endpoint, ready to be asked. */
export interface EndpointConfig {
  readonly file: EndpointFile;
  readonly image: ImageForm;
  /** Dotted path of the answer. */
  readonly answerPath: string;
  readonly classNames: readonly string[] | undefined;
  /** What documents call it: the address as it stands in the file, nothing from the environment. */
  readonly name: string;
  /** Hex SHA-256 of all that decides what is sent, secrets excepted: a transcript goes on only where it is the same. */
  readonly asking: string;
  /** Values from the environment, by the name to write in their place. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Worth a line to the user. */
  readonly warnings: readonly string[];
}

/** What a preset sends and where its answer stands, unless the file says otherwise. */
const USUAL: Readonly<Record<PresetId, { readonly as: ImageForm["as"]; readonly path: string }>> = {
  "open-inference": { as: "tensor", path: "outputs.0.data" },
  "tensorflow-serving": { as: "png", path: "predictions.0" },
  multipart: { as: "png", path: "" },
  raw: { as: "png", path: "" },
  gradio: { as: "png", path: "0" },
};

const HINT = "docs/suspects.md says what the description of an endpoint may hold.";

/**
 * Reads the description of an endpoint from a file.
 *
 * @throws WildmarkError `bad-file` where it cannot be read, `usage` naming every mistake with its line.
 */
export async function readEndpoint(
  path: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<EndpointConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new WildmarkError("bad-file", `${path}: expected the description of an endpoint, and it cannot be read.`, {
      hint: HINT,
      cause,
    });
  }
  const config = parseEndpoint(text, path, env);
  const { labels } = config.file;
  if (labels === undefined) return config;
  const classNames = typeof labels === "string" ? await readClassNames(resolve(dirname(path), labels)) : labels;
  return { ...config, classNames };
}

/** The same of its text; names of classes that lie in another file are left out. */
export function parseEndpoint(
  text: string,
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): EndpointConfig {
  const yaml = openYaml(text, name, HINT);
  yaml.settle();
  const written = yaml.read(z.record(z.string(), z.unknown(), "expected a map of keys and values"), yaml.value, []);
  yaml.settle();
  const preset = presets.find((each) => each === written?.preset);
  if (written === undefined || preset === undefined) {
    const nearest = typeof written?.preset === "string" ? nearestWord(written.preset, presets) : undefined;
    yaml.wrong(
      ["preset"],
      `expected one of ${presets.join(", ")}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
    );
    yaml.settle();
    throw new Error("a mistake without a word");
  }
  const secrets = new Map<string, string>();
  const filled = z.record(z.string(), z.unknown()).parse(filledIn(written, [], yaml, env, secrets));
  requireNoSecrets(written, yaml);
  const file: EndpointFile | undefined = yaml.read<EndpointFile>(schemas[preset], filled, []);
  const shown = typeof written.url === "string" ? written.url : "";
  const given = filled.url;
  const url = typeof given === "string" ? addressOf(given) : undefined;
  if (typeof given === "string" && url === undefined) {
    yaml.wrong(["url"], "expected an address such as https://models.example.com, without a user or password in it");
  }
  const as = file?.image.as ?? USUAL[preset].as;
  if (as === "tensor" && preset !== "open-inference" && preset !== "tensorflow-serving") {
    yaml.wrong(["image", "as"], `${preset} takes png or jpeg`);
  }
  if (file?.preset === "open-inference" && file.classification && file.output === undefined) {
    yaml.wrong(["classification"], "output has to say the name of the output that is to be classified");
  }
  yaml.settle();
  if (file === undefined || url === undefined) throw new Error("a mistake without a word");
  const plain = url.protocol === "http:" && !/^(localhost|127\.|\[::1\])/.test(url.hostname);
  return {
    file,
    image: { ...file.image, as },
    answerPath: file.answer.path ?? USUAL[preset].path,
    classNames: Array.isArray(file.labels) ? file.labels : undefined,
    name: `${shown.replace(/[?#].*$/, "")} (${preset})`,
    asking: createHash("sha256")
      .update(JSON.stringify(whatIsSent(written, as)))
      .digest("hex"),
    secrets,
    warnings: plain
      ? [`${shown.replace(/[?#].*$/, "")} is not encrypted: whoever is on the way sees triggers and secrets`]
      : [],
  };
}

/** The file without what has no part in the requests: secrets, speed, reading. Keys in their own order. */
function whatIsSent(written: Readonly<Record<string, unknown>>, as: string): unknown {
  const left = [
    "url",
    "preset",
    "model",
    "version",
    "input",
    "output",
    "classification",
    "bytes",
    "signature",
    "field",
  ];
  const more = ["fields", "api", "prefix", "upload", "inputs", "image"];
  return [as, ...[...left, ...more].map((key) => [key, written[key] ?? null])];
}

function addressOf(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    return undefined;
  return url;
}

/** The value with every `${NAME}` of its texts taken from the environment. */
function filledIn(
  value: unknown,
  path: Path,
  yaml: YamlFile,
  env: Readonly<Record<string, string | undefined>>,
  secrets: Map<string, string>,
): unknown {
  if (typeof value === "string") {
    return value.replaceAll(/\$\{([^}]*)\}/g, (_, variable: string) => {
      const found = env[variable];
      if (found === undefined || found === "") {
        yaml.wrong(path, `the environment has no variable ${variable}`);
        return "";
      }
      if (/[\r\n]/.test(found)) yaml.wrong(path, `the variable ${variable} holds a line break`);
      secrets.set(variable, found);
      return found;
    });
  }
  if (Array.isArray(value)) return value.map((each, i) => filledIn(each, [...path, i], yaml, env, secrets));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, filledIn(each, [...path, key], yaml, env, secrets)]),
  );
}

const SECRET_NAME = /auth|token|api.?key|secret|cookie|password|signature$|^key$|^sig$/i;

/** A secret that stands in the file would be copied with it. */
function requireNoSecrets(written: Readonly<Record<string, unknown>>, yaml: YamlFile): void {
  const message = `a secret stands here: write \${NAME} and set that variable in the environment`;
  const lies = (value: unknown): boolean => typeof value === "string" && !/\$\{[^}]+\}/.test(value);
  if (lies(written.bearer)) yaml.wrong(["bearer"], message);
  if (typeof written.headers === "object" && written.headers !== null) {
    for (const [name, value] of Object.entries(written.headers)) {
      if (SECRET_NAME.test(name) && lies(value)) yaml.wrong(["headers", name], message);
    }
  }
  if (typeof written.url !== "string" || !URL.canParse(written.url)) return;
  for (const [name, value] of new URL(written.url).searchParams) {
    if (SECRET_NAME.test(name) && lies(value)) yaml.wrong(["url"], message);
  }
}

/** Too short to be a secret, and likely to occur by itself. */
const SHORTEST_SECRET = 4;

/** Blots out what came from the environment, as it is and as addresses and headers write it. */
export function redacted(text: string, secrets: EndpointConfig["secrets"]): string {
  let clean = text;
  // The longest first: one secret may be part of another.
  for (const [name, value] of [...secrets].sort(([, a], [, b]) => b.length - a.length)) {
    if (value.length < SHORTEST_SECRET) continue;
    const forms = [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1), base64(value)];
    for (const form of forms) clean = clean.replaceAll(form, `\${${name}}`);
  }
  return clean;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
