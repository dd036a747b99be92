import type { Axis, Buffer, ContractKernel, ContractPart } from "../../compile/kernel.ts";
import type { FuncBuilder, ModuleBuilder } from "./asm/module.ts";
import { SCRATCH, type Target } from "./expression.ts";
import { HIGH, KERNEL_PARAMS, type KernelCode, LOW } from "./map.ts";

export type ContractOptions = {
  /** Fused multiply-add (relaxed SIMD): faster, other bits. */
  readonly fused: boolean;
};

/** Rows of a register tile by the vectors of its columns: 12 sums, 2 of b and one splat fill the 16 registers. */
const ROWS: Readonly<Record<number, number>> = { 2: 6, 1: 8, 0: 4 };
/** A slice of k this long keeps a panel of b in the first-level cache while all rows pass over it. */
const K_BLOCK = 384;
const UNROLL = 4;
const FULL_UNROLL = 40;
/** With at least this many outer indices threads share those; else they share columns too. */
const OUTER_JOBS = 8;

/** Columns of one tile: `vectors` x 4, or `columns` single ones. */
type Panel = { readonly start: number; readonly vectors: number; readonly columns: number };
type Row = { readonly a: number; readonly c: number };
/** Tiles along the rows: `count` times `rows`, each `stepA`, `stepC` after the one before. */
type RowRun = {
  readonly offsetA: number;
  readonly offsetC: number;
  readonly count: number;
  readonly stepA: number;
  readonly stepC: number;
  readonly rows: readonly Row[];
};

/** Axes that step evenly through both operands become one. */
function mergeAxes(axes: readonly Axis[]): Axis[] {
  const out: Axis[] = [];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const last = out.at(-1);
    if (last && last.a === axis.size * axis.a && last.b === axis.size * axis.b && last.c === axis.size * axis.c)
      out[out.length - 1] = { ...axis, size: last.size * axis.size };
    else out.push(axis);
  }
  return out;
}

function panelsOf(columns: number): Panel[] {
  const panels: Panel[] = [];
  let start = 0;
  for (; columns - start >= 8; start += 8) panels.push({ start, vectors: 2, columns: 8 });
  if (columns - start >= 4) {
    panels.push({ start, vectors: 1, columns: 4 });
    start += 4;
  }
  if (start < columns) panels.push({ start, vectors: 0, columns: columns - start });
  return panels;
}

/** Cuts the rows into tiles of at most `limit`, of nearly equal size; short inner axes are taken several at a time. */
function rowRuns(
  axes: readonly Axis[],
  limit: number,
): { readonly outer: readonly Axis[]; readonly runs: readonly RowRun[] } {
  const merged = mergeAxes(axes);
  const inner = merged.at(-1) ?? { size: 1, a: 0, b: 0, c: 0 };
  const next = merged.at(-2);
  const line = (start: number, count: number): Row[] =>
    Array.from({ length: count }, (_, i) => ({ a: (start + i) * inner.a, c: (start + i) * inner.c }));
  if (next && inner.size * 2 <= limit) {
    const together = Math.floor(limit / inner.size);
    const block = (count: number): Row[] =>
      Array.from({ length: count }, (_, i) =>
        line(0, inner.size).map((r) => ({ a: r.a + i * next.a, c: r.c + i * next.c })),
      ).flat();
    const runs = cut(next.size, together).map(({ start, count, size }) => ({
      offsetA: start * next.a,
      offsetC: start * next.c,
      count,
      stepA: size * next.a,
      stepC: size * next.c,
      rows: block(size),
    }));
    return { outer: merged.slice(0, -2), runs };
  }
  const runs = cut(inner.size, limit).map(({ start, count, size }) => ({
    offsetA: start * inner.a,
    offsetC: start * inner.c,
    count,
    stepA: size * inner.a,
    stepC: size * inner.c,
    rows: line(0, size),
  }));
  return { outer: merged.slice(0, -1), runs };
}

