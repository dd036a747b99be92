import { referenceBackend } from "../../src/backends/reference/index.ts";
import { hasRelaxedSimd, wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { spawnThread, threadSpawn } from "../../src/node/threads.ts";

/** A BLAS of plain loops, as worker threads would offer the system's. */
const PLAIN_GEMM = `(memory) => ({
  gemm(flags, rows, columns, depth, left, leftStep, right, rightStep, out, outStep) {
    const at = new Float32Array(memory.buffer);
    const [a, b, c] = [left >>> 2, right >>> 2, out >>> 2];
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        let sum = flags & 4 ? at[c + i * outStep + j] : 0;
        for (let k = 0; k < depth; k++)
          sum += at[a + (flags & 1 ? k * leftStep + i : i * leftStep + k)] * at[b + (flags & 2 ? j * rightStep + k : k * rightStep + j)];
        at[c + i * outStep + j] = sum;
      }
  },
})`;

export type Candidate = {
  readonly name: string;
  readonly create: () => Backend;
  /** Gives the same bits as every other reproducible one. */
  readonly reproducible: boolean;
};

/** Every backend that must give the reference's results. */
export const candidates: readonly Candidate[] = [
  { name: "reference", create: () => referenceBackend(), reproducible: false },
  { name: "wasm, the calling thread", create: () => wasmBackend(), reproducible: true },
  { name: "wasm, 2 threads", create: () => wasmBackend({ threads: 2, spawn: spawnThread }), reproducible: true },
  { name: "wasm, wide", create: () => wasmBackend({ wide: true }), reproducible: true },
  {
    name: "wasm, products by a BLAS",
    create: () =>
      wasmBackend({
        mode: "fast",
        threads: 2,
        spawn: threadSpawn(PLAIN_GEMM),
        gemm: { name: "plain", minFlops: 0 },
      }),
    reproducible: false,
  },
  ...(hasRelaxedSimd()
    ? [{ name: "wasm, fused", create: () => wasmBackend({ mode: "fast" }), reproducible: false }]
    : []),
];

/** Candidates that cannot run here, with the reason. */
export const absent: readonly string[] = hasRelaxedSimd()
  ? []
  : ["wasm, fused: this engine has no relaxed SIMD (Node 20 has it behind --experimental-wasm-relaxed-simd)"];
