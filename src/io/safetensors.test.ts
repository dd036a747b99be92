import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DType, sizeOf } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { array, HostArray } from "../core/host-array.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const arrays: fc.Arbitrary<HostArray> = fc
  .tuple(fc.constantFrom<DType>("u8", "i32", "f32", "bool"), shapes)
  .chain(([dtype, shape]) => {
    const size = { minLength: sizeOf(shape), maxLength: sizeOf(shape) };
    const data =
      dtype === "u8"
        ? fc.uint8Array(size)
        : dtype === "bool"
          ? fc.uint8Array({ ...size, max: 1 })
          : dtype === "i32"
            ? fc.int32Array(size)
            : fc.float32Array(size);
    return data.map((values) => new HostArray(dtype, shape, values));
  });
const names = fc.string({ unit: "binary", maxLength: 12 }).filter((name) => name !== "__metadata__");
const records = fc.dictionary(names, arrays, { maxKeys: 6 });

/** A file from a header, as text or as a value, and its data. */
function file(header: unknown, data: Uint8Array | number = 0, claimed?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
}

function messageOf(bytes: Uint8Array): string {
  try {
    decodeSafetensors(bytes, "w.safetensors");
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).where).toMatch(/^w\.safetensors/);
    return (error as DataError).message;
  }
  throw new Error("expected a DataError, and nothing was thrown");
}

describe("writing", () => {
  test("the bytes are the format's: length, header padded to 8, aligned data", () => {
    const bytes = encodeSafetensors(
      { mask: new HostArray("bool", [3], new Uint8Array([1, 0, 1])), w: array([[1.5], [-2]]) },
      { epoch: "3" },
    );
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
    expect(text.trimEnd()).toBe(
      '{"__metadata__":{"epoch":"3"},"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[8,11]},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}',
    );
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0, 1, 0, 1]);
  });

  test("a round trip gives back names in order, dtypes, shapes, bits and notes", () => {
    fc.assert(
      fc.property(records, fc.dictionary(names, fc.string()), (tensors, metadata) => {
        const after = decodeSafetensors(encodeSafetensors(tensors, metadata));
        expect(Object.keys(after.tensors)).toEqual(Object.keys(tensors));
        for (const [name, before] of Object.entries(tensors)) {
          expect(after.tensors[name]?.aval).toEqual(before.aval);
          expect(after.tensors[name]?.data).toEqual(before.data);
        }
        expect(Object.entries(after.metadata)).toEqual(Object.entries(metadata));
      }),
    );
  });

  test("an array in double precision is written as f32", () => {
    const doubles = new HostArray("f32", [2], new Float64Array([0.1, 3]));
    expect(decodeSafetensors(encodeSafetensors({ doubles })).tensors.doubles?.data).toEqual(new Float32Array([0.1, 3]));
  });

  test("__proto__ is a name like any other, __metadata__ is taken", () => {
    const tensors = Object.fromEntries([["__proto__", array([1])]]);
    expect(Object.keys(decodeSafetensors(encodeSafetensors(tensors)).tensors)).toEqual(["__proto__"]);
    expect(() => encodeSafetensors({ __metadata__: array([1]) })).toThrow(DataError);
  });
});