/** `size` as runs of equal pieces of at most `limit` that differ by one at most. */
function cut(size: number, limit: number): { start: number; count: number; size: number }[] {
  const pieces = Math.ceil(size / limit);
  const small = Math.floor(size / pieces);
  const large = size - small * pieces;
  const runs = [];
  if (large > 0) runs.push({ start: 0, count: large, size: small + 1 });
  if (pieces > large) runs.push({ start: large * (small + 1), count: pieces - large, size: small });
  return runs;
}

/** k axes in two parts: those run outside the tiles, adding into c, and those summed in registers. */
function splitK(k: readonly Axis[]): { readonly outside: readonly Axis[]; readonly inside: readonly Axis[] } {
  const merged = mergeAxes(k);
  const [first, ...rest] = merged;
  if (first && rest.length === 0 && first.size > K_BLOCK) {
    for (let blocks = Math.ceil(first.size / K_BLOCK); blocks <= 64; blocks++)
      if (first.size % blocks === 0) {
        const size = first.size / blocks;
        return {
          outside: [{ size: blocks, a: size * first.a, b: size * first.b, c: 0 }],
          inside: [{ ...first, size }],
        };
      }
  }
  // Many small pieces of k, as in a weight gradient over images: the outer ones add into c.
  if (merged.length >= 3) return { outside: merged.slice(0, -2), inside: merged.slice(-2) };
  return { outside: [], inside: merged };
}

export function emitContract(
  module: ModuleBuilder,
  target: Target,
  kernel: ContractKernel,
  options: ContractOptions,
): KernelCode[] {
  return kernel.parts.map((part, i) => {
    const name = `${kernel.name}${kernel.parts.length > 1 ? `.${i}` : ""}`.replace(/[^\w.+/-]+/g, "_");
    const f = module.func(name, KERNEL_PARAMS, []);
    return kernel.images
      ? emitByImage(f, target, kernel, kernel.images, part, options)
      : emitByTile(f, target, kernel, part, options);
  });
}

/** Pointers start at 0, or at this thread's scratch. */
function startPointers(f: FuncBuilder, target: Target, kernel: ContractKernel): readonly [number, number, number] {
  return [kernel.a, kernel.b, kernel.c].map((buffer) => {
    const local = f.local("i32");
    if (target.scratch.has(buffer)) f.get(SCRATCH).set(local);
    else f.i32(0).set(local);
    return local;
  }) as [number, number, number];
}

/** Jobs are images: all products of one, then of the next. */
function emitByImage(
  f: FuncBuilder,
  target: Target,
  kernel: ContractKernel,
  images: NonNullable<ContractKernel["images"]>,
  part: ContractPart,
  options: ContractOptions,
): KernelCode {
  const { chunk, chunkStride, size } = images;
  const [batch, ...outer] = chunk > 0 ? [part.k[0] as Axis, ...part.outer] : (part.outer as [Axis, ...Axis[]]);
  const { outside, inside } = splitK(chunk > 0 ? part.k.slice(1) : part.k);
  const writer = new PartWriter(f, target, kernel, part, inside, chunk > 0 ? [] : outside, options);
  const nested = chunk > 0 ? [...mergeAxes(outer), ...outside] : mergeAxes(outer);
  const panels = panelsOf(part.n.size);
  const image = f.local("i32");
  const first = chunk > 0 ? f.local("i32") : null;
  f.get(LOW).set(image);
  f.loop((again) => {
    const pointers = startPointers(f, target, kernel);
    const [pa, pb, pc] = pointers;
    const add = (pointer: number, buffer: Buffer, stride: number): void => {
      if (stride !== 0 && !target.scratch.has(buffer))
        f.get(pointer)
          .get(image)
          .i32(4 * stride)
          .op("i32.mul")
          .op("i32.add")
          .set(pointer);
    };
    add(pa, kernel.a, batch.a);
    add(pb, kernel.b, batch.b);
    if (first === null) add(pc, kernel.c, batch.c);
    else {
      f.get(pc)
        .get(image)
        .i32(chunk)
        .op("i32.div_s")
        .i32(4 * chunkStride)
        .op("i32.mul")
        .op("i32.add")
        .set(pc);
      f.get(image).i32(chunk).op("i32.rem_s").op("i32.eqz").set(first);
    }
    writer.under(nested, pointers, () => writer.allPanels(panels, pa, pb, pc, first));
    for (const pointer of pointers) f.release(pointer);
    f.get(image).i32(1).op("i32.add").tee(image).get(HIGH).op("i32.lt_s").brIf(again);
  });
  return { func: f, jobs: size, work: workOf(part) };
}

