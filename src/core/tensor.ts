/**
 * @file A tensor is plain data: an element type, dimensions and a typed array in row-major order.
 *
 * `bool` is one byte an element, `float16` and `bfloat16` are kept as their 16 bits: Wildmark stores them without loss
 * and converts when it computes.
 */

export interface ElementArrays {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly float16: Uint16Array;
  readonly bfloat16: Uint16Array;
  readonly int8: Int8Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly uint8: Uint8Array;
  readonly uint16: Uint16Array;
  readonly uint32: Uint32Array;
  readonly uint64: BigUint64Array;
  readonly bool: Uint8Array;
}

export type ElementType = keyof ElementArrays;

/** One tensor of a known element type. */
export interface TensorOf<T extends ElementType> {
  readonly type: T;
  /** Row-major dimensions; a scalar has none. */
  readonly dims: readonly number[];
  /** Exactly `elementCount(dims)` elements. */
  readonly data: ElementArrays[T];
}

/** A tensor of any element type; `type` discriminates `data`. */
export type Tensor = { [T in ElementType]: TensorOf<T> }[ElementType];

export type FloatTensor = TensorOf<"float32">;

/** Product of the dimensions: 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  let count = 1;
  for (const dim of dims) count *= dim;
  return count;
}

/** A float32 tensor over `data`, which is not copied. */
export function float32(dims: readonly number[], data: Float32Array | readonly number[]): FloatTensor {
  return { type: "float32", dims, data: data instanceof Float32Array ? data : Float32Array.from(data) };
}

/** An int64 tensor from ordinary numbers. */
export function int64(dims: readonly number[], values: Iterable<number>): TensorOf<"int64"> {
  return { type: "int64", dims, data: BigInt64Array.from(values, BigInt) };
}

/** The elements of an integer or float tensor as ordinary numbers (int64 beyond 2^53 loses precision). */
export function toNumbers(tensor: Tensor): number[] {
  return Array.from(tensor.data, Number);
}

/** Row-major strides, in elements. */
export function rowMajorStrides(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length);
  let stride = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= dims[axis] ?? 1;
  }
  return strides;
}

export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}
