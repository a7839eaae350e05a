/**
 * @file Labelled images in NumPy's `.npz`, a zip file of `.npy` arrays: what np.savez, Keras and MedMNIST write.
 *
 * Only the arrays that are used are unpacked, and only when what they claim to unpack to is in proportion to the file.
 */

import { WildmarkError } from "../core/errors.js";
import type { DecodedSplits } from "./decoded.js";
import { type ArrayOptions, type Arrays, chooseArrays, imagesOf } from "./labelled-arrays.js";
import { decodeNpy } from "./npy.js";
import { withZip, type ZipMember } from "./zip.js";

/** Images deflate to a fifth, sparse drawings to a thirtieth; beyond this nobody meant images. */
const RATIO = 64;
/** Small files may unpack to this much whatever their size. */
const ALWAYS = 16 << 20;

/**
 * Decodes the images and labels of a file; see `chooseArrays` for the names and `imagesOf` for the kinds of arrays.
 *
 * @throws WildmarkError `bad-file` when it is damaged, lies about its sizes or would unpack to more than 64 times its
 *   size; `bad-data` when its arrays are no labelled images.
 */
export function decodeNpz(bytes: Uint8Array, what: string, options: ArrayOptions = {}): Promise<DecodedSplits> {
  return withZip(bytes, what, async (members) => {
    const arrays = new Map<string, ZipMember>();
    for (const [name, member] of members) if (name.endsWith(".npy")) arrays.set(name.slice(0, -4), member);
    const chosen = chooseArrays(arrays, what);
    const wanted = [chosen.train, chosen.test].flatMap((pair) =>
      pair === undefined ? [] : [pair.images, pair.labels],
    );
    const total = wanted.reduce((sum, name) => sum + (arrays.get(name)?.size ?? 0), 0);
    const allowed = Math.max(ALWAYS, bytes.length * RATIO);
    if (total > allowed) {
      throw new WildmarkError(
        "bad-file",
        `${what}: ${bytes.length} bytes claim to unpack to ${total}; more than ${allowed} is not believed`,
        { hint: "if these really are images, save them with np.savez (uncompressed)" },
      );
    }
    const tensors: Arrays = new Map();
    for (const name of wanted) {
      const member = arrays.get(name);
      if (member !== undefined) tensors.set(name, decodeNpy(await member.read(), `${what}: ${name}`));
    }
    return imagesOf(tensors, chosen, what, options);
  });
}
