import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { array, HostArray } from "../core/host-array.ts";
import { decodeNpy, encodeNpy } from "./npy.ts";
import { decodeNpz, encodeNpz } from "./npz.ts";

type Golden = {
  readonly cases: readonly {
    readonly name: string;
    readonly shape: number[];
    readonly values: (number | boolean | string)[];
    readonly npy: string;
  }[];
  readonly refused: Readonly<Record<string, string>>;
  readonly archives: Readonly<Record<string, string>>;
};
const golden = JSON.parse(readFileSync(new URL("../../golden/io/numpy.json", import.meta.url), "utf8")) as Golden;
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
const number = (value: number | boolean | string): number => (value === "inf" ? Infinity : Number(value));

describe("what NumPy writes", () => {
  test.each(golden.cases)("$name", ({ shape, values, npy }) => {
    const found = decodeNpy(bytesOf(npy));
    expect(found.shape).toEqual(shape);
    expect(Array.from(found.data)).toEqual(values.map(number));
  });

  test.each(Object.entries(golden.refused))("%s is refused, with the place", (name, npy) => {
    const text = name === "too large" ? /value at index 0 that i32 cannot hold/ : /has (?:the|no) type/;
    expect(() => decodeNpy(bytesOf(npy), "x.npy")).toThrow(text);
    expect(() => decodeNpy(bytesOf(npy), "x.npy")).toThrow(
      expect.objectContaining({ where: expect.stringMatching(/^x\.npy, byte \d+$/) }),
    );
  });

  test.each(Object.entries(golden.archives))("%s", async (_, npz) => {
    const found = await decodeNpz(bytesOf(npz));
    expect(Object.keys(found)).toEqual(["x", "y", "ü"]);
    const valuesOf = (name: string) => golden.cases.find((each) => each.name === name)?.values.map(number);
    expect(Array.from(found.x?.data ?? [])).toEqual(valuesOf("<f4"));
    expect(Array.from(found.y?.data ?? [])).toEqual(valuesOf("i1"));
    expect(found["ü"]).toMatchObject({ shape: [2, 3, 4] });
    expect(Array.from(found["ü"]?.data ?? [])).toEqual(valuesOf("fortran"));
  });
});

const arrays = fc
  .tuple(fc.array(fc.nat(4), { maxLength: 4 }), fc.constantFrom("f32", "i32", "u8", "bool"), fc.nat())
  .map(([shape, dtype, seed]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Array.from(
      { length: size },
      (_, i) => (Math.imul(seed + i, 2654435761) >>> 3) % (dtype === "bool" ? 2 : 256),
    );
    const data =
      dtype === "f32" ? Float32Array.from(values) : dtype === "i32" ? Int32Array.from(values) : Uint8Array.from(values);
    return new HostArray(dtype as "f32", shape, data);
  });

test("arrays come back as they were written", async () => {
  fc.assert(
    fc.property(arrays, (made) => {
      expect(decodeNpy(encodeNpy(made))).toEqual(made);
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string({ maxLength: 8 }), arrays, { maxKeys: 4 }), async (made) => {
      const found = await decodeNpz(encodeNpz(made));
      expect(Object.entries(found)).toEqual(Object.entries(made));
    }),
    { numRuns: 50 },
  );
});

test("every part of a file and every changed byte gives an array or a DataError that says where", async () => {
  const npz = encodeNpz({ a: array([1, 2, 3]), b: array([[4], [5]]) });
  const files = [encodeNpy(array([[1, 2, 3]])), npz, bytesOf(golden.archives.savez_compressed ?? "")];
  const decode = async (bytes: Uint8Array, isNpy: boolean): Promise<void> => {
    try {
      if (isNpy) decodeNpy(bytes, "file");
      else await decodeNpz(bytes, "file");
    } catch (error) {
      expect(error).toBeInstanceOf(DataError);
      expect((error as DataError).where).toMatch(/^file.*byte \d+/);
    }
  };
  for (const [i, file] of files.entries()) {
    for (let length = 0; length < file.length; length += i === 2 ? 7 : 1) await decode(file.slice(0, length), i === 0);
    for (let at = 0; at < file.length; at += i === 2 ? 5 : 1) {
      const changed = file.slice();
      changed[at] = (changed[at] as number) ^ 0x5a;
      await decode(changed, i === 0);
    }
  }
});

test("a small file that claims to inflate to very much is refused", async () => {
  const file = bytesOf(golden.archives.savez_compressed ?? "");
  const view = new DataView(file.buffer);
  const central = file.findIndex((_, at) => at + 4 <= file.length && view.getUint32(at, true) === 0x02014b50);
  view.setUint32(central + 24, 0x7fffffff, true);
  await expect(decodeNpz(file)).rejects.toThrow(/claims 2147483647 bytes for "x\.npy" out of \d+; that cannot be/);
});
