/** @file Images of another domain for the mark that needs such: found, or as chosen, in the shape of the data set. */

import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { describeConversion } from "./convert.js";
import { convertImages, type Dataset, type ImageShape } from "./dataset.js";
import { isPath, loadData } from "./load.js";
import type { PlaceOptions } from "./places.js";
import { datasets, findRecord, findUnrelated, type ImageSet, imageSets, loadImages } from "./registry.js";
import { renderShapes } from "./shapes.js";
import { defined } from "../core/defined.js";

export interface UnrelatedOptions extends PlaceOptions {
  /**
   * An image set (`shapes`, `kmnist-test`), a data set whose test images are taken, or the path of one; default: what
   * belongs to the data set.
   */
  readonly source?: string | undefined;
  /** Of decoding a folder of images. */
  readonly progress?: Progress | undefined;
}

/**
 * Shapes are drawn at the size that is wanted up to this, which takes some ten seconds; larger images have a margin.
 */
const LARGEST_SHAPES = 256;
/** As many as the image set of the registry. */
const SHAPES = 2_000;

/**
 * Images of another domain than a data set's, in its shape; `convertImage` says how they get there.
 *
 * Unless chosen: the image set that belongs to the data set (KMNIST's test images for MNIST, MNIST's for CIFAR), the
 * built-in shapes where that is not on this machine or where the data set is none that Wildmark knows by name.
 *
 * @returns with `warnings` that say what was taken and what was done to it, unless that goes without saying.
 * @throws WildmarkError `usage` where the source is unknown or the data set itself; else as loading it does.
 */
export async function loadUnrelated(dataset: Dataset, options: UnrelatedOptions = {}): Promise<ImageSet> {
  const { shape } = dataset.train;
  const found =
    options.source === undefined ? await usual(dataset, options) : await chosen(dataset, options.source, options);
  const done = describeConversion(found.shape, shape);
  const expected = options.source === undefined && isKnown(dataset.id) && done === undefined;
  const said = `unrelated images: ${found.title}${done === undefined ? "" : `, ${done}`}`;
  const warnings = expected ? found.warnings : [...found.warnings, said];
  const { id, title, doubts } = found;
  return { id, title, ...convertImages(found, shape), ...defined({ doubts }), warnings };
}

async function usual({ id, train }: Dataset, options: UnrelatedOptions): Promise<ImageSet> {
  if (!isKnown(id)) return drawnShapes(train.shape);
  const found = await findUnrelated(id, options);
  if (found !== undefined) return found.id === "shapes" ? drawnShapes(train.shape) : found;
  const title = imageSets.find((set) => set.id === findRecord(id).unrelated)?.title;
  const warnings = [`${title} are not on this machine; the unrelated mark uses built-in shapes instead`];
  return { ...drawnShapes(train.shape), warnings };
}

async function chosen(dataset: Dataset, source: string, options: UnrelatedOptions): Promise<ImageSet> {
  if (source === "shapes") return drawnShapes(dataset.train.shape);
  if (imageSets.some(({ id }) => id === source)) return loadImages(source, options);
  if (!isPath(source) && !isKnown(source)) {
    const known = [...imageSets, ...datasets].map(({ id }) => id).join(", ");
    throw new WildmarkError("usage", `there are no images ${JSON.stringify(source)}`, {
      hint: `known: ${known}; or give the path of a data set`,
    });
  }
  // Only test images are wanted; built-in ones are drawn one by one.
  const limits = isPath(source) ? {} : { limits: { train: 1 } };
  const other = await loadData(source, { ...options, ...limits });
  if (source === dataset.id || other.sha256 === dataset.sha256) {
    throw new WildmarkError("usage", `${source} is the data set itself; unrelated images must come from another`);
  }
  const { shape, count, pixels } = other.test;
  const { id, doubts, warnings } = other;
  const title = `${other.title}, test images`;
  return { id, title, shape, count, pixels, ...defined({ doubts }), warnings };
}

function isKnown(dataset: string): boolean {
  return datasets.some(({ id }) => id === dataset);
}

/** As large as fits into the shape; the longer side gets a margin. */
function drawnShapes({ height, width }: ImageShape): ImageSet {
  const side = Math.min(height, width, LARGEST_SHAPES);
  const { shape, count, pixels } = renderShapes(SHAPES, 0, side);
  return { id: "shapes", title: "Rendered shapes", shape, count, pixels, warnings: [] };
}
