/**
 * @file Flags follow from schemas: a zod object becomes options of the command line, and what was typed a checked
 * record.
 *
 * So an option of a removal method or of a mark is written down once, where the method is, and its flag, its help and
 * its check are the same thing. `learningRate: z.number().default(0.05)` is `--learning-rate <number>`; enums name
 * their choices; booleans are `--nesterov`, or `--no-nesterov` where the default is true; arrays are comma-separated.
 */

import { Option } from "commander";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { inWords } from "../core/options.js";
import { readShare, shareHint } from "../core/share.js";

/** One flag, as the schema describes it. */
export interface Flag {
  /** Property of the schema: "learningRate". */
  readonly key: string;
  /** "--learning-rate" */
  readonly name: string;
  readonly kind: "number" | "text" | "list" | "switch";
  /** Whether it is a number, or a list of numbers, from 0 to 1: such are read in per cent too. */
  readonly share: boolean;
  /** Whether it is a list of numbers. */
  readonly numbers: boolean;
  /** What stands for its value in the help: "number", "ce|js", "FILE". */
  readonly placeholder: string;
  readonly description: string;
  readonly fallback: unknown;
  readonly required: boolean;
  /** Accepted, but left out of the help. */
  readonly hidden: boolean;
}

/** What was typed, by flag key; flags that were not given are absent. */
export type GivenFlags = Readonly<Record<string, string | boolean>>;

const bounds = {
  minimum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
};

/** What zod says of a property when asked for JSON Schema; `placeholder` and `hidden` come from `.meta()`. */
const propertySchema = z.object({
  type: z.string(),
  description: z.string().default(""),
  default: z.unknown().optional(),
  enum: z.array(z.string()).optional(),
  items: z.object({ ...bounds, type: z.string().optional(), enum: z.array(z.string()).optional() }).optional(),
  ...bounds,
  placeholder: z.string().optional(),
  hidden: z.boolean().default(false),
});

/** The flags of an object schema, in its order. */
export function flagsOf(schema: z.ZodObject): readonly Flag[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([key, property]) => {
    const found = propertySchema.parse(property);
    const kind = kindOf(found.type);
    const name = `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return {
      key,
      name: kind === "switch" && found.default === true ? name.replace("--", "--no-") : name,
      kind,
      share: isShare(kind === "list" ? found.items : found),
      numbers: kind === "list" && found.items?.type === "number",
      placeholder: found.placeholder ?? found.enum?.join("|") ?? found.items?.enum?.join(",") ?? found.type,
      description: found.description,
      fallback: found.default,
      required: required.includes(key),
      hidden: found.hidden,
    };
  });
}

/** The same as options that commander parses; values stay text, to be read by `readFlags`. */
export function optionsOf(schema: z.ZodObject, heading?: string): readonly Option[] {
  return flagsOf(schema).map((flag) => {
    const takesValue = flag.kind !== "switch";
    const option = new Option(takesValue ? `${flag.name} <${flag.placeholder}>` : flag.name, describe(flag));
    if (heading !== undefined) option.helpGroup(heading);
    if (takesValue) option.argParser((value, earlier) => joined(flag, value, earlier));
    return option.hideHelp(flag.hidden);
  });
}

/**
 * What an option means that was given before: of lists both parts.
 *
 * @throws WildmarkError `usage` where it takes one value: which of the two was meant, nobody can tell.
 */
function joined({ name, kind }: Flag, value: string, earlier: unknown): string {
  if (typeof earlier !== "string") return value;
  if (kind === "list") return `${earlier},${value}`;
  throw new WildmarkError("usage", `${name} is given twice: ${earlier} and ${value}.`, {
    hint: "Give it once: it takes one value.",
  });
}

/**
 * Reads what was typed into the record that the schema describes.
 *
 * @param given may hold flags of other schemas too; they are left alone.
 * @param of what the flags belong to, for the message: "remove --method wild".
 * @throws WildmarkError `usage` naming each flag that is missing or wrong, what was given and what was expected.
 */
export function readFlags<Schema extends z.ZodObject>(schema: Schema, given: GivenFlags, of: string): z.infer<Schema> {
  const flags = flagsOf(schema);
  const missing = flags.filter((flag) => flag.required && given[flag.key] === undefined);
  if (missing.length > 0) {
    const names = missing.map((flag) => `${flag.name} <${flag.placeholder}>`).join(" and ");
    throw new WildmarkError("usage", `${of}: ${names} must be given.`, { hint: helpHint(of) });
  }
  const typed = flags.flatMap((flag) => {
    const value = given[flag.key];
    return value === undefined ? [] : [[flag.key, read(flag, value)] as const];
  });
  const parsed = schema.safeParse(Object.fromEntries(typed));
  if (parsed.success) return parsed.data;
  const complaints = parsed.error.issues.map((issue) => {
    const flag = flags.find((candidate) => candidate.key === issue.path[0]);
    if (flag === undefined) return issue.message;
    const value = given[flag.key];
    return `${flag.name} ${value}: ${inWords(issue.message)}${hintOf(flag, value)}`;
  });
  throw new WildmarkError("usage", `${complaints.join("; ")}.`, { hint: helpHint(of) });
}

/** Where to look a flag up. */
export function helpHint(of: string): string {
  return `wildmark ${of} --help shows what can be given.`;
}

/** Whether a property is a number that its schema keeps between 0 and 1. */
function isShare(property: z.infer<typeof propertySchema>["items"]): boolean {
  if (property?.type !== "number") return false;
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = property;
  const low = exclusiveMinimum ?? minimum;
  const high = exclusiveMaximum ?? maximum;
  return low !== undefined && high !== undefined && low >= 0 && high <= 1;
}

function kindOf(type: string): Flag["kind"] {
  switch (type) {
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "switch";
    case "array":
      return "list";
    case "string":
      return "text";
    default:
      throw new Error(`no flag can be made of a ${type}`);
  }
}

function describe({ description, fallback, required, kind }: Flag): string {
  if (required) return `${description} (required)`;
  const shown = Array.isArray(fallback) ? fallback.join(", ") : fallback;
  if (kind === "switch" || shown === undefined || shown === "") return description;
  return `${description} (default: ${shown})`;
}

function read(flag: Flag, value: string | boolean): unknown {
  if (typeof value === "boolean") return value;
  switch (flag.kind) {
    case "number":
      return readNumber(flag, value);
    case "list": {
      const items = value.split(",").map((item) => item.trim());
      return flag.numbers ? items.map((item) => readNumber(flag, item)) : items;
    }
    default:
      return value;
  }
}

function readNumber({ name, share }: Flag, text: string): number {
  const number = share ? readShare(text) : text.trim() === "" ? Number.NaN : Number(text);
  if (number !== undefined && Number.isFinite(number)) return number;
  const expected = share ? "expected a share, such as 0.1 or 10%" : "expected a number";
  throw new WildmarkError("usage", `${name} ${text}: ${expected}.`);
}

/** Ten per cent given as 10: how it is written. */
function hintOf({ share, kind }: Flag, given: string | boolean | undefined): string {
  if (!share || typeof given !== "string") return "";
  const items = kind === "list" ? given.split(",") : [given];
  return items.map(shareHint).find((hint) => hint !== "") ?? "";
}
