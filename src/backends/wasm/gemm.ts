import type { Axis, Buffer, ContractKernel, ContractPart } from "../../compile/kernel.ts";
import type { Cut, Gemm } from "../../compile/native-products.ts";
import type { FuncBuilder } from "./asm/module.ts";
import { decode, startPointers, workOf } from "./contract-pointers.ts";
import { HIGH, type KernelCode, LOW, type Target } from "./kernel-code.ts";

/**
 * What the import `env.gemm` takes: flags, rows, columns, depth, then byte address and row step (in elements) of the left operand,
 * of the right one, and of c. It computes c = left right, or adds that to c.
 */
export const GEMM_PARAMS = 10;
const TRANSPOSE_LEFT = 1;
const TRANSPOSE_RIGHT = 2;
const ADD = 4;

type Pointers = readonly [left: number, right: number, c: number];

/** Products as calls of a BLAS: jobs are images, or outer indices times pieces of a product. */
export function emitGemm(
  f: FuncBuilder,
  target: Target,
  kernel: ContractKernel,
  part: ContractPart,
  gemm: Gemm,
  call: number,
): KernelCode {
  const flags = (gemm.left.transposed ? TRANSPOSE_LEFT : 0) | (gemm.right.transposed ? TRANSPOSE_RIGHT : 0);
  const bases = [
    target.address(kernel.a) + 4 * part.offsetA,
    target.address(kernel.b) + 4 * part.offsetB,
    target.address(kernel.c) + 4 * part.offsetC,
  ] as const;
  const [leftBase, rightBase] = gemm.turned ? [bases[1], bases[0]] : [bases[0], bases[1]];
  /** `add` is a local that is 1 where the product is added to c; null: it is not. */
  const product = ([left, right, c]: Pointers, rows: () => void, columns: () => void, add: number | null): void => {
    f.i32(flags);
    if (add !== null) f.get(add).i32(ADD).op("i32.mul").op("i32.add");
    rows();
    columns();
    f.i32(gemm.depth);
    f.get(left).i32(leftBase).op("i32.add").i32(gemm.left.ld);
    f.get(right).i32(rightBase).op("i32.add").i32(gemm.right.ld);
    f.get(c).i32(bases[2]).op("i32.add").i32(gemm.ldc).op("call", call);
  };
  const ordered = ([pa, pb, pc]: Pointers): Pointers => (gemm.turned ? [pb, pa, pc] : [pa, pb, pc]);
  const jobs = kernel.images
    ? byImage(f, target, kernel, part, gemm, (p, add) =>
        product(
          ordered(p),
          () => f.i32(gemm.rows),
          () => f.i32(gemm.columns),
          add,
        ),
      )
    : byPiece(f, target, kernel, gemm, ordered, (p, rows, columns) => product(p, rows, columns, null));
  return { func: f, jobs, work: workOf(part) };
}

function advance(f: FuncBuilder, pointer: number, index: number, bytes: number): void {
  if (bytes !== 0) f.get(pointer).get(index).i32(bytes).op("i32.mul").op("i32.add").set(pointer);
}

const sizeOf = (axes: readonly Axis[]): number => axes.reduce((n, { size }) => n * size, 1);

function byImage(
  f: FuncBuilder,
  target: Target,
  kernel: ContractKernel,
  part: ContractPart,
  gemm: Gemm,
  product: (pointers: Pointers, add: number | null) => void,
): number {
  const { size, chunk, chunkStride } = kernel.images as NonNullable<ContractKernel["images"]>;
  const batch = (chunk > 0 ? part.k[0] : part.outer[0]) as Axis;
  const image = f.local("i32");
  const add = chunk > 0 ? f.local("i32") : null;
  const count = sizeOf(gemm.outer);
  f.get(LOW).set(image);
  f.loop((again) => {
    const starts = startPointers(f, target, kernel);
    const move = (pointer: number, buffer: Buffer, stride: number): void => {
      if (!target.scratch.has(buffer)) advance(f, pointer, image, 4 * stride);
    };
    move(starts[0], kernel.a, batch.a);
    move(starts[1], kernel.b, batch.b);
    if (add === null) move(starts[2], kernel.c, batch.c);
    else {
      const chunkIndex = f.local("i32");
      f.get(image).i32(chunk).op("i32.div_s").set(chunkIndex);
      advance(f, starts[2], chunkIndex, 4 * chunkStride);
      f.release(chunkIndex);
      f.get(image).i32(chunk).op("i32.rem_s").i32(0).op("i32.ne").set(add);
    }
    if (count === 1) product(starts, add);
    else {
      const [outer, index] = [f.local("i32"), f.local("i32")];
      f.i32(0).set(outer);
      f.loop((next) => {
        const pointers = starts.map((start) => {
          const pointer = f.local("i32");
          f.get(start).set(pointer);
          return pointer;
        }) as [number, number, number];
        f.get(outer).set(index);
        decode(f, index, gemm.outer, ...pointers);
        product(pointers, add);
        for (const pointer of pointers) f.release(pointer);
        f.get(outer).i32(1).op("i32.add").tee(outer).i32(count).op("i32.lt_s").brIf(next);
      });
      f.release(outer);
      f.release(index);
    }
    for (const pointer of starts) f.release(pointer);
    f.get(image).i32(1).op("i32.add").tee(image).get(HIGH).op("i32.lt_s").brIf(again);
  });
  return size;
}

function byPiece(
  f: FuncBuilder,
  target: Target,
  kernel: ContractKernel,
  gemm: Gemm,
  ordered: (pointers: Pointers) => Pointers,
  product: (pointers: Pointers, rows: () => void, columns: () => void) => void,
): number {
  const { left, right, ldc, rowCut, columnCut } = gemm;
  const pieces = rowCut.count * columnCut.count;
  const jobs = sizeOf(gemm.outer) * pieces;
  const job = f.local("i32");
  f.get(LOW).set(job);
  f.loop((again) => {
    const starts = startPointers(f, target, kernel);
    const index = f.local("i32");
    f.get(job).i32(pieces).op("i32.div_s").set(index);
    decode(f, index, gemm.outer, ...starts);
    f.release(index);
    const [l, r, c] = ordered(starts);
    /** Moves pointers to a piece of a side; gives what pushes its length. */
    const enter = (
      { count, size }: Cut,
      side: number,
      among: number,
      ...moved: readonly (readonly [number, number])[]
    ): (() => void) => {
      if (count === 1) return () => f.i32(side);
      const piece = f.local("i32");
      f.get(job).i32(pieces).op("i32.rem_s").i32(among).op("i32.div_s").i32(count).op("i32.rem_s").set(piece);
      for (const [pointer, step] of moved) advance(f, pointer, piece, 4 * size * step);
      const length = f.local("i32");
      f.i32(side - (count - 1) * size).i32(size);
      f.get(piece)
        .i32(count - 1)
        .op("i32.eq")
        .op("select")
        .set(length);
      f.release(piece);
      return () => {
        f.get(length);
        f.release(length);
      };
    };
    const rows = enter(rowCut, gemm.rows, columnCut.count, [l, left.transposed ? 1 : left.ld], [c, ldc]);
    const columns = enter(columnCut, gemm.columns, 1, [r, right.transposed ? right.ld : 1], [c, 1]);
    product([l, r, c], rows, columns);
    for (const pointer of starts) f.release(pointer);
    f.get(job).i32(1).op("i32.add").tee(job).get(HIGH).op("i32.lt_s").brIf(again);
  });
  return jobs;
}
