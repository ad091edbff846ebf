/** Host bytes to typed arrays. Everything on the wire is little-endian, as every browser's arrays are. */

/** An array as it arrives from Python: see `codec.py`. */
export interface Packed {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: unknown;
}

export type Values =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>;

/** Values in row-major order, with their shape. */
export interface Decoded {
  readonly shape: readonly number[];
  readonly values: Values;
}

/**
 * Views binary data as bytes without copying it.
 *
 * Hosts hand over an ArrayBuffer, or a view that may start anywhere inside a larger buffer.
 *
 * @throws TypeError for anything that is not binary, such as a URL or base64 text.
 */
export function toBytes(data: unknown): Uint8Array<ArrayBuffer> {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }
  const got = data === null ? "null" : typeof data;
  throw new TypeError(`expected binary data (an ArrayBuffer or a view of one); got ${got}`);
}

/**
 * Decodes an array: "f2" (float16) and "f4" become float32, "f8", "u1", "u2" and "u4" stay what they are.
 *
 * The values share the bytes they came in where alignment allows it, "f2" excepted.
 *
 * @throws TypeError if the data are not binary or the dtype is unknown.
 * @throws RangeError if the shape is not one, or does not fit the number of bytes.
 */
export function decode({ dtype, shape, data }: Packed): Decoded {
  const bytes = toBytes(data);
  const size = ITEM_SIZE[dtype];
  if (size === undefined) {
    throw new TypeError(`dtype must be one of ${Object.keys(ITEM_SIZE).join(", ")}; got ${dtype}`);
  }
  const count = elements(shape);
  if (bytes.byteLength !== count * size) {
    throw new RangeError(
      `shape (${shape.join(", ")}) of ${dtype} needs ${count * size} bytes; got ${bytes.byteLength}`,
    );
  }
  return { shape, values: view(dtype, aligned(bytes, size), count) };
}

const ITEM_SIZE: Readonly<Record<string, number>> = { f2: 2, f4: 4, f8: 8, u1: 1, u2: 2, u4: 4 };

function elements(shape: readonly number[]): number {
  let count = 1;
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new RangeError(`shape must be whole numbers of at least 0; got (${shape.join(", ")})`);
    }
    count *= length;
  }
  return count;
}

const aligned = (bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> =>
  bytes.byteOffset % size === 0 ? bytes : bytes.slice();

function view(dtype: string, { buffer, byteOffset }: Uint8Array<ArrayBuffer>, count: number): Values {
  if (dtype === "f4") return new Float32Array(buffer, byteOffset, count);
  if (dtype === "f8") return new Float64Array(buffer, byteOffset, count);
  if (dtype === "f2") return fromHalf(new Uint16Array(buffer, byteOffset, count));
  if (dtype === "u2") return new Uint16Array(buffer, byteOffset, count);
  if (dtype === "u4") return new Uint32Array(buffer, byteOffset, count);
  return new Uint8Array(buffer, byteOffset, count);
}

let halves: Float32Array | undefined;

function fromHalf(bits: Uint16Array): Float32Array<ArrayBuffer> {
  halves ??= halfTable();
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = halves[bits[i] as number] as number;
  return values;
}

/** The value of each of the 65,536 float16 bit patterns (IEEE 754-2008 binary16). */
function halfTable(): Float32Array {
  const table = new Float32Array(0x10000);
  for (let bits = 0; bits < 0x8000; bits++) {
    const exponent = bits >> 10;
    const fraction = bits & 0x3ff;
    const value =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent < 31
          ? (1 + fraction / 1024) * 2 ** (exponent - 15)
          : fraction === 0
            ? Infinity
            : NaN;
    table[bits] = value;
    table[bits | 0x8000] = -value;
  }
  return table;
}
