import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import {
  bytesField,
  doubleField,
  doublesField,
  floatField,
  floatsOf,
  integerField,
  integerOf,
  protobufFields,
  textOf,
} from "./protobuf.ts";

const bytes = (...parts: number[]): Uint8Array => Uint8Array.from(parts);
const read = (message: Uint8Array) => [...protobufFields(message, "a.pb", 100)];

describe("protobuf", () => {
  test("writes the examples of its encoding's description", () => {
    // https://protobuf.dev/programming-guides/encoding/: 150 in field 1, "testing" in field 2.
    expect(integerField(1, 150)).toEqual(bytes(0x08, 0x96, 0x01));
    expect(bytesField(2, "testing")).toEqual(bytes(0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67));
    expect(integerField(1, -2)).toEqual(bytes(0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01));
    expect(bytesField(3, integerField(1, 150))).toEqual(bytes(0x1a, 0x03, 0x08, 0x96, 0x01));
    expect(integerField(16, 0)).toEqual(bytes(0x80, 0x01, 0x00));
  });

  test("reads back what it wrote", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 15 }),
        fc.maxSafeInteger(),
        fc.double(),
        fc.string(),
        (field, n, x, text) => {
          const [integer] = read(integerField(field, n));
          expect(integer?.number).toBe(field);
          expect(integer && integerOf(integer)).toBe(n === 0 ? 0 : n);
          const [written] = read(bytesField(field, text));
          expect(written && textOf(written)).toBe(
            new TextDecoder().decode(new TextEncoder().encode(text)).replace(/^\uFEFF/, ""),
          );
          const [double] = read(doubleField(field, x));
          expect(double && floatsOf(double, 8)).toEqual([x]);
          const [float] = read(floatField(field, x));
          expect(float && floatsOf(float, 4)).toEqual([Math.fround(x)]);
          const [list] = read(doublesField(field, [x, n]));
          expect(list && floatsOf(list, 8)).toEqual([x, n]);
        },
      ),
    );
  });

  test("says where each field's bytes are in the file", () => {
    const message = new Uint8Array([...integerField(1, 150), ...bytesField(2, "ab"), ...floatField(3, 1)]);
    expect(read(message).map(({ number, at, bytes: { length } }) => [number, at, length])).toEqual([
      [1, 103, 0],
      [2, 105, 2],
      [3, 108, 4],
    ]);
  });

  test.each([
    ["a number that does not end", bytes(0x08, 0x96), "ends inside a number.", 102],
    ["a number that goes on and on", bytes(0x08, ...Array(11).fill(0x80)), "has a number of more than 10 bytes.", 111],
    ["a length that lies", bytes(0x12, 0x07, 0x74), "has a field of 7 bytes where 1 are left.", 102],
    [
      "a length beyond all memory",
      bytes(0x12, ...Array(9).fill(0xff), 0x01),
      "has a field of 18446744073709551615",
      111,
    ],
    ["a group", bytes(0x0b), "has the wire type 3; expected 0, 1, 2 or 5.", 101],
  ])("refuses %s", (_, message, text, at) => {
    expect(() => read(message)).toThrow(DataError);
    expect(() => read(message)).toThrow(`protobuf: a.pb ${text}`);
    try {
      read(message);
    } catch (error) {
      expect((error as DataError).where).toBe(`a.pb, byte ${at}`);
    }
  });
});
