/**
 * @file Whether a model and images belong together, checked before anything long is begun.
 *
 * ONNX Runtime would refuse most misfits too, but late, and in its own words; a class count that differs it would not
 * even notice.
 */

import { type ErrorCode, WildmarkError } from "../core/errors.js";
import { describeShape, type ImageShape } from "../core/image.js";
import { describeDims } from "../onnx/classifier.js";
import type { Dim } from "../onnx/graph.js";
import { imageGraph } from "../onnx/image-graph.js";
import type { Model } from "../onnx/model.js";
import { ownAnswer } from "../onnx/own-answer.js";
import { ownInput } from "../onnx/own-input.js";
import { defined } from "../core/defined.js";

/** What a model is to be run on. */
export interface Fitting {
  /** What the images are, for the message: "the images of mnist", "the key mark.safetensors". */
  readonly what: string;
  readonly shape: ImageShape;
  readonly classes: number;
  /** `bad-data` for data sets (the default), `bad-key` for keys. */
  readonly code?: ErrorCode;
}

/**
 * @param where names the model in messages: its path.
 * @throws WildmarkError `bad-model` when the model is no classifier that Wildmark can run; `bad-data` or `bad-key` when
 *   it is one for other images or another number of classes.
 */
export function requireFit(model: Model, where: string, fitting: Fitting): void {
  const { shape } = fitting;
  const { classes } = fittingGraph(model, where, shape, () => otherImages(where, model.graph.inputs[0]?.dims, fitting));
  if (classes !== undefined && classes !== fitting.classes) throw otherClasses(where, classes, fitting);
}

/** How a sentence goes on that begins with what a model is run on. */
function verbs(what: string): readonly [string, string] {
  return what.startsWith("the key") ? ["holds images of", "was made for"] : ["are", "have"];
}

function otherImages(where: string, dims: readonly Dim[] | undefined, fitting: Fitting): WildmarkError {
  const { what, shape, code = "bad-data" } = fitting;
  const [holds] = verbs(what);
  return new WildmarkError(
    code,
    `${where} takes ${describeDims(dims)}, but ${what} ${holds} ${describeShape(shape)} (channels × height × width).`,
    { hint: "Choose the model and the data that belong together; --layout says how the model lays images out." },
  );
}

function otherClasses(where: string, found: number, { what, classes, code = "bad-data" }: Fitting): WildmarkError {
  const [, knows] = verbs(what);
  return new WildmarkError(code, `${where} tells ${found} classes apart, but ${what} ${knows} ${classes}.`, {
    hint: "Choose the model and the data that belong together, or say which of its classes the data has (--classes).",
  });
}

/**
 * The same for a model that is only asked (`askModel`): it need not train, and what can be made to fit is.
 *
 * @param exactly refuses other images and other classes, as `requireFit` does: for data sets, on which a model is
 *   measured.
 * @returns what is done so that it can be asked, in sentences: which output, images resized, other classes. None for a
 *   model that fits as it is.
 * @throws WildmarkError `bad-model` when the model cannot be asked for the class of an image at all; `usage` where its
 *   head names what it does not have.
 */
export function requireAskable(
  model: Model,
  where: string,
  fitting: Fitting,
  { exactly = false }: { readonly exactly?: boolean } = {},
): readonly string[] {
  const { what, shape, classes: expected } = fitting;
  const differ = (found: number | undefined): readonly string[] => {
    if (found === undefined || found === expected) return [];
    if (exactly) throw otherClasses(where, found, fitting);
    return [
      `${where} tells ${found} classes apart, ${what} ${verbs(what)[1]} ${expected}: what it answers beyond is wrong.`,
    ];
  };
  let found: number | undefined;
  try {
    found = imageGraph(model, shape).classifier.classes;
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    if (error.code === "usage" || error.code === "bad-file") throw naming(where, error);
    return asItStands();
  }
  return differ(found);

  function asItStands(): readonly string[] {
    const { input, changes, fits } = orNaming(where, () => ownInput(model, shape));
    if (exactly && !fits) throw otherImages(where, input.dims, fitting);
    const { output, candidates } = orNaming(where, () => ownAnswer(model));
    const { binary, classes } = model.head;
    const columns = output.dims?.length === 2 && output.type?.startsWith("float") ? output.dims[1] : undefined;
    const many = `${where} has ${candidates} outputs that may be scores; "${output.name}" is asked (--output names another).`;
    return [
      ...(changes.length === 0 ? [] : [`Images are ${changes.join(", ")}, as ${where} takes them.`]),
      ...(candidates < 2 ? [] : [many]),
      ...differ(classes?.length ?? (binary ? 2 : typeof columns === "number" ? columns : undefined)),
    ];
  }
}

function orNaming<T>(where: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    throw error instanceof WildmarkError ? naming(where, error) : error;
  }
}

function naming(where: string, { code, message, hint }: WildmarkError): WildmarkError {
  return new WildmarkError(code, `${where}: ${message}`, hint === undefined ? {} : { hint });
}

function fittingGraph(model: Model, where: string, shape: ImageShape, misfit: () => WildmarkError) {
  try {
    return imageGraph(model, shape).classifier;
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    const { code, message, hint } = error;
    if (code === "bad-data") throw misfit();
    throw new WildmarkError(code, `${where}: ${message}`, { ...defined({ hint }), cause: error });
  }
}