function workOf(part: ContractPart): number {
  const product = (axes: readonly Axis[]): number => axes.reduce((n, a) => n * a.size, 1);
  return (product(part.outer) * product(part.m) * product(part.k) * part.n.size) / 4;
}

/** Jobs are outer indices, or where those are few, outer indices times panels of columns. */
function emitByTile(
  f: FuncBuilder,
  target: Target,
  kernel: ContractKernel,
  part: ContractPart,
  options: ContractOptions,
): KernelCode {
  const { outside, inside } = splitK(part.k);
  const outerAxes = mergeAxes(part.outer);
  const outerCount = outerAxes.reduce((n, a) => n * a.size, 1);
  const panels = panelsOf(part.n.size);
  const byPanel = outerCount < OUTER_JOBS;
  const writer = new PartWriter(f, target, kernel, part, inside, outside, options);
  const jobs = byPanel ? outerCount * panels.length : outerCount;
  const job = f.local("i32");
  const index = f.local("i32");
  f.get(LOW).set(job);
  f.loop((again) => {
    const [pa, pb, pc] = startPointers(f, target, kernel);
    f.get(job);
    if (byPanel && panels.length > 1) f.i32(panels.length).op("i32.div_s");
    f.set(index);
    decode(f, index, outerAxes, pa, pb, pc);
    if (byPanel) {
      f.get(job).i32(panels.length).op("i32.rem_s").set(index);
      writer.onePanel(panels, index, pa, pb, pc);
    } else writer.allPanels(panels, pa, pb, pc, null);
    for (const pointer of [pa, pb, pc]) f.release(pointer);
    f.get(job).i32(1).op("i32.add").tee(job).get(HIGH).op("i32.lt_s").brIf(again);
  });
  return { func: f, jobs, work: workOf(part) };
}

/** Adds the offsets of a flat index over axes to the three pointers. */
function decode(f: FuncBuilder, index: number, axes: readonly Axis[], pa: number, pb: number, pc: number): void {
  for (let i = axes.length - 1; i >= 0; i--) {
    const axis = axes[i] as Axis;
    const add = (pointer: number, stride: number): void => {
      if (stride === 0) return;
      f.get(pointer).get(index);
      if (i > 0) f.i32(axis.size).op("i32.rem_s");
      f.i32(4 * stride)
        .op("i32.mul")
        .op("i32.add")
        .set(pointer);
    };
    add(pa, axis.a);
    add(pb, axis.b);
    add(pc, axis.c);
    if (i > 0) f.get(index).i32(axis.size).op("i32.div_s").set(index);
  }
}

class PartWriter {
  private readonly f: FuncBuilder;
  private readonly part: ContractPart;
  private readonly inside: readonly Axis[];
  private readonly added: readonly Axis[];
  private readonly fused: boolean;
  private readonly baseA: number;
  private readonly baseB: number;
  private readonly baseC: number;

  constructor(
    f: FuncBuilder,
    target: Target,
    kernel: ContractKernel,
    part: ContractPart,
    inside: readonly Axis[],
    added: readonly Axis[],
    options: ContractOptions,
  ) {
    this.f = f;
    this.part = part;
    this.inside = inside;
    this.added = added;
    this.fused = options.fused;
    this.baseA = target.address(kernel.a) + 4 * part.offsetA;
    this.baseB = target.address(kernel.b) + 4 * part.offsetB;
    this.baseC = target.address(kernel.c) + 4 * part.offsetC;
  }

