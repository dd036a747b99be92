import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { findBlas, search } from "./blas.ts";
import type { GemmImport } from "./gemm-import.ts";

const { blas, ...absent } = findBlas();
/** Why tests of a real library are skipped. */
const skipped = blas ? "" : ` (skipped: ${"reason" in absent ? absent.reason : ""})`;
const koffi = !("reason" in absent) || !absent.reason.startsWith("koffi");

describe.skipIf(!koffi)(`a search that finds nothing${koffi ? "" : skipped}`, () => {
  test("says which file cannot be loaded", () => {
    const report = search("linux", "libno-such-blas.so");
    expect(report).toEqual({ blas: null, reason: expect.stringMatching(/^DOWNHILL_BLAS: libno-such-blas\.so: ./) });
  });

  test.runIf(process.platform === "linux")("says that a file is no BLAS", () => {
    const report = search("linux", "libm.so.6");
    expect(report).toEqual({ blas: null, reason: "DOWNHILL_BLAS: libm.so.6: has no cblas_sgemm" });
  });

  test("says what was looked for, or that nothing is known", () => {
    const other = process.platform === "win32" ? "linux" : "win32";
    expect(search(other, undefined)).toEqual({ blas: null, reason: "found none of OpenBLAS, MKL, BLIS" });
    expect(search("aix", undefined)).toEqual({ blas: null, reason: "none is known for aix" });
  });
});

describe.skipIf(!blas)(`the system's BLAS${skipped}`, () => {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  const floats = new Float32Array(memory.buffer);
  const import_ = (): { gemm: GemmImport } => {
    // As a worker thread makes it of the text.
    const make = new Function("require", `return ${blas?.source}`) as (r: NodeJS.Require) => (m: unknown) => {
      gemm: GemmImport;
    };
    return make(createRequire(import.meta.url))(memory);
  };

  test("has a name, a file and integers of a known width", () => {
    expect(blas?.name).toMatch(/^\S/);
    expect([32, 64]).toContain(blas?.integers);
    expect(findBlas()).toEqual({ blas });
  });

  test.each([
    [1, 1, 1],
    [49, 64, 32],
    [128, 10, 128],
    [33, 257, 100],
  ])("computes %i x %i x %i in every form, the same bits each time", (rows, columns, depth) => {
    const { gemm } = import_();
    const [a, b, c] = [256, 256 + 2 ** 19, 256 + 2 ** 20];
    for (let i = 0; i < 2 ** 18; i++) floats[i] = ((i * 7919) % 1009) / 1009 - 0.5;
    const start = floats.slice(c / 4, c / 4 + rows * columns);
    for (let flags = 0; flags < 8; flags++) {
      const steps = [flags & 1 ? rows : depth, flags & 2 ? depth : columns] as const;
      const once = (): Float32Array => {
        floats.set(start, c / 4);
        gemm(flags, rows, columns, depth, a, steps[0], b, steps[1], c, columns);
        return floats.slice(c / 4, c / 4 + rows * columns);
      };
      const got = once();
      expect(once()).toEqual(got);
      let worst = 0;
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) {
          let sum = flags & 4 ? (start[i * columns + j] as number) : 0;
          for (let k = 0; k < depth; k++)
            sum +=
              (floats[a / 4 + (flags & 1 ? k * steps[0] + i : i * steps[0] + k)] as number) *
              (floats[b / 4 + (flags & 2 ? j * steps[1] + k : k * steps[1] + j)] as number);
          worst = Math.max(worst, Math.abs((got[i * columns + j] as number) - sum));
        }
      // A sum of `depth` products of at most 1/4, each addition rounded to 2^-24 of the sum so far.
      expect(worst).toBeLessThanOrEqual(depth * (depth / 4 + 1) * 2 ** -24);
    }
  });
});
