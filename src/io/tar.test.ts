import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type TarEntry, tarBytes } from "../../test/tar-bytes.ts";
import { joinBytes } from "../core/bytes.ts";
import { DataError } from "../core/errors.ts";
import { decodeTar, type TarOptions, TarReader } from "./tar.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const listed = (bytes: Uint8Array, options?: TarOptions): (readonly [string, string])[] =>
  decodeTar(bytes, "x.tar", options).map((file) => [file.path, text(file.bytes)]);

function errorOf(bytes: Uint8Array, options?: TarOptions): DataError {
  try {
    decodeTar(bytes, "x.tar", options);
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return error as DataError;
  }
  throw new Error("expected a DataError, and nothing was thrown");
}

const long = `${"folder/".repeat(30)}file.bin`;
const pax = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`;
  const length = rest.length + `${rest.length}`.length;
  return `${length + (`${length}`.length - `${rest.length}`.length)}${rest}`;
};

describe("a tar archive", () => {
  const entries: readonly TarEntry[] = [
    { path: "data/", type: "5" },
    { path: "./data/a.txt", content: "alpha" },
    { path: "data/empty" },
    { path: "b.txt", prefix: "data/deep", content: "b".repeat(512) },
    { path: "data/c.txt", type: "\0", content: "gamma" },
    { path: "pax_global_header", type: "g", content: pax("comment", "0123456789abcdef") },
    { path: "@LongLink", type: "L", content: `${long}\0` },
    { path: long.slice(0, 100), content: "long" },
    { path: "PaxHeaders/x", type: "x", content: pax("mtime", "1.5") + pax("path", `pax/${long}`) },
    { path: "short", content: "pax" },
  ];
  const files = [
    ["data/a.txt", "alpha"],
    ["data/empty", ""],
    ["data/deep/b.txt", "b".repeat(512)],
    ["data/c.txt", "gamma"],
    [long, "long"],
    [`pax/${long}`, "pax"],
  ];

  test("gives its files: ustar prefixes, GNU long names, pax paths", () => {
    expect(listed(tarBytes(entries))).toEqual(files);
  });

  test("gives the same in chunks of any size", () => {
    const bytes = tarBytes(entries);
    for (const size of [1, 7, 511, 513, 4096]) {
      const reader = new TarReader("x.tar");
      const found = [];
      for (let at = 0; at < bytes.length; at += size) found.push(...reader.push(bytes.subarray(at, at + size)));
      reader.end();
      expect(found.map((file) => [file.path, text(file.bytes)])).toEqual(files);
    }
  });

  test("passes over what is not wanted", () => {
    expect(listed(tarBytes(entries), { keep: (path) => path.endsWith("c.txt") })).toEqual([["data/c.txt", "gamma"]]);
  });

  test("ends at two blocks of zeros, or where the file does", () => {
    const bytes = tarBytes([{ path: "a", content: "1" }]);
    expect(listed(joinBytes([bytes, new Uint8Array(9000).fill(7)]))).toEqual([["a", "1"]]);
    expect(listed(bytes.subarray(0, 1024))).toEqual([["a", "1"]]);
  });

  test("made by tar itself, in three formats", () => {
    const folder = mkdtempSync(join(tmpdir(), "downhill-tar-"));
    try {
      const deep = join(folder, "in", "a".repeat(90), "b".repeat(90));
      mkdirSync(deep, { recursive: true });
      writeFileSync(join(deep, "c.txt"), "deep");
      writeFileSync(join(folder, "in", "größe.bin"), new Uint8Array(3000).fill(65));
      for (const format of ["gnu", "ustar", "pax"]) {
        const file = join(folder, `${format}.tar`);
        execFileSync("tar", [`--format=${format}`, "-cf", file, "-C", folder, "in"]);
        expect(new Map(listed(readFileSync(file)))).toEqual(
          new Map([
            [`in/${"a".repeat(90)}/${"b".repeat(90)}/c.txt`, "deep"],
            ["in/größe.bin", "A".repeat(3000)],
          ]),
        );
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a hostile tar archive is refused:", () => {
  test.each(["/etc/passwd", "../x", "a/../../x", "a\\..\\x", "C:/x", "c:x", "a/..", "\\\\host\\share"])(
    "path %s",
    (path) => {
      expect(errorOf(tarBytes([{ path, content: "x" }])).message).toBe(
        `tar: x.tar has the path ${JSON.stringify(path)}; expected one below the archive's own folder.`,
      );
      // Also where it is not wanted, in a prefix, a long name and pax records.
      expect(errorOf(tarBytes([{ path }]), { keep: () => false }).message).toContain("has the path");
      expect(errorOf(tarBytes([{ path: "x", prefix: path }])).message).toContain("has the path");
      expect(errorOf(tarBytes([{ path: "@", type: "L", content: path }, { path: "x" }])).message).toContain(
        "has the path",
      );
      expect(
        errorOf(tarBytes([{ path: "@", type: "x", content: pax("path", path) }, { path: "x" }])).message,
      ).toContain("has the path");
    },
  );

  test.each([
    ["1", "a hard link"],
    ["2", "a symbolic link"],
    ["3", "a device"],
    ["6", "a pipe"],
    ["S", "a sparse file"],
    ["K", "a long link"],
  ])("type %s, %s", (type) => {
    const message = errorOf(tarBytes([{ path: "x", type, link: "/etc/passwd" }])).message;
    expect(message).toContain("expected files and folders");
  });

  test("a link in pax records", () => {
    const bytes = tarBytes([{ path: "@", type: "x", content: pax("linkpath", "/etc") }, { path: "x" }]);
    expect(errorOf(bytes).message).toContain("has a link");
  });

  test("a wrong checksum, at its byte", () => {
    const error = errorOf(
      tarBytes([
        { path: "a", content: "1" },
        { path: "b", checksum: 1 },
      ]),
    );
    expect(error.message).toMatch(/has a header with checksum 1; expected \d+\. It is damaged, or no tar archive\.$/);
    expect(error.where).toMatch(/^x\.tar, byte 1\d+$/);
    expect(errorOf(new Uint8Array(2048).fill(65)).message).toContain('has the checksum "AAAAAAAA"');
  });

  test("sizes that lie take no memory", () => {
    const claims = tarBytes([{ path: "a", content: "1", size: 2 ** 29 }]);
    const before = process.memoryUsage().arrayBuffers;
    const reader = new TarReader("x.tar");
    expect(reader.push(claims)).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 21);
    expect(() => reader.end()).toThrow("ends in the middle of an entry. It is truncated.");
    expect(errorOf(claims, { maxBytes: 2 ** 20 }).message).toContain(
      'has "a" of 536870912 bytes; expected at most 1048576.',
    );
    expect(errorOf(tarBytes([{ path: "a", content: "1", size: 2000 }])).message).toContain("truncated");
    const big = tarBytes([{ path: "@", type: "x", content: pax("size", "99999999999") }, { path: "x" }]);
    expect(errorOf(big).message).toContain("of 99999999999 bytes");
    expect(errorOf(tarBytes([{ path: "@", type: "L", size: 2 ** 24 }])).message).toContain("has a note of 16777216");
  });

  test("the same path twice, a file without a name, a folder with bytes, nothing at all", () => {
    expect(errorOf(tarBytes([{ path: "a" }, { path: "./a" }])).message).toContain('has "a" twice');
    expect(errorOf(tarBytes([{ path: "." }])).message).toContain("has a file without a name");
    expect(errorOf(tarBytes([{ path: "a", type: "5", content: "x" }])).message).toContain("has the folder");
    expect(errorOf(new Uint8Array(0)).message).toContain("is empty");
    expect(errorOf(new Uint8Array(100)).message).toContain("truncated");
  });

  test("pax records whose lengths lie", () => {
    for (const content of ["999 path=x\n", "0 path=x\n", "path=x\n", "5 x\n", "9 nothing\n", "8 a=bcd\nrest"])
      expect(errorOf(tarBytes([{ path: "@", type: "x", content }, { path: "x" }])).message).toContain("pax record");
  });
});