describe("reading other types", () => {
  const read = (dtype: string, values: Uint8Array, shape: number[]) => {
    const header = { x: { dtype, shape, data_offsets: [0, values.length] } };
    return decodeSafetensors(file(header, values), "w.safetensors").tensors.x;
  };
  const bytesOf = (values: ArrayBufferView) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

  test("half precision: zero, subnormals, one, largest, infinities, NaN", () => {
    const halves = new Uint16Array([
      0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3c00, 0xc100, 0x7bff, 0x7c00, 0xfc00, 0x7e00,
    ]);
    expect([...(read("F16", bytesOf(halves), [11])?.data ?? [])]).toEqual([
      0,
      -0,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      1,
      -2.5,
      65504,
      Infinity,
      -Infinity,
      Number.NaN,
    ]);
  });

  test("bfloat16 is the upper half of f32", () => {
    const values = new Float32Array([1, -2.5, 3e38, 2 ** -133, Infinity]);
    const upper = new Uint16Array(bytesOf(values).slice().buffer).filter((_, i) => i % 2 === 1);
    const expected = [...values].map((value) => {
      const word = new Uint32Array(new Float32Array([value]).buffer);
      word[0] = (word[0] as number) & 0xffff0000;
      return new Float32Array(word.buffer)[0];
    });
    expect([...(read("BF16", bytesOf(upper), [5])?.data ?? [])]).toEqual(expected);
  });

  test("f64 is rounded to f32, integers become i32", () => {
    expect(read("F64", bytesOf(new Float64Array([0.1])), [1])?.data).toEqual(new Float32Array([0.1]));
    const scalar = read("I64", bytesOf(new BigInt64Array([-7n])), []);
    expect(scalar).toEqual(new HostArray("i32", [], new Int32Array([-7])));
    expect(read("U16", bytesOf(new Uint16Array([65535])), [1])?.data).toEqual(new Int32Array([65535]));
    expect(read("I8", bytesOf(new Int8Array([-1])), [1])?.data).toEqual(new Int32Array([-1]));
  });

  test("a value that i32 or bool cannot hold is refused by its index", () => {
    expect(() => read("I64", bytesOf(new BigInt64Array([1n, 2n ** 31n])), [2])).toThrow("index 1 that i32 cannot hold");
    expect(() => read("U32", bytesOf(new Uint32Array([2 ** 31])), [1])).toThrow("index 0 that i32 cannot hold");
    expect(() => read("BOOL", new Uint8Array([0, 1, 2]), [3])).toThrow("index 2 that bool cannot hold");
    expect(() => read("F8_E4M3", new Uint8Array(1), [1])).toThrow('has dtype "F8_E4M3"; expected one of F64, F32');
  });

  test("unaligned data of a file in the middle of a buffer", () => {
    const inner = file('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytesOf(new Float32Array([2.5])));
    const outer = new Uint8Array(inner.length + 1);
    outer.set(inner, 1);
    expect([...(decodeSafetensors(outer.subarray(1)).tensors.x?.data ?? [])]).toEqual([2.5]);
  });
});

test("arrays are plain copies, also of a Node Buffer", () => {
  const bytes = Buffer.from(encodeSafetensors({ x: array(new Uint8Array([1, 2])), y: array([3]) }));
  const { tensors } = decodeSafetensors(bytes);
  bytes.fill(0xff);
  expect(tensors.x?.data).toStrictEqual(new Uint8Array([1, 2]));
  expect(tensors.y?.data).toStrictEqual(new Float32Array([3]));
});

describe("hostile files", () => {
  const entry = (shape: unknown, offsets: unknown, dtype: unknown = "U8") => ({ dtype, shape, data_offsets: offsets });

  test("lengths", () => {
    expect(messageOf(new Uint8Array(5))).toContain("has 5 bytes");
    expect(messageOf(file("{}", 0, 2n ** 63n))).toContain("claims a header of 9223372036854775808 bytes");
    expect(messageOf(file("{}", 0, 1000n))).toContain("has 10 bytes; expected at least 1008");
    expect(messageOf(file({ x: entry([4], [0, 4]) }, 3))).toContain("ends at byte 4 of the data; expected at most 3");
    expect(messageOf(file({ x: entry([4], [0, 4]) }, 5))).toContain("has 5 bytes of data; expected 4");
  });

  test("the header's limit can be set", () => {
    const bytes = encodeSafetensors({ x: array([1]) });
    expect(() => decodeSafetensors(bytes, "w", { maxHeaderBytes: 16 })).toThrow("expected at most 16");
  });

  test("overlaps, gaps and a name given twice", () => {
    expect(messageOf(file({ a: entry([4], [0, 4]), b: entry([4], [2, 6]) }, 6))).toContain(
      'w.safetensors, "b" begins at byte 2 of the data; expected 4',
    );
    expect(messageOf(file({ a: entry([2], [2, 4]) }, 4))).toContain("begins at byte 2 of the data; expected 0");
    const one = JSON.stringify(entry([1], [0, 1]));
    const two = JSON.stringify(entry([1], [1, 2]));
    expect(messageOf(file(`{"x":${one},"x":${two}}`, 2))).toContain("begins at byte 1");
  });

  test("shapes and offsets that do not agree, or are no sizes", () => {
    expect(messageOf(file({ x: entry([3], [0, 4]) }, 4))).toContain("data_offsets of 4 bytes; expected 3 for U8[3]");
    expect(messageOf(file({ x: entry([-1], [0, 1]) }, 1))).toContain("has shape [-1]");
    expect(messageOf(file({ x: entry([0.5], [0, 1]) }, 1))).toContain("has shape [0.5]");
    expect(messageOf(file({ x: entry("4", [0, 4]) }, 4))).toContain('has shape "4"');
    expect(messageOf(file({ x: entry([1], [1, 0]) }, 1))).toContain("has data_offsets [1,0]");
    expect(messageOf(file({ x: entry([1], [0]) }, 1))).toContain("has data_offsets [0]");
    expect(messageOf(file({ x: { dtype: "U8", shape: [1] } }, 1))).toContain("has data_offsets missing");
    expect(messageOf(file({ x: 3 }, 1))).toContain('"x" is not an object');
  });

  test("absurd sizes are refused without allocating them", () => {
    expect(messageOf(file({ x: entry([2 ** 40], [0, 2 ** 40]) }, 4))).toContain("ends at byte 1099511627776");
    expect(messageOf(file({ x: entry([2 ** 52, 2 ** 52, 0], [0, 0]) }))).toContain("expected more than 2^53");
    expect(messageOf(file({ x: entry(new Array(100_000).fill(9), [0, 1]) }, 1))).toMatch(/^.{0,200}$/);
  });

  test("headers that are no JSON objects, or nested without end", () => {
    expect(messageOf(file("[1]"))).toContain("does not begin with {");
    expect(messageOf(file("{"))).toContain("not JSON");
    expect(messageOf(file(`{"x":${"[".repeat(1e6)}`))).toContain("nested more than 3 levels");
    expect(messageOf(file({ __metadata__: { n: 1 } }))).toContain("not an object of strings");
    const bytes = file('{"__metadata__":{"a":"??"}}');
    bytes.set([0xc3, 0x28], bytes.indexOf(0x3f));
    expect(messageOf(bytes)).toContain("not JSON");
  });

  test("brackets inside strings are no nesting", () => {
    const metadata = { a: '[[[[[["\\', "{{{{": "x" };
    expect(decodeSafetensors(encodeSafetensors({}, metadata)).metadata).toEqual(metadata);
  });

  test("damaged bytes give arrays or a DataError, never anything else", () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(records, edits, fc.nat(), (tensors, changes, cut) => {
        const bytes = encodeSafetensors(tensors, { note: "x" });
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const damaged = cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
        try {
          for (const read of Object.values(decodeSafetensors(damaged).tensors))
            expect(read.data.length).toBe(sizeOf(read.shape));
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("a header with one token replaced gives arrays or a DataError", () => {
    const tokens = ["F32", "shape", "0", "-1", "1e999", "null", "[", "]", '"', "9007199254740993", "{}", "true", ","];
    const header = '{"a":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]},"__metadata__":{"k":"v"}}';
    const parts = header.split(/(?<=[[\]{}:,])|(?=[[\]{}:,])/);
    fc.assert(
      fc.property(fc.nat(parts.length - 1), fc.constantFrom(...tokens), fc.nat(4), (at, token, data) => {
        try {
          const { tensors } = decodeSafetensors(file(parts.with(at, token).join(""), data));
          for (const read of Object.values(tensors)) expect(read.data.length).toBe(sizeOf(read.shape));
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test("i32 arrays are written as I64 on request", () => {
  const tensors = { a: array([1, -2], [2], "i32"), w: array([0.5]), b: array([-3], [1], "i32") };
  const bytes = encodeSafetensors(tensors, {}, { i64: ["a"] });
  const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes))) as Record<string, unknown>;
  expect(header.a).toEqual({ dtype: "I64", shape: [2], data_offsets: [0, 16] });
  expect(header.b).toMatchObject({ dtype: "I32" });
  expect(Array.from(new BigInt64Array(bytes.slice(8 + headerBytes, 24 + headerBytes).buffer))).toEqual([1n, -2n]);
  expect(decodeSafetensors(bytes).tensors).toEqual(tensors);
  expect(() => encodeSafetensors(tensors, {}, { i64: ["w"] })).toThrow(
    "safetensors: got f32 for w; expected i32, to be written as I64.",
  );
});
