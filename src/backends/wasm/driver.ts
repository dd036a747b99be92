import type { Buffer, Kernel, Node, Slice } from "../../compile/kernel.ts";
import type { GemmRule } from "../../compile/native-products.ts";
import { type FuncBuilder, ModuleBuilder } from "./asm/module.ts";
import { emitBarrier } from "./barrier.ts";
import { emitContract } from "./contract.ts";
import type { ContractOptions } from "./contract-tile.ts";
import { GEMM_PARAMS } from "./gemm.ts";
import { KernelClock } from "./kernel-clock.ts";
import type { KernelCode, Target } from "./kernel-code.ts";
import { emitMap, emitScatter } from "./map.ts";
import { emitPack } from "./pack.ts";
import { emitReduce } from "./reduce.ts";
import { type Places, Sequence } from "./sequence.ts";
import { emitSweep } from "./sweep.ts";

export type DriverOptions = {
  readonly shared: boolean;
  readonly threads: number;
  readonly maxPages: number;
  readonly fused: boolean;
  readonly wide: boolean;
  /** Calls the imported `tick` around every kernel; the results are the same. */
  readonly clocked: boolean;
  /** Which products go to the import `gemm`. */
  readonly gemm: GemmRule | null;
};

/** A program's module: a function for each kernel, and `run(thread, threads, steps, timed)` that calls them for many steps. */
export function buildModule(nodes: readonly Node[], places: Places, options: DriverOptions): ModuleBuilder {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", 1, options.maxPages, options.shared);
  const mark = module.importFunc("env", "mark", ["i32"], []);
  const tick = options.clocked ? module.importFunc("env", "tick", ["i32"], []) : null;
  const call = options.gemm && module.importFunc("env", "gemm", new Array(GEMM_PARAMS).fill("i32"), []);
  const gemm = options.gemm && call !== null ? { rule: options.gemm, call } : null;
  const contract: ContractOptions = { fused: options.fused, gemm };
  const moving = movingOf(module, nodes);
  const target: Target = {
    moving,
    address: places.address,
    scratch: places.scratch,
    together: options.wide ? 2 : 1,
    i32Div: safeDivision(module, "div").index,
    i32Rem: safeDivision(module, "rem").index,
    fused: options.fused,
  };
  const barrier = options.threads > 1 ? emitBarrier(module).index : null;
  const code = new Map<Kernel, KernelCode[]>();
  const emit = (list: readonly Node[]): void => {
    for (const node of list) {
      if (node.kind === "kernel")
        code.set(node.kernel, emitKernel(module, target, places, node.kernel, false, contract));
      else if (node.kind === "stage")
        for (const kernel of node.kernels) code.set(kernel, emitKernel(module, target, places, kernel, true, contract));
      else if (node.kind === "cond") {
        emit(node.whenTrue);
        emit(node.whenFalse);
      } else {
        if (node.kind === "while") emit(node.test);
        emit(node.body);
      }
    }
  };
  emit(nodes);
  const run = module.func("run", ["i32", "i32", "i32", "i32"], []);
  const clock = tick === null ? null : new KernelClock(run, tick, nodes);
  new Sequence(run, code, places, moving, barrier, mark, options.threads, clock).run(nodes);
  module.export("run", run);
  return module;
}

function emitKernel(
  module: ModuleBuilder,
  target: Target,
  places: Places,
  kernel: Kernel,
  byImage: boolean,
  options: ContractOptions,
): KernelCode[] {
  switch (kernel.kind) {
    case "map":
      return [emitMap(module, target, kernel, byImage)];
    case "sweep":
    case "sums":
      return emitSweep(module, target, kernel, places.table(kernel));
    case "reduce":
      return [emitReduce(module, target, kernel, byImage)];
    case "scatter":
      return [emitScatter(module, target, kernel)];
    case "contract":
      return emitContract(module, target, kernel, options);
    case "pack":
      return [emitPack(module, target, kernel)];
    default:
      // Fills and copies are single instructions of the driver.
      return [];
  }
}

/** Division by zero gives 0 and the one overflowing quotient wraps, where the machine's instruction traps. */
function safeDivision(module: ModuleBuilder, op: "div" | "rem"): FuncBuilder {
  const f = module.func(`i32_${op}`, ["i32", "i32"], ["i32"]);
  f.get(1)
    .op("i32.eqz")
    .if(() => f.i32(0).op("return"));
  f.get(1)
    .i32(-1)
    .op("i32.eq")
    .if(() => (op === "div" ? f.i32(0).get(0).op("i32.sub") : f.i32(0)).op("return"));
  f.get(0)
    .get(1)
    .op(op === "div" ? "i32.div_s" : "i32.rem_s");
  return f;
}

/** Globals for what moves: one for all slices that move alike. */
function movingOf(module: ModuleBuilder, nodes: readonly Node[]): Map<Buffer, number> {
  const found = new Map<Buffer, number>();
  const visit = (list: readonly Node[]): void => {
    for (const node of list) {
      if (node.kind === "cond") {
        visit(node.whenTrue);
        visit(node.whenFalse);
      } else if (node.kind === "loop" || node.kind === "while") {
        const alike = new Map<string, number>();
        for (const slice of node.slices) {
          const { of, step, alternates } = slice.home as Slice;
          const key = `${step} ${alternates} ${found.get(of)}`;
          const global = alike.get(key) ?? module.global("i32", true, 0);
          alike.set(key, global);
          found.set(slice, global);
        }
        if (node.kind === "while") visit(node.test);
        visit(node.body);
      }
    }
  };
  visit(nodes);
  return found;
}
