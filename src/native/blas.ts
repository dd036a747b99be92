import { createRequire } from "node:module";
import { type Binding, gemmImport, type Koffi } from "./gemm-import.ts";
import { KNOWN, LIBRARIES, type Library } from "./libraries.ts";

/** A system library that computes products, tried and found right. */
export type Blas = {
  /** `OpenBLAS 0.3.21 (SkylakeX)` */
  readonly name: string;
  readonly file: string;
  /** Bits of its integers. */
  readonly integers: 32 | 64;
  /** Products of at least so many operations go to it. */
  readonly minFlops: number;
  /** Code of a worker thread: an expression, `(memory) => ({ gemm })`. */
  readonly source: string;
};

export type BlasReport = { readonly blas: Blas } | { readonly blas: null; readonly reason: string };

let known: BlasReport | null = null;

/**
 * The system's BLAS: OpenBLAS, MKL or BLIS on Linux and Windows, Accelerate on macOS, or the file that the environment variable
 * DOWNHILL_BLAS names; called through koffi. It is tried on small products first. What is in the way is a reason in words.
 * A second call gives the first one's answer.
 */
export function findBlas(): BlasReport {
  known ??= search(process.platform, process.env.DOWNHILL_BLAS);
  return known;
}

const require = createRequire(import.meta.url);

/** `findBlas` without memory; `chosen` is a file that the user names. */
export function search(platform: NodeJS.Platform, chosen: string | undefined): BlasReport {
  let koffi: Koffi;
  let path: string;
  try {
    path = require.resolve("koffi");
    koffi = require("koffi") as Koffi;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND";
    const reason = missing
      ? "koffi is not installed: npm install koffi"
      : `koffi cannot be loaded: ${firstLine(error)}`;
    return { blas: null, reason };
  }
  if (chosen !== undefined && chosen !== "") {
    const found = tryFile(koffi, path, chosen, null);
    return typeof found === "string" ? { blas: null, reason: `DOWNHILL_BLAS: ${chosen}: ${found}` } : { blas: found };
  }
  const libraries = LIBRARIES[platform] ?? [];
  const faults: string[] = [];
  for (const library of libraries)
    for (const file of library.files) {
      if (!loads(koffi, file)) continue;
      const found = tryFile(koffi, path, file, library);
      if (typeof found !== "string") return { blas: found };
      faults.push(`${file}: ${found}`);
    }
  const names = libraries.map(({ name }) => name).join(", ");
  const reason = faults[0] ?? (names === "" ? `none is known for ${platform}` : `found none of ${names}`);
  return { blas: null, reason };
}

const firstLine = (error: unknown): string => String((error as Error).message).split("\n")[0] as string;

function loads(koffi: Koffi, file: string): boolean {
  try {
    koffi.load(file);
    return true;
  } catch {
    return false;
  }
}

/** The library in a file, or why it will not do. */
function tryFile(
  koffi: Koffi,
  koffiPath: string,
  file: string,
  expected: Omit<Library, "files"> | null,
): Blas | string {
  try {
    const library = koffi.load(file);
    /** A function of no arguments, or null. Builds with 64-bit integers may mark their names. */
    const lookUp = (name: string | null, result: string, parameters: readonly string[] = []) => {
      if (name === null) return null;
      for (const symbol of [name, `${name}64_`])
        try {
          return { symbol, call: library.func(symbol, result, parameters) };
        } catch {}
      return null;
    };
    const kind = expected ?? KNOWN.find(({ describe, setThreads }) => lookUp(describe ?? setThreads, "void"));
    const sgemm = lookUp("cblas_sgemm", "void");
    if (!sgemm) return "has no cblas_sgemm";
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const integers = integersOf(koffi, lookUp("cblas_sdot", "float", SDOT)?.call, memory);
    const setThreads = lookUp(kind?.setThreads ?? null, "void")?.symbol ?? null;
    const binding: Binding = { file, symbol: sgemm.symbol, setThreads, integers };
    const fault = tryProducts(gemmImport(koffi, binding, memory), memory);
    if (fault !== null) return fault;
    const text = (name: string | null): string => String(lookUp(name, "const char *")?.call() ?? "");
    const version = /\d+(\.\d+)+/.exec(text(kind?.describe ?? null))?.[0];
    const processor = text(kind?.processor ?? null);
    return {
      name: `${kind?.name ?? file}${version ? ` ${version}` : ""}${processor ? ` (${processor})` : ""}`,
      file,
      integers,
      minFlops: kind?.minFlops ?? 2 ** 20,
      source: `(memory) => ({ gemm: (${gemmImport})(require(${JSON.stringify(koffiPath)}), ${JSON.stringify(binding)}, memory) })`,
    };
  } catch (error) {
    return firstLine(error);
  }
}

const SDOT = ["int64_t", "uintptr_t", "int64_t", "uintptr_t", "int64_t"];

/**
 * A scalar product of length 1 - 2^32: to a library with 32-bit integers that is 1, to one with 64 bits it is negative, hence the
 * product of nothing. Arguments of 64 bits reach both, but for Apple's, which is known to have 32.
 */
function integersOf(
  koffi: Koffi,
  sdot: ((...values: readonly number[]) => unknown) | undefined,
  memory: { readonly buffer: ArrayBuffer },
): 32 | 64 {
  if (!sdot || process.platform === "darwin") return 32;
  const values = new Float32Array(memory.buffer, 0, 4).fill(2);
  const at = Number(koffi.address(values));
  return sdot(1 - 2 ** 32, at, 1, at, 1) === 0 ? 64 : 32;
}

/** Small products in every form that programs use, against the sum itself; what is wrong, or null. */
function tryProducts(gemm: ReturnType<typeof gemmImport>, memory: { readonly buffer: ArrayBuffer }): string | null {
  const [rows, columns, depth] = [5, 7, 9];
  const [left, right, out] = [1024, 2048, 4096] as const;
  const view = (at: number): Float32Array => new Float32Array(memory.buffer, at, 256);
  const [a, b, c] = [view(left), view(right), view(out)];
  for (let i = 0; i < 256; i++) {
    a[i] = ((i * 37) % 17) - 8;
    b[i] = ((i * 23) % 13) - 6;
  }
  for (let flags = 0; flags < 8; flags++) {
    c.fill(3);
    const [tall, wide] = [flags & 1, flags & 2].map(Boolean);
    gemm(flags, rows, columns, depth, left, tall ? rows : depth, right, wide ? depth : columns, out, columns);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        let sum = flags & 4 ? 3 : 0;
        for (let k = 0; k < depth; k++)
          sum +=
            (a[tall ? k * rows + i : i * depth + k] as number) * (b[wide ? j * depth + k : k * columns + j] as number);
        // Small integers: every order of additions is exact.
        if (c[i * columns + j] !== sum) return "gives wrong products";
      }
  }
  return null;
}
