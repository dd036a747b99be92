import { expect, test } from "vitest";
import { crc32, crc32c } from "./crc.ts";

test("checksums have the check values of their catalogue", () => {
  const bytes = new TextEncoder().encode("123456789");
  expect(crc32(bytes).toString(16)).toBe("cbf43926");
  expect(crc32c(bytes).toString(16)).toBe("e3069283");
});

test("CRC-32C gives the values of RFC 3720, B.4", () => {
  const of = (value: (i: number) => number): string =>
    crc32c(Uint8Array.from({ length: 32 }, (_, i) => value(i))).toString(16);
  expect([of(() => 0), of(() => 255), of((i) => i), of((i) => 31 - i)]).toEqual([
    "8a9136aa",
    "62a8ab43",
    "46dd794e",
    "113fdb5c",
  ]);
});
