/** @file The models of --null-models: files, and folders of them. */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { WildmarkError } from "../core/errors.js";
import type { Model } from "../onnx/model.js";
import type { NullModel } from "../ownership/null-models.js";

/**
 * Opens them; a folder means its .onnx files, in the order of their names.
 *
 * @param of the command, for messages.
 * @throws WildmarkError `usage` where a place holds no model.
 */
export async function openNullModels(
  of: string,
  listed: string,
  open: (file: string) => Promise<Model>,
): Promise<NullModel[]> {
  const models: NullModel[] = [];
  for (const place of listed.split(",").map((each) => each.trim())) {
    const isFolder = await stat(place).then(
      (found) => found.isDirectory(),
      () => false,
    );
    const files = isFolder ? (await readdir(place)).filter((name) => name.endsWith(".onnx")).sort() : [];
    if (place === "" || (isFolder && files.length === 0)) {
      throw new WildmarkError("usage", `${of}: --null-models ${listed}: no model at "${place}".`, {
        hint: "Give .onnx files or folders of them, with commas between.",
      });
    }
    for (const name of isFolder ? files.map((file) => join(place, file)) : [place]) {
      models.push({ name, model: await open(name) });
    }
  }
  return models;
}