  /** The panel whose number is in `index`: full ones share code. */
  onePanel(panels: readonly Panel[], index: number, pa: number, pb: number, pc: number): void {
    const { f } = this;
    const full = panels.filter((p) => p.vectors === 2).length;
    const wide = (): void => {
      f.get(pb)
        .get(index)
        .i32(32 * this.part.n.b)
        .op("i32.mul")
        .op("i32.add")
        .set(pb);
      f.get(pc)
        .get(index)
        .i32(32 * this.part.n.c)
        .op("i32.mul")
        .op("i32.add")
        .set(pc);
      this.panel(panels[0] as Panel, pa, pb, pc);
    };
    const rest = panels.slice(full);
    if (rest.length === 0) {
      wide();
      return;
    }
    const choose = (i: number): void => {
      const panel = rest[i] as Panel;
      const emit = (): void => {
        f.get(pb)
          .i32(4 * panel.start * this.part.n.b)
          .op("i32.add")
          .set(pb);
        f.get(pc)
          .i32(4 * panel.start * this.part.n.c)
          .op("i32.add")
          .set(pc);
        this.panel(panel, pa, pb, pc);
      };
      if (i + 1 === rest.length) emit();
      else
        f.get(index)
          .i32(full + i)
          .op("i32.eq")
          .if(emit, () => choose(i + 1));
    };
    if (full === 0) choose(0);
    else
      f.get(index)
        .i32(full)
        .op("i32.lt_s")
        .if(wide, () => choose(0));
  }

  /** Nested loops over axes around a body. */
  under(axes: readonly Axis[], [pa, pb, pc]: readonly [number, number, number], body: () => void): void {
    this.nest(
      axes,
      [
        { local: pa, stride: (a) => a.a },
        { local: pb, stride: (a) => a.b },
        { local: pc, stride: (a) => a.c },
      ],
      body,
    );
  }

  /** `start` is a local that is 1 where c begins at 0 and 0 where it is added to; null: c begins at 0. */
  allPanels(panels: readonly Panel[], pa: number, pb: number, pc: number, start: number | null): void {
    const { f } = this;
    // Outside: slices of k add into c, panel by panel inside each, so that a slice of a stays in cache.
    this.repeat(this.added, pa, pb, pc, (round) => {
      const first = round ?? start;
      const full = panels.filter((p) => p.vectors === 2);
      const [b, c] = [f.local("i32"), f.local("i32")];
      f.get(pb).set(b);
      f.get(pc).set(c);
      const advance = (columns: number): void => {
        f.get(b)
          .i32(4 * columns * this.part.n.b)
          .op("i32.add")
          .set(b);
        f.get(c)
          .i32(4 * columns * this.part.n.c)
          .op("i32.add")
          .set(c);
      };
      if (full.length > 0) {
        const count = f.local("i32");
        f.i32(full.length).set(count);
        f.loop((again) => {
          this.rows(full[0] as Panel, pa, b, c, first);
          advance(8);
          f.get(count).i32(1).op("i32.sub").tee(count).brIf(again);
        });
        f.release(count);
      }
      for (const panel of panels.slice(full.length)) {
        this.rows(panel, pa, b, c, first);
        advance(panel.columns);
      }
      f.release(b);
      f.release(c);
    });
  }

  private panel(panel: Panel, pa: number, pb: number, pc: number): void {
    this.repeat(this.added, pa, pb, pc, (first) => this.rows(panel, pa, pb, pc, first));
  }

  /** Runs over axes by moving the pointers; `first` is a local that is 1 in the first round, or null where there is one round. */
  private repeat(
    axes: readonly Axis[],
    pa: number,
    pb: number,
    pc: number,
    body: (first: number | null) => void,
  ): void {
    const { f } = this;
    if (axes.length === 0) {
      body(null);
      return;
    }
    const first = f.local("i32");
    f.i32(1).set(first);
    this.nest(
      axes,
      [
        { local: pa, stride: (a) => a.a },
        { local: pb, stride: (a) => a.b },
        { local: pc, stride: (a) => a.c },
      ],
      () => {
        body(first);
        f.i32(0).set(first);
      },
    );
    f.release(first);
  }

