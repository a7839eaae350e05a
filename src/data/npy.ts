/**
 * @file NumPy's `.npy`: one array behind a header that is a Python dictionary.
 *
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html : magic, version, header length (16 bits in
 * version 1, 32 in 2 and 3), then `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`. Arrays of Python
 * objects are pickles, programs in disguise: they are refused. The header is compared with what is there before
 * anything is allocated.
 */

import { WildmarkError } from "../core/errors.js";
import { elementBytes, tensorOver } from "../core/safetensors.js";
import { type ElementType, elementCount, type Tensor } from "../core/tensor.js";

const types: Readonly<Record<string, ElementType>> = {
  b1: "bool",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
};

/** Far beyond any plain array's; NumPy itself warns above 10,000. */
const MAX_HEADER = 65_536;

/**
 * Decodes one array, in C order whatever the file's. The result takes as many bytes as the file's data, twice that
 * while Fortran order is undone.
 *
 * @throws WildmarkError `bad-file` when it is malformed, truncated, or of a type other than numbers.
 */
export function decodeNpy(bytes: Uint8Array, what: string): Tensor {
  const { text, start } = headerOf(bytes, what);
  const [, descr = ""] = /'descr'\s*:\s*'([^']*)'/.exec(text) ?? [];
  const [, order] = /'fortran_order'\s*:\s*(True|False)/.exec(text) ?? [];
  const [, shape] = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(text) ?? [];
  if (order === undefined || shape === undefined) throw malformed(what, "its header lacks fortran_order or shape");
  const type = types[descr.slice(1)];
  if (type === undefined || !"<>|=".includes(descr.charAt(0))) throw wrongType(what, text, descr);
  const dims = shape.split(",").flatMap((part) => (part.trim() === "" ? [] : [Number(part)]));
  const size = elementBytes(type);
  const expected = elementCount(dims) * size;
  if (dims.length > 32 || bytes.length - start !== expected) {
    throw malformed(what, `${descr} (${dims.join(", ")}) takes ${expected} bytes, found ${bytes.length - start}`);
  }
  const data = new Uint8Array(bytes.subarray(start));
  if (descr.startsWith(">")) toLittleEndian(Buffer.from(data.buffer), size);
  const ordered = order === "True" && dims.length > 1 ? rowMajor(data, dims, size) : data;
  return tensorOver(type, dims, ordered.buffer);
}

function headerOf(bytes: Uint8Array, what: string): { readonly text: string; readonly start: number } {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 12 || !magic.every((byte, i) => bytes[i] === byte)) {
    throw malformed(what, "it does not begin with NumPy's magic bytes");
  }
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) throw malformed(what, `format version ${version} is not known, expected 1 to 3`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const begin = version === 1 ? 10 : 12;
  if (length > MAX_HEADER || begin + length > bytes.length) {
    throw malformed(what, `it claims a header of ${length} bytes, the file holds ${bytes.length}`);
  }
  return { text: new TextDecoder().decode(bytes.subarray(begin, begin + length)), start: begin + length };
}

function wrongType(what: string, header: string, descr: string): WildmarkError {
  if (/^[|<>=]?O/.test(descr)) {
    return new WildmarkError("bad-file", `${what}: an array of Python objects (a pickle) is not read`, {
      hint: "save it as an array of numbers: np.asarray(images, dtype=np.uint8)",
    });
  }
  const found = descr === "" ? (/'descr'\s*:\s*(.{0,40})/.exec(header)?.[1] ?? "nothing") : descr;
  return new WildmarkError(
    "bad-file",
    `${what}: expected an array of numbers, found the type ${JSON.stringify(found)}`,
    {
      hint: "take integers or floats of the plain kinds: uint8, int64, float32",
    },
  );
}

function toLittleEndian(data: Buffer, size: number): void {
  if (size === 2) data.swap16();
  else if (size === 4) data.swap32();
  else if (size === 8) data.swap64();
}

/** First axis fastest to last axis fastest, element by element. */
function rowMajor(data: Uint8Array, dims: readonly number[], size: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(data.length);
  const strides = dims.map((_, axis) => elementCount(dims.slice(0, axis)) * size);
  const index = dims.map(() => 0);
  let from = 0;
  for (let to = 0; to < data.length; to += size) {
    for (let byte = 0; byte < size; byte++) result[to + byte] = data[from + byte] ?? 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      const stride = strides[axis] ?? 0;
      if (next < (dims[axis] ?? 0)) {
        index[axis] = next;
        from += stride;
        break;
      }
      index[axis] = 0;
      from -= stride * (next - 1);
    }
  }
  return result;
}

function malformed(what: string, why: string): WildmarkError {
  return new WildmarkError("bad-file", `${what}: not a sound .npy array: ${why}`, {
    hint: "check that the file was written by np.save or np.savez and copied whole",
  });
}
