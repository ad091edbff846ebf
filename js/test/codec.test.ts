import { describe, expect, it } from "vitest";
import { decode, toBytes } from "../src/codec.ts";

const bytes = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);

/** The same bytes, beginning at `offset` of a larger buffer. */
function at(offset: number, source: Uint8Array): Uint8Array<ArrayBuffer> {
  const room = new Uint8Array(offset + source.byteLength + 5);
  room.set(source, offset);
  return room.subarray(offset, offset + source.byteLength);
}

describe("toBytes", () => {
  it("views what every host hands over", () => {
    const inside = at(3, bytes);
    expect(toBytes(bytes.buffer)).toEqual(bytes);
    expect(toBytes(inside)).toEqual(bytes);
    expect(toBytes(new DataView(inside.buffer, 3, bytes.length))).toEqual(bytes);
    expect(toBytes(new Uint16Array(at(2, bytes).buffer, 2, 5))).toEqual(bytes);
  });

  it("copies nothing", () => {
    const inside = at(3, bytes);
    expect(toBytes(new DataView(inside.buffer, 3, 2)).buffer).toBe(inside.buffer);
  });

  it.each([
    ["https://example.org/data.bin", "string"],
    [[1, 2, 3], "object"],
    [null, "null"],
    [undefined, "undefined"],
  ])("refuses %j", (data, got) => {
    expect(() => toBytes(data)).toThrow(
      new TypeError(`expected binary data (an ArrayBuffer or a view of one); got ${got}`),
    );
  });
});

describe("decode", () => {
  const floats = Float32Array.of(0.817, -1.5, Number.NaN, Infinity, 1e-45, 3.4e38);

  it.each([0, 1, 2, 3, 4, 7, 8])("reads float32 at offset %i", (offset) => {
    const source = at(offset, new Uint8Array(floats.buffer));
    const { shape, values } = decode({
      dtype: "f4",
      shape: [2, 3],
      data: new DataView(source.buffer, offset, 24),
    });
    expect(shape).toEqual([2, 3]);
    expect(values).toEqual(floats);
  });

  it("shares aligned bytes and copies others", () => {
    const aligned = at(4, new Uint8Array(floats.buffer));
    const askew = at(5, new Uint8Array(floats.buffer));
    expect(decode({ dtype: "f4", shape: [6], data: aligned }).values.buffer).toBe(aligned.buffer);
    expect(decode({ dtype: "f4", shape: [6], data: askew }).values.buffer).not.toBe(askew.buffer);
  });

  it("reads little-endian whole numbers", () => {
    const data = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    expect(decode({ dtype: "u1", shape: [8], data }).values).toEqual(data);
    expect(decode({ dtype: "u2", shape: [4], data }).values).toEqual(
      Uint16Array.of(0x0201, 0x0403, 0x0605, 0x0807),
    );
    expect(decode({ dtype: "u4", shape: [2], data }).values).toEqual(Uint32Array.of(0x04030201, 0x08070605));
  });

  it("reads every float16 as the value its bits stand for", () => {
    const bits = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
    const { values } = decode({ dtype: "f2", shape: [256, 256], data: bits });
    const wrong = [...bits].filter((pattern) => !Object.is(values[pattern], half(pattern)));
    expect(wrong).toEqual([]);
  });

  it.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x03ff, 1023 * 2 ** -24],
    [0x0001, 2 ** -24],
    [0x8000, -0],
    [0x3555, 0.333251953125],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, Number.NaN],
  ])("reads float16 %i as %d", (bits, value) => {
    expect(decode({ dtype: "f2", shape: [], data: Uint16Array.of(bits) }).values[0]).toBe(value);
  });

  it("reads empty arrays and scalars", () => {
    expect(decode({ dtype: "f4", shape: [0, 7], data: new ArrayBuffer(0) }).values).toEqual(
      new Float32Array(0),
    );
    expect(decode({ dtype: "u1", shape: [], data: Uint8Array.of(9) }).values).toEqual(Uint8Array.of(9));
  });

  it("says what was expected and what came", () => {
    expect(() => decode({ dtype: "f4", shape: [2, 3], data: new ArrayBuffer(20) })).toThrow(
      new RangeError("shape (2, 3) of f4 needs 24 bytes; got 20"),
    );
    expect(() => decode({ dtype: "i8", shape: [1], data: new ArrayBuffer(8) })).toThrow(
      new TypeError("dtype must be one of f2, f4, f8, u1, u2, u4; got i8"),
    );
    expect(() => decode({ dtype: "u1", shape: [-1], data: new ArrayBuffer(0) })).toThrow(
      new RangeError("shape must be whole numbers of at least 0; got (-1)"),
    );
    expect(() => decode({ dtype: "u1", shape: [1.5, 2], data: new ArrayBuffer(3) })).toThrow(RangeError);
  });
});

/** A float16 read digit by digit. */
function half(bits: number): number {
  const text = bits.toString(2).padStart(16, "0");
  const sign = text[0] === "1" ? -1 : 1;
  const exponent = Number.parseInt(text.slice(1, 6), 2);
  const fraction = Number.parseInt(text.slice(6), 2) / 1024;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
}