  /** Nested loops that leave the pointers as they found them. */
  private nest(
    axes: readonly Axis[],
    pointers: readonly { readonly local: number; readonly stride: (axis: Axis) => number }[],
    body: () => void,
  ): void {
    const { f } = this;
    const [axis, ...rest] = axes;
    if (!axis) {
      body();
      return;
    }
    const count = f.local("i32");
    f.i32(axis.size).set(count);
    const move = (times: number): void => {
      for (const { local, stride } of pointers)
        if (stride(axis) !== 0)
          f.get(local)
            .i32(4 * times * stride(axis))
            .op("i32.add")
            .set(local);
    };
    f.loop((again) => {
      this.nest(rest, pointers, body);
      move(1);
      f.get(count).i32(1).op("i32.sub").tee(count).brIf(again);
    });
    move(-axis.size);
    f.release(count);
  }

  /** All rows of one panel. */
  private rows(panel: Panel, pa: number, pb: number, pc: number, first: number | null): void {
    const { f } = this;
    const { outer, runs } = rowRuns(this.part.m, ROWS[panel.vectors] as number);
    const [a, c] = [f.local("i32"), f.local("i32")];
    f.get(pa).set(a);
    f.get(pc).set(c);
    this.nest(
      outer,
      [
        { local: a, stride: (x) => x.a },
        { local: c, stride: (x) => x.c },
      ],
      () => {
        for (const run of runs) {
          const [ra, rc] = [f.local("i32"), f.local("i32")];
          f.get(a)
            .i32(4 * run.offsetA)
            .op("i32.add")
            .set(ra);
          f.get(c)
            .i32(4 * run.offsetC)
            .op("i32.add")
            .set(rc);
          const axis: Axis = { size: run.count, a: run.stepA, b: 0, c: run.stepC };
          this.nest(
            run.count > 1 ? [axis] : [],
            [
              { local: ra, stride: (x) => x.a },
              { local: rc, stride: (x) => x.c },
            ],
            () => this.tile(run.rows, panel, ra, pb, rc, first),
          );
          f.release(ra);
          f.release(rc);
        }
      },
    );
    f.release(a);
    f.release(c);
  }

  private tile(rows: readonly Row[], panel: Panel, pa: number, pb: number, pc: number, first: number | null): void {
    const { f } = this;
    const scalar = panel.vectors === 0;
    const width = scalar ? panel.columns : panel.vectors;
    const sums = rows.map(() => Array.from({ length: width }, () => f.local(scalar ? "f32" : "v128")));
    const each = (emit: (sum: number, row: Row, column: number) => void): void => {
      rows.forEach((row, r) => {
        (sums[r] as number[]).forEach((sum, column) => {
          emit(sum, row, column);
        });
      });
    };
    const zero = (): void => each((sum) => (scalar ? f.f32(0) : f.f32x4Splat(0)).set(sum));
    const load = (): void => each((sum, row, column) => this.loadC(pc, row, column, scalar).set(sum));
    if (first === null) zero();
    else f.get(first).if(zero, load);

    const [a, b] = [f.local("i32"), f.local("i32")];
    f.get(pa).set(a);
    f.get(pb).set(b);
    this.sumOver(this.inside, a, b, 0, 0, rows, sums, scalar);
    f.release(a);
    f.release(b);
    // Adjacent stores with no load between them: V8's revectoriser joins such pairs.
    each((sum, row, column) => this.storeC(pc, row, column, sum, scalar));
    for (const list of sums) for (const sum of list) f.release(sum);
  }

  private addressC(row: Row, column: number, scalar: boolean): number {
    return this.baseC + 4 * (row.c + column * (scalar ? 1 : 4) * this.part.n.c);
  }

  private loadC(pc: number, row: Row, column: number, scalar: boolean): FuncBuilder {
    const { f } = this;
    const at = this.addressC(row, column, scalar);
    if (scalar) return f.get(pc).op("f32.load", at);
    if (this.part.n.c === 1) return f.get(pc).op("v128.load", at, 4);
    f.get(pc).op("v128.load32_zero", at, 4);
    const vector = f.local("v128");
    f.set(vector);
    for (let i = 1; i < 4; i++)
      f.get(pc)
        .get(vector)
        .op("v128.load32_lane", at + 4 * i * this.part.n.c, i, 4)
        .set(vector);
    f.get(vector);
    f.release(vector);
    return f;
  }

