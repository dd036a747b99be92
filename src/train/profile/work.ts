import { Expander } from "../../backends/wasm/expand.ts";
import type { Axis, Buffer, ContractKernel, Kernel, SweepKernel, View } from "../../compile/kernel.ts";
import { operandsOf } from "../../compile/scalar-parts.ts";
import { bytesOf, sizeOf } from "../../core/dtype.ts";
import type { Index, Loop, Scalar } from "../../ir/loops.ts";

/** What a kernel has to do in one run. */
export type Work = {
  /** Arithmetic: 2 for each multiply-add of a product, 1 for each operation of an expression; exp and the like count as what they are made of. */
  readonly operations: number;
  /** Of distinct elements read and written; one that is both counts twice. */
  readonly bytes: number;
};

const product = (sizes: readonly number[]): number => sizes.reduce((n, size) => n * size, 1);

/** Elements touched of each buffer, which has no more than its size. */
class Elements {
  private readonly counts = new Map<Buffer, number>();

  add(buffer: Buffer, count: number): void {
    this.counts.set(buffer, Math.min(buffer.layout.size, (this.counts.get(buffer) ?? 0) + count));
  }
  get bytes(): number {
    return [...this.counts].reduce((sum, [{ dtype }, count]) => sum + count * bytesOf(dtype), 0);
  }
}

/** Loops that an expression depends on. Each of its operations runs once for each of their indices. */
class Expressions {
  operations = 0;
  readonly reads: Elements = new Elements();
  private readonly loops = new Map<Scalar, ReadonlySet<Loop>>();
  private readonly source: (number: number) => Buffer;
  private readonly sizeOf: (loop: Loop) => number;

  constructor(source: (number: number) => Buffer, size: (loop: Loop) => number = (loop) => loop.size) {
    this.source = source;
    this.sizeOf = size;
  }

  count(loops: ReadonlySet<Loop>): number {
    return product([...loops].map(this.sizeOf));
  }

  index({ terms, dynamic }: Index): ReadonlySet<Loop> {
    const own = new Set(terms.filter(([, c]) => c !== 0).map(([loop]) => loop));
    if (dynamic) for (const loop of this.visit(dynamic.value)) own.add(loop);
    return own;
  }

  visit(node: Scalar): ReadonlySet<Loop> {
    const known = this.loops.get(node);
    if (known) return known;
    const loops = new Set<Loop>();
    const join = (others: ReadonlySet<Loop>): void => {
      for (const loop of others) loops.add(loop);
    };
    if (node.kind === "load") {
      for (const index of node.index) join(this.index(index));
      this.reads.add(this.source(node.source), this.count(loops));
    } else if (node.kind === "index") join(this.index(node.index));
    else if (node.kind === "guard") for (const { index } of node.ranges) join(this.index(index));
    for (const part of operandsOf(node)) join(this.visit(part));
    this.loops.set(node, loops);
    if (node.kind === "unary" || node.kind === "binary" || node.kind === "select") this.operations += this.count(loops);
    return loops;
  }
}

function ofNest(kernel: Extract<Kernel, { readonly kind: "map" | "reduce" | "scatter" }>): Work {
  const expander = new Expander();
  const expressions = new Expressions((number) => (kernel.operands[number] as View).buffer);
  const writes = new Elements();
  const stores =
    kernel.kind === "map" ? kernel.stores : [{ view: kernel.target, index: kernel.index, value: kernel.value }];
  for (const { view, index, value } of stores) {
    expressions.visit(expander.scalar(value));
    writes.add(view.buffer, expressions.count(expressions.index(expander.index(index))));
  }
  const elements = product(kernel.loops.map(({ size }) => size));
  const added =
    kernel.kind === "map"
      ? 0
      : elements * (kernel.kind === "reduce" ? product(kernel.reduced.map(({ size }) => size)) : 1);
  return { operations: expressions.operations + added, bytes: expressions.reads.bytes + writes.bytes };
}

function ofSweep({ arrays, stores, loop, kind }: SweepKernel): Work {
  let operations = 0;
  let bytes = 0;
  for (const { size, operands } of arrays) {
    const expander = new Expander();
    const expressions = new Expressions(
      (slot) => (operands[slot] as { readonly buffer: Buffer }).buffer,
      () => size,
    );
    const writes = new Elements();
    for (const { slot, value } of stores) {
      expressions.visit(expander.scalar(value));
      writes.add(
        (operands[slot] as { readonly buffer: Buffer }).buffer,
        kind === "sums" ? 1 : expressions.count(new Set([loop])),
      );
    }
    operations += expressions.operations + (kind === "sums" ? size : 0);
    bytes += expressions.reads.bytes + writes.bytes;
  }
  return { operations, bytes };
}

function ofContraction({ a, b, c, parts, images }: ContractKernel): Work {
  const reads = new Elements();
  const writes = new Elements();
  let operations = 0;
  for (const { outer, m, n, k } of parts) {
    const axes = [...outer, ...m, n, ...k];
    const along = (of: (axis: Axis) => number): number =>
      product(axes.filter((axis) => of(axis) !== 0).map(({ size }) => size));
    operations += 2 * product(axes.map(({ size }) => size));
    reads.add(
      a,
      along((axis) => axis.a),
    );
    reads.add(
      b,
      along((axis) => axis.b),
    );
    const copies = images && images.chunk > 0 ? images.size / images.chunk : 1;
    writes.add(c, copies * along((axis) => axis.c));
  }
  return { operations, bytes: reads.bytes + writes.bytes };
}

/** What a kernel does in one run, over all images of its stage. */
export function workOf(kernel: Kernel): Work {
  switch (kernel.kind) {
    case "map":
    case "reduce":
    case "scatter":
      return ofNest(kernel);
    case "sweep":
    case "sums":
      return ofSweep(kernel);
    case "contract":
      return ofContraction(kernel);
    case "pack": {
      const { source, target } = kernel;
      return { operations: 0, bytes: sizeOf(source.shape) * 4 + target.layout.size * bytesOf(target.dtype) };
    }
    case "fill":
      return { operations: 0, bytes: kernel.target.layout.size * bytesOf(kernel.target.dtype) };
  }
}
