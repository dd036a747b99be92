import type { Buffer, Kernel } from "./kernel.ts";

/** What a kernel reads and writes. */
export function touches(kernel: Kernel): { readonly reads: readonly Buffer[]; readonly writes: readonly Buffer[] } {
  switch (kernel.kind) {
    case "map":
      return { reads: kernel.operands.map((o) => o.buffer), writes: kernel.stores.map((s) => s.view.buffer) };
    case "sweep":
    case "sums": {
      const stored = new Set(kernel.stores.map(({ slot }) => slot));
      const of = (wanted: (slot: number) => boolean): Buffer[] =>
        kernel.arrays.flatMap(({ operands }) => operands.flatMap(({ buffer }, slot) => (wanted(slot) ? [buffer] : [])));
      // A slot that is stored is mostly read too; more reads than there are do no harm.
      return { reads: of(() => true), writes: of((slot) => stored.has(slot)) };
    }
    case "reduce":
      return { reads: kernel.operands.map((o) => o.buffer), writes: [kernel.target.buffer] };
    case "scatter":
      return { reads: [...kernel.operands.map((o) => o.buffer), kernel.target.buffer], writes: [kernel.target.buffer] };
    case "contract":
      return { reads: [kernel.a, kernel.b], writes: [kernel.c] };
    case "pack":
      return { reads: [kernel.source.buffer], writes: [kernel.target] };
    case "fill":
      return { reads: [], writes: [kernel.target] };
  }
}

/** The buffer whose memory this is, or is a slice of. */
export function ownerOf(buffer: Buffer): Buffer {
  return buffer.home.kind === "slice" ? ownerOf(buffer.home.of) : buffer;
}
