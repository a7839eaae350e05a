/**
 * @file The safetensors file format: named tensors and text metadata, with nothing in it that could be executed.
 *
 * A file is an 8-byte little-endian header length, a JSON header `{"__metadata__": {text: text}, name: {"dtype",
 * "shape", "data_offsets": [begin, end]}}`, then the data, row-major and little-endian, the tensors back to back.
 * (Published description: huggingface.co/docs/safetensors.) The encoder is deterministic; the decoder believes nothing:
 * every size is checked against the bytes that are there before anything is allocated.
 */

import { malformed, parseHeader, quote, type TensorEntry } from "./safetensors-header.js";
import { type ElementArrays, type ElementType, elementCount, type Tensor } from "./tensor.js";

/** What a file holds. Maps, because names are the file's own and may be anything, `__proto__` too. */
export interface SafeTensors {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

const LENGTH_BYTES = 8;

/** The cap of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;

const DTYPES: { readonly [T in ElementType]: string } = {
  bool: "BOOL",
  uint8: "U8",
  int8: "I8",
  int16: "I16",
  uint16: "U16",
  float16: "F16",
  bfloat16: "BF16",
  int32: "I32",
  uint32: "U32",
  float32: "F32",
  int64: "I64",
  uint64: "U64",
  float64: "F64",
};

type Codec = {
  readonly [T in ElementType]: { readonly bytes: number; readonly view: (buffer: ArrayBuffer) => ElementArrays[T] };
};

/** Bytes an element, and the array over a buffer that holds nothing else. Little-endian, as every Node platform is. */
const ELEMENTS: Codec = {
  bool: { bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  uint8: { bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  int8: { bytes: 1, view: (buffer) => new Int8Array(buffer) },
  int16: { bytes: 2, view: (buffer) => new Int16Array(buffer) },
  uint16: { bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  float16: { bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  bfloat16: { bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  int32: { bytes: 4, view: (buffer) => new Int32Array(buffer) },
  uint32: { bytes: 4, view: (buffer) => new Uint32Array(buffer) },
  float32: { bytes: 4, view: (buffer) => new Float32Array(buffer) },
  int64: { bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
  uint64: { bytes: 8, view: (buffer) => new BigUint64Array(buffer) },
  float64: { bytes: 8, view: (buffer) => new Float64Array(buffer) },
};

function elementType(dtype: string): ElementType | undefined {
  let type: ElementType;
  for (type in DTYPES) if (DTYPES[type] === dtype) return type;
  return undefined;
}

/**
 * Encodes tensors and metadata. The same content gives the same bytes whatever the order of the maps: metadata by
 * name, tensors by falling element size (so that every one lies aligned) and then by name, the header padded with
 * spaces to a multiple of 8 bytes.
 */
export function encodeSafetensors({ metadata, tensors }: SafeTensors): Uint8Array {
  const ordered = [...tensors].sort(
    ([nameA, a], [nameB, b]) => ELEMENTS[b.type].bytes - ELEMENTS[a.type].bytes || compareText(nameA, nameB),
  );
  const entries: [string, unknown][] = [];
  if (metadata.size > 0) {
    const sorted = [...metadata].sort(([a], [b]) => compareText(a, b));
    entries.push(["__metadata__", Object.fromEntries(sorted)]);
  }
  let offset = 0;
  for (const [name, tensor] of ordered) {
    if (name === "__metadata__") throw new RangeError("no tensor may be named __metadata__");
    if (tensor.data.length !== elementCount(tensor.dims)) {
      throw new RangeError(
        `tensor ${name}: dimensions [${tensor.dims.join(", ")}] do not fit ${tensor.data.length} elements`,
      );
    }
    const end = offset + tensor.data.byteLength;
    entries.push([name, { dtype: DTYPES[tensor.type], shape: tensor.dims, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Written entry by entry: an object would move names like "7" to the front.
  const json = `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`;
  const unpadded = new TextEncoder().encode(json);
  const headerLength = Math.ceil(unpadded.length / 8) * 8;

  const bytes = new Uint8Array(LENGTH_BYTES + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerLength);
  bytes.set(unpadded, LENGTH_BYTES);
  let at = LENGTH_BYTES + headerLength;
  for (const [, { data }] of ordered) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * Decodes a file. The tensors are copies; together they are never larger than `bytes`.
 *
 * @param where the file's name, for messages.
 * @throws WildmarkError `bad-file` when it is truncated, malformed or lies about its sizes.
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): SafeTensors {
  const header = headerBytes(bytes, where);
  const data = bytes.subarray(LENGTH_BYTES + header.length);
  const { metadata, entries } = parseHeader(header, where);

  const tensors = new Map<string, Tensor>();
  let expectedBegin = 0;
  for (const [name, entry] of [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== expectedBegin) {
      throw malformed(
        where,
        `tensor ${quote(name)} should begin at byte ${expectedBegin} of the data, but begins at ${entry.begin}`,
      );
    }
    tensors.set(name, decodeTensor(name, entry, data, where));
    expectedBegin = entry.end;
  }
  if (expectedBegin !== data.length) {
    throw malformed(where, `the header describes ${expectedBegin} bytes of data, the file holds ${data.length}`);
  }
  return { metadata, tensors };
}

function headerBytes(bytes: Uint8Array, where: string): Uint8Array {
  if (bytes.length < LENGTH_BYTES) {
    throw malformed(where, `expected a header length of ${LENGTH_BYTES} bytes, found a file of ${bytes.length}`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw malformed(where, `it claims a header of ${length} bytes, at most ${MAX_HEADER_BYTES} are allowed`);
  }
  const rest = bytes.length - LENGTH_BYTES;
  if (length > BigInt(rest)) {
    throw malformed(
      where,
      `it claims a header of ${length} bytes, but only ${rest} follow: not such a file, or truncated`,
    );
  }
  return bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + Number(length));
}

function decodeTensor(name: string, entry: TensorEntry, data: Uint8Array, where: string): Tensor {
  const { dtype, shape, begin, end } = entry;
  const type = elementType(dtype);
  if (type === undefined) throw malformed(where, `tensor ${quote(name)} has the unknown dtype ${quote(dtype)}`);
  const expected = elementCount(shape) * ELEMENTS[type].bytes;
  if (end - begin !== expected) {
    throw malformed(
      where,
      `tensor ${quote(name)}, ${dtype} [${shape.join(", ")}], takes ${expected} bytes, its offsets span ${end - begin}`,
    );
  }
  if (end > data.length) {
    throw malformed(where, `tensor ${quote(name)} ends at byte ${end} of ${data.length}: truncated`);
  }
  return tensorOver(type, shape, new Uint8Array(data.subarray(begin, end)).buffer);
}

/** How many bytes one element takes. */
export function elementBytes(type: ElementType): number {
  return ELEMENTS[type].bytes;
}

/**
 * A tensor over a buffer that holds its little-endian elements and nothing else; not copied. The cast says what
 * `ELEMENTS` guarantees: the view of a type is that type's array.
 */
export function tensorOver<T extends ElementType>(type: T, dims: readonly number[], buffer: ArrayBuffer): Tensor {
  return { type, dims, data: ELEMENTS[type].view(buffer) } as Tensor;
}

/** By code units: the same on every machine, unlike a locale's order. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
