import type { Buffer, ContractKernel, PanelWidth } from "../../compile/kernel.ts";
import { layoutOf } from "../../compile/layout.ts";
import { ModuleBuilder } from "./asm/module.ts";
import { emitContract } from "./contract.ts";
import { bytesOfBuffer } from "./memory-plan.ts";

/** A product that can be run often: its bits, and the best rate reached, in operations in a millisecond. */
export type Trial = { run(): void; readonly bits: Int32Array; readonly rate: number };

/** A matrix product on fixed numbers, compiled as the backend compiles it. */
export function productTrial(
  panel: PanelWidth,
  fused: boolean,
  [M, K, N]: readonly [rows: number, inner: number, columns: number],
): Trial {
  let next = 64;
  const place = (name: string, shape: readonly number[]): { readonly buffer: Buffer; readonly at: number } => {
    const buffer: Buffer = { id: 0, name, dtype: "f32", shape, layout: layoutOf(shape), home: { kind: "arena" } };
    const at = next;
    next += Math.ceil((bytesOfBuffer(buffer) + 64) / 64) * 64;
    return { buffer, at };
  };
  const [a, b, c] = [place("a", [M, K]), place("b", [K, N]), place("c", [M, N])];
  const addresses = new Map([a, b, c].map(({ buffer, at }) => [buffer, at]));
  const kernel: ContractKernel = {
    kind: "contract",
    name: "trial",
    phase: "forward",
    a: a.buffer,
    b: b.buffer,
    c: c.buffer,
    panel,
    images: null,
    parts: [
      {
        outer: [],
        m: [{ size: M, a: K, b: 0, c: N }],
        n: { size: N, a: 0, b: 1, c: 1 },
        k: [{ size: K, a: 1, b: N, c: 0 }],
        offsetA: 0,
        offsetB: 0,
        offsetC: 0,
      },
    ],
  };
  const pages = Math.ceil(next / 65_536);
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", pages, pages, false);
  const target = {
    address: (buffer: Buffer) => addresses.get(buffer) as number,
    scratch: new Set<Buffer>(),
    moving: new Map<Buffer, number>(),
  };
  const [code] = emitContract(module, { ...target, together: 1, fused, i32Div: 0, i32Rem: 0 }, kernel, { fused });
  if (!code) throw new Error("wasm: a contraction without code");
  module.export("product", code.func);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  for (const { buffer, at } of [a, b])
    new Float32Array(memory.buffer, at, buffer.layout.size).forEach((_, i, all) => {
      all[i] = ((i * 7919) % 1009) / 1009 - 0.5;
    });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env: { memory } });
  const product = instance.exports.product as (low: number, high: number, scratch: number) => void;
  let best = Number.POSITIVE_INFINITY;
  return {
    run() {
      const start = performance.now();
      product(0, code.jobs, 0);
      best = Math.min(best, performance.now() - start);
    },
    get bits() {
      return new Int32Array(memory.buffer, c.at, M * N).slice();
    },
    get rate() {
      return (2 * M * K * N) / best;
    },
  };
}
