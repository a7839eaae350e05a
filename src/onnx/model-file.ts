/** @file Model files on disk: read with the data that lies beside them, written whole or not at all. */

import { closeSync, openSync, readFileSync, readSync, realpathSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep, win32 } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { type FileChange, readFileBounded, refuseLfsPointer, writeFilesAtomic } from "../core/files.js";
import { LARGEST_MODEL, type ReadExternal } from "./external.js";
import { HUB_FILES, parseHubConfig } from "./hub-config.js";
import { type Head, headFields, parseHead } from "./head.js";
import { decodeModel, encodeModel, type Model, withHead, withPreprocessing } from "./model.js";
import { type PreprocessingSource, parsePreprocessing, saidPreprocessing } from "./preprocessing.js";

/** Larger sidecars are none. */
const LARGEST_SIDECAR = 2 ** 20;

/**
 * Reads and decodes a model, with its external data and the preprocessing that lies beside it.
 *
 * @throws WildmarkError `bad-file` where the file is missing, no file, or 2 GiB and more; and as `decodeModel` does.
 */
export async function readModelFile(path: string): Promise<Model> {
  const bytes = await readFileBounded(path, { what: "an ONNX model", maxBytes: LARGEST_MODEL });
  const model = await withHubConfig(decodeModel(bytes, path, fileModelReader(path)), path);
  const sidecar = sidecarPath(path);
  if (!(await exists(sidecar))) return model;
  const json = await readFileBounded(sidecar, { what: "a preprocessing", maxBytes: LARGEST_SIDECAR });
  const { preprocessing, head } = parseSidecar(new TextDecoder().decode(json), sidecar);
  const read = withHead(model, head);
  return preprocessing === undefined ? read : withPreprocessing(read, { from: basename(sidecar), says: preprocessing });
}

/**
 * With what a hub's configuration beside the model says of its preprocessing, trusted less than the file's own word. In
 * a hub's repository the model may lie in a folder `onnx` below.
 */
async function withHubConfig(model: Model, path: string): Promise<Model> {
  const folder = dirname(resolve(path));
  const folders = basename(folder) === "onnx" ? [folder, dirname(folder)] : [folder];
  for (const place of folders.flatMap((each) => HUB_FILES.map((name) => join(each, name)))) {
    // Another program's config.json may be anything: what cannot be read says nothing.
    const bounds = { what: "a preprocessing", maxBytes: LARGEST_SIDECAR };
    const json = await readFileBounded(place, bounds).catch(() => undefined);
    const config = json && parseHubConfig(new TextDecoder().decode(json));
    if (config === undefined) continue;
    const { says, size } = config;
    const note = `${basename(place)} beside ${path} says how images become numbers`;
    const notes = [
      size === undefined ? `${note}.` : `${note}; and that they are ${size}, which is up to you (--resize).`,
    ];
    const preprocessing = [...model.preprocessing, { from: basename(place), says }];
    return { ...model, preprocessing, notes: [...model.notes, ...notes] };
  }
  return model;
}

interface Sidecar {
  /** Undefined where the file speaks of the head alone. */
  readonly preprocessing: PreprocessingSource["says"] | undefined;
  readonly head: Head;
}

function parseSidecar(json: string, path: string): Sidecar {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    value = undefined; // which the next line says better
  }
  const fields =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
  if (fields?.some(([field]) => headFields.has(field)) !== true) {
    return { preprocessing: parsePreprocessing(json, path).says, head: {} };
  }
  const [ofHead, others] = [true, false].map((wanted) => fields.filter(([field]) => headFields.has(field) === wanted));
  const head = parseHead(Object.fromEntries(ofHead ?? []), path);
  if (others === undefined || others.length === 0) return { preprocessing: undefined, head };
  return { preprocessing: parsePreprocessing(JSON.stringify(Object.fromEntries(others)), path).says, head };
}

/** What is written beside a model: what its own file does not say. Undefined for nothing. */
export function sidecarOf({ preprocessing, head }: Model): Readonly<Record<string, unknown>> | undefined {
  const says = { ...saidPreprocessing(preprocessing.filter(({ from }) => from !== "metadata")), ...head };
  return Object.keys(says).length === 0 ? undefined : says;
}

