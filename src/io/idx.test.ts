import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DType } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { array, HostArray } from "../core/host-array.ts";
import { decodeIdx, encodeIdx, idxHeader } from "./idx.ts";

const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });

/** Any array of a dtype that idx stores exactly. */
const arrays: fc.Arbitrary<HostArray> = fc
  .tuple(fc.constantFrom<DType>("u8", "i32", "f32"), shapes)
  .chain(([dtype, shape]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const size = { minLength: length, maxLength: length };
    const data =
      dtype === "u8" ? fc.uint8Array(size) : dtype === "i32" ? fc.int32Array(size) : fc.float32Array({ ...size });
    return data.map((values) => new HostArray(dtype, shape, values));
  });

const errorOf = (work: () => unknown): DataError => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return error as DataError;
  }
  throw new Error("expected a DataError, and nothing was thrown");
};

describe("idx", () => {
  test("the bytes are the format's: magic number, big-endian sizes, big-endian values", () => {
    expect([...encodeIdx(array([[1, -2]], undefined, "i32"))]).toEqual([
      ...[0, 0, 0x0c, 2],
      ...[0, 0, 0, 1],
      ...[0, 0, 0, 2],
      ...[0, 0, 0, 1],
      ...[0xff, 0xff, 0xff, 0xfe],
    ]);
    expect([...encodeIdx(array([1.5]))]).toEqual([0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0]);
    expect([...encodeIdx(array(new Uint8Array([3, 255])))]).toEqual([0, 0, 8, 1, 0, 0, 0, 2, 3, 255]);
  });

  test("a round trip gives back dtype, shape and bits", () => {
    fc.assert(
      fc.property(arrays, (before) => {
        const after = decodeIdx(encodeIdx(before));
        expect(after.aval).toEqual(before.aval);
        expect(after.data).toEqual(before.data);
      }),
    );
  });

  test("the other element types are widened or rounded", () => {
    const file = (type: number, ...values: number[]) => new Uint8Array([0, 0, type, 1, 0, 0, 0, 1, ...values]);
    expect(decodeIdx(file(0x09, 0xfe))).toEqual(new HostArray("i32", [1], new Int32Array([-2])));
    expect(decodeIdx(file(0x0b, 0xff, 0x00))).toEqual(new HostArray("i32", [1], new Int32Array([-256])));
    // 0.1 in binary64
    expect(decodeIdx(file(0x0e, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a))).toEqual(
      new HostArray("f32", [1], new Float32Array([0.1])),
    );
  });

  test("it reads from the middle of a buffer, unaligned", () => {
    const bytes = encodeIdx(array([1.5, -2]));
    const longer = new Uint8Array(bytes.length + 3);
    longer.set(bytes, 3);
    expect([...decodeIdx(longer.subarray(3)).data]).toEqual([1.5, -2]);
  });

  test("u8 data is a view of the file's bytes", () => {
    const bytes = encodeIdx(array(new Uint8Array([1, 2, 3])));
    expect(decodeIdx(bytes).data.buffer).toBe(bytes.buffer);
    expect(decodeIdx(Buffer.from(bytes)).data).toStrictEqual(new Uint8Array([1, 2, 3]));
  });

  test("a truncated file is named with both sizes", () => {
    const bytes = encodeIdx(array(new Uint8Array(20), [5, 2, 2]));
    const error = errorOf(() => decodeIdx(bytes.subarray(0, 30), "images.idx"));
    expect(error.message).toBe("idx: images.idx has 30 bytes; expected 36 for u8[5,2,2]. The file is truncated.");
    expect(error.where).toBe("images.idx, byte 30");
  });

  test("trailing bytes are refused", () => {
    const bytes = new Uint8Array([...encodeIdx(array(new Uint8Array([1, 2]))), 0]);
    expect(errorOf(() => decodeIdx(bytes, "l.idx")).message).toBe(
      "idx: l.idx has 11 bytes; expected 10 for u8[2]. The file is longer than its header says.",
    );
  });

  test("a header that is cut off, or no idx header, says where", () => {
    expect(errorOf(() => decodeIdx(new Uint8Array([0, 0]), "a")).message).toContain("a has 2 bytes");
    expect(errorOf(() => decodeIdx(new Uint8Array([0, 0, 8, 3, 0, 0]), "a")).where).toBe("a, byte 6");
    expect(errorOf(() => decodeIdx(new Uint8Array([0x89, 0x50, 0x4e, 0x47]), "a")).message).toContain(
      "begins with 89 50 4e 47",
    );
    expect(errorOf(() => decodeIdx(new Uint8Array([0x1f, 0x8b, 8, 0]), "a")).message).toContain("gzip");
    expect(errorOf(() => decodeIdx(new Uint8Array([0, 0, 0x0a, 0]), "a")).message).toContain("00 00 0a 00");
  });

  test("absurd sizes are refused without allocating them", () => {
    const claim = (type: number, ...sizes: number[]) => {
      const bytes = new Uint8Array(4 + 4 * sizes.length);
      bytes.set([0, 0, type, sizes.length]);
      sizes.forEach((size, i) => {
        new DataView(bytes.buffer).setUint32(4 + 4 * i, size);
      });
      return bytes;
    };
    const most = 0xffffffff;
    expect(errorOf(() => decodeIdx(claim(0x0d, most, 28, 28), "x")).message).toBe(
      `idx: x has 16 bytes; expected ${16 + 4 * most * 784} for f32[${most},28,28]. The file is truncated.`,
    );
    expect(errorOf(() => decodeIdx(claim(8, most, most, most), "x")).message).toContain("more than 2^53 bytes");
    // A zero makes the array empty, yet the other sizes still have no exact product.
    expect(errorOf(() => decodeIdx(claim(8, 0, ...new Array<number>(250).fill(most)), "x")).where).toBe("x, byte 4");
    expect(idxHeader(claim(0x0d, 60_000, 28, 28)).totalBytes).toBe(16 + 60_000 * 784 * 4);
  });

  test("damaged bytes give an array or a DataError, never anything else", () => {
    const damaged = fc.tuple(
      arrays,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(),
    );
    fc.assert(
      fc.property(damaged, ([before, edits, cut]) => {
        const bytes = encodeIdx(before);
        for (const [at, value] of edits) bytes[at % Math.min(bytes.length, 24)] = value;
        const file = cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
        try {
          const after = decodeIdx(file, "damaged");
          expect(after.data.length).toBe(after.shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("any bytes give an array or a DataError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          expect(encodeIdx(decodeIdx(bytes)).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
