import { referenceBackend } from "../../src/backends/reference/index.ts";
import { hasRelaxedSimd, wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { spawnThread } from "../../src/node/threads.ts";

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
  ...(hasRelaxedSimd()
    ? [{ name: "wasm, fused", create: () => wasmBackend({ mode: "fast" }), reproducible: false }]
    : []),
];

/** Candidates that cannot run here, with the reason. */
export const absent: readonly string[] = hasRelaxedSimd()
  ? []
  : ["wasm, fused: this engine has no relaxed SIMD (Node 20 has it behind --experimental-wasm-relaxed-simd)"];