/** Where the preprocessing of the model at `path` is kept: model.onnx → model.wildmark.json. */
export function sidecarPath(path: string): string {
  return `${path.replace(/\.onnx$/i, "")}.wildmark.json`;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/**
 * Writes a model as one file, whole or not at all; data that was external is inside it. What is said of its
 * preprocessing and its head goes into a file beside it: a model without them would be another one, so both are written
 * or none.
 *
 * @throws WildmarkError `cannot-write` where either file exists and `force` is not set, or cannot be written.
 */
export async function writeModelFile(
  path: string,
  model: Model,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  await writeFilesAtomic(await modelFileChanges(path, model, options), options);
}

/**
 * What writing a model changes on the disk, for those who write other files with it (`writeFilesAtomic`).
 *
 * @throws WildmarkError `cannot-write` where the model is too large, or what lies beside it would be read with it.
 */
export async function modelFileChanges(
  path: string,
  model: Model,
  { force = false }: { readonly force?: boolean } = {},
): Promise<readonly FileChange[]> {
  const bytes = encodeModel(model);
  if (bytes.byteLength > LARGEST_MODEL) {
    throw new WildmarkError(
      "cannot-write",
      `${path}: the model has ${bytes.byteLength} bytes; ONNX files have < 2 GiB.`,
    );
  }
  const says = sidecarOf(model);
  const sidecar = sidecarPath(path);
  const there = await exists(sidecar);
  if (says === undefined && there && !force) {
    throw new WildmarkError("cannot-write", `${sidecar} already exists, and would be read with ${path}.`, {
      hint: "Choose another path, or force to replace it.",
    });
  }
  const said = says === undefined ? undefined : new TextEncoder().encode(`${JSON.stringify(says, undefined, 2)}\n`);
  // One that is there and says nothing of this model is of the one that is being replaced.
  const beside = said !== undefined || there ? [{ path: sidecar, bytes: said }] : [];
  return [...beside, { path, bytes }];
}

/**
 * Reads the external data of the model at `path` from files in the model's folder or below, and from nowhere else:
 * absolute paths, "..", and links that lead out of the folder are refused.
 */
export function fileModelReader(path: string): ReadExternal {
  return (location, offset, length) => {
    const file = inFolder(dirname(resolve(path)), location);
    let descriptor: number | undefined;
    try {
      const found = statSync(file); // before opening: a pipe would wait for a writer
      if (!found.isFile()) throw new WildmarkError("bad-file", `"${location}" is not a file.`);
      if (found.size < 2 ** 10) refuseLfsPointer(readFileSync(file), location, "weights of the model");
      if (offset + length > found.size) {
        throw new WildmarkError(
          "bad-file",
          `"${location}" has ${found.size} bytes; the model wants ${length} at offset ${offset}.`,
          { hint: "The data file is truncated or belongs to another model." },
        );
      }
      descriptor = openSync(file, "r");
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const count = readSync(descriptor, bytes, filled, length - filled, offset + filled);
        if (count === 0) throw new WildmarkError("bad-file", `"${location}" shrank while it was read.`);
        filled += count;
      }
      return bytes;
    } catch (error) {
      throw unreadable(location, error);
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  };
}

/** The real path of `location` under `folder`. */
function inFolder(folder: string, location: string): string {
  const outside = new WildmarkError("bad-file", `The model wants data from "${location}", outside its own folder.`, {
    hint: "Wildmark reads only what lies in the model's folder: put the data file there, and beware of the model.",
  });
  const parts = location.split(/[/\\]/);
  if (isAbsolute(location) || win32.isAbsolute(location) || /^[a-z]:/i.test(location)) throw outside;
  if (parts.includes("..") || location.includes("\0")) throw outside;
  let root: string;
  let file: string;
  try {
    root = realpathSync(folder);
    file = realpathSync(resolve(root, location));
  } catch (error) {
    throw unreadable(location, error);
  }
  const way = relative(root, file);
  if (way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way)) throw outside;
  return file;
}

function unreadable(path: string, error: unknown): WildmarkError {
  if (error instanceof WildmarkError) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const why = code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "permission denied" : String(error);
  return new WildmarkError("bad-file", `Cannot read ${path}: ${why}.`, { cause: error });
}
