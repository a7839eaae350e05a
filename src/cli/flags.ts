/**
 * @file Flags follow from schemas: a zod object becomes options of the command line, and what was typed a checked record.
 *
 * So an option of a removal method or of a mark is written down once, where the method is, and its flag, its help and
 * its check are the same thing. `learningRate: z.number().default(0.05)` is `--learning-rate <number>`; enums name their
 * choices; booleans are `--nesterov`, or `--no-nesterov` where the default is true; arrays are comma-separated.
 */

import { Option } from "commander";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { inWords } from "../core/options.js";

/** One flag, as the schema describes it. */
export interface Flag {
  /** Property of the schema: "learningRate". */
  readonly key: string;
  /** "--learning-rate" */
  readonly name: string;
  readonly kind: "number" | "text" | "list" | "switch";
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

/** What zod says of a property when asked for JSON Schema; `placeholder` and `hidden` come from `.meta()`. */
const propertySchema = z.object({
  type: z.string(),
  description: z.string().default(""),
  default: z.unknown().optional(),
  enum: z.array(z.string()).optional(),
  items: z.object({ enum: z.array(z.string()).optional() }).optional(),
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
    return option.hideHelp(flag.hidden);
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
    return flag === undefined ? issue.message : `${flag.name} ${given[flag.key]}: ${inWords(issue.message)}`;
  });
  throw new WildmarkError("usage", `${complaints.join("; ")}.`, { hint: helpHint(of) });
}

/** Where to look a flag up. */
export function helpHint(of: string): string {
  return `wildmark ${of} --help shows what can be given.`;
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
  const shown = Array.isArray(fallback) ? fallback.join(",") : fallback;
  if (kind === "switch" || shown === undefined || shown === "") return description;
  return `${description} (default: ${shown})`;
}

function read(flag: Flag, value: string | boolean): unknown {
  if (typeof value === "boolean") return value;
  switch (flag.kind) {
    case "number": {
      const number = value.trim() === "" ? Number.NaN : Number(value);
      if (Number.isFinite(number)) return number;
      throw new WildmarkError("usage", `${flag.name} ${value}: expected a number.`);
    }
    case "list":
      return value.split(",").map((item) => item.trim());
    default:
      return value;
  }
}
