/** The part of koffi that is used here. */
export type Koffi = {
  load(file: string): {
    func(name: string, result: string, parameters: readonly string[]): (...values: readonly number[]) => unknown;
  };
  address(view: ArrayBufferView): bigint;
};

/** What a thread needs to know to call a BLAS. */
export type Binding = {
  readonly file: string;
  /** The name of sgemm in C's interface. */
  readonly symbol: string;
  readonly setThreads: string | null;
  /** Bits of the library's integers. */
  readonly integers: 32 | 64;
};

/** `env.gemm` of a program: see src/backends/wasm/gemm.ts. Addresses are bytes in the memory. */
export type GemmImport = (
  flags: number,
  rows: number,
  columns: number,
  depth: number,
  left: number,
  leftStep: number,
  right: number,
  rightStep: number,
  out: number,
  outStep: number,
) => void;

/**
 * A product of row-major matrices of a WebAssembly memory, by the library, with one thread for each call. Addresses go as numbers
 * (they have 48 bits), which takes 0.15 us a call. Sent to workers as text, so it may name nothing outside itself.
 */
export function gemmImport(koffi: Koffi, binding: Binding, memory: { readonly buffer: ArrayBuffer }): GemmImport {
  const library = koffi.load(binding.file);
  // Of the whole process in most libraries, of the calling thread in some.
  if (binding.setThreads !== null) library.func(binding.setThreads, "void", ["int"])(1);
  const int = binding.integers === 64 ? "int64_t" : "int32_t";
  const [rowMajor, plain, transposed] = [101, 111, 112];
  const sgemm = library.func(binding.symbol, "void", [
    ...["int", "int", "int", int, int, int, "float"],
    ...["uintptr_t", int, "uintptr_t", int, "float", "uintptr_t", int],
  ]);
  // The memory is shared, hence never moves.
  const base = Number(koffi.address(new Uint8Array(memory.buffer, 0, 16)));
  return (flags, rows, columns, depth, left, leftStep, right, rightStep, out, outStep) => {
    sgemm(
      rowMajor,
      flags & 1 ? transposed : plain,
      flags & 2 ? transposed : plain,
      rows,
      columns,
      depth,
      1,
      base + (left >>> 0),
      leftStep,
      base + (right >>> 0),
      rightStep,
      flags & 4 ? 1 : 0,
      base + (out >>> 0),
      outStep,
    );
  };
}