  private storeC(pc: number, row: Row, column: number, sum: number, scalar: boolean): void {
    const { f } = this;
    const at = this.addressC(row, column, scalar);
    if (scalar) f.get(pc).get(sum).op("f32.store", at);
    else if (this.part.n.c === 1) f.get(pc).get(sum).op("v128.store", at, 4);
    else
      for (let i = 0; i < 4; i++)
        f.get(pc)
          .get(sum)
          .op("v128.store32_lane", at + 4 * i * this.part.n.c, i, 4);
  }

  /** The sum over k: unrolled where short, else a loop with four steps in a round. */
  private sumOver(
    axes: readonly Axis[],
    a: number,
    b: number,
    offsetA: number,
    offsetB: number,
    rows: readonly Row[],
    sums: readonly (readonly number[])[],
    scalar: boolean,
  ): void {
    const { f } = this;
    const [axis, ...rest] = axes;
    if (!axis) {
      this.step(a, b, offsetA, offsetB, rows, sums, scalar);
      return;
    }
    const total = axes.reduce((n, x) => n * x.size, 1);
    const at = (i: number): void =>
      this.sumOver(rest, a, b, offsetA + 4 * i * axis.a, offsetB + 4 * i * axis.b, rows, sums, scalar);
    if (total <= FULL_UNROLL / (scalar ? 2 : 1)) {
      for (let i = 0; i < axis.size; i++) at(i);
      return;
    }
    const inner = rest.length === 0;
    const unroll = inner ? UNROLL : 1;
    const rounds = Math.floor(axis.size / unroll);
    const left = axis.size - rounds * unroll;
    const move = (steps: number): void => {
      f.get(a)
        .i32(4 * steps * axis.a)
        .op("i32.add")
        .set(a);
      f.get(b)
        .i32(4 * steps * axis.b)
        .op("i32.add")
        .set(b);
    };
    if (rounds > 0) {
      const count = f.local("i32");
      f.i32(rounds).set(count);
      f.loop((again) => {
        for (let i = 0; i < unroll; i++) at(i);
        move(unroll);
        f.get(count).i32(1).op("i32.sub").tee(count).brIf(again);
      });
      f.release(count);
    }
    for (let i = 0; i < left; i++) at(i);
    if (rounds > 0) move(-rounds * unroll);
  }

  /** One k: b's vectors first, then for each row a splat of a and its products; this order is the schedule, V8 keeps it. */
  private step(
    a: number,
    b: number,
    offsetA: number,
    offsetB: number,
    rows: readonly Row[],
    sums: readonly (readonly number[])[],
    scalar: boolean,
  ): void {
    const { f } = this;
    const width = (sums[0] as readonly number[]).length;
    const columns = Array.from({ length: width }, () => f.local(scalar ? "f32" : "v128"));
    columns.forEach((local, i) => {
      const at = this.baseB + offsetB + 4 * i * (scalar ? this.part.n.b : 4);
      f.get(b)
        .op(scalar ? "f32.load" : "v128.load", at, 4)
        .set(local);
    });
    const splat = f.local(scalar ? "f32" : "v128");
    rows.forEach((row, r) => {
      f.get(a)
        .op(scalar ? "f32.load" : "v128.load32_splat", this.baseA + offsetA + 4 * row.a)
        .set(splat);
      (sums[r] as readonly number[]).forEach((sum, i) => {
        const column = columns[i] as number;
        if (scalar) f.get(sum).get(splat).get(column).op("f32.mul").op("f32.add").set(sum);
        else if (this.fused) f.get(splat).get(column).get(sum).op("f32x4.relaxed_madd").set(sum);
        else f.get(splat).get(column).op("f32x4.mul").get(sum).op("f32x4.add").set(sum);
      });
    });
    f.release(splat);
    for (const local of columns) f.release(local);
  }
}
