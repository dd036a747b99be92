import type { Buffer } from "../../compile/kernel.ts";
import type { FuncBuilder, ModuleBuilder, ValType } from "./asm/module.ts";

/** What a kernel's code may use of its module. */
export type Target = {
  /** Byte address of a buffer. */
  readonly address: (buffer: Buffer) => number;
  /** Buffers of which each thread has one image's worth: their address counts from the thread's scratch. */
  readonly scratch: ReadonlySet<Buffer>;
  /** Globals that hold how far slices have moved in this iteration, in bytes. */
  readonly moving: ReadonlyMap<Buffer, number>;
  /** Vectors that are stored side by side, for V8 to make one of them: 2, or 1 where it does not. */
  readonly together: 1 | 2;
  /** Indices of the integer division and remainder that never trap. */
  readonly i32Div: number;
  readonly i32Rem: number;
  /** A product and the sum it goes into may be one instruction that rounds once (relaxed SIMD). */
  readonly fused: boolean;
};

/** A kernel's function takes (low, high), a range of its `jobs`; any split of the jobs gives the same bits. */
export type KernelCode = {
  readonly func: FuncBuilder;
  readonly jobs: number /** Elements touched, to judge whether threads pay. */;
  readonly work: number;
};

/** Parameters of a kernel's function: a range of jobs, and where this thread's scratch begins. */
const PARAMS: readonly ValType[] = ["i32", "i32", "i32"];
export const LOW = 0;
export const HIGH = 1;
export const SCRATCH = 2;

/** Names are shown in traces of the engine. */
export function kernelFunction(module: ModuleBuilder, name: string): FuncBuilder {
  return module.func(name.replace(/[^\w.+/-]+/g, "_").slice(0, 60), PARAMS, []);
}
