import { type Axis, type ContractKernel, type ContractPart, type PanelWidth, TILE_ROWS } from "../../compile/kernel.ts";
import type { GemmRule } from "../../compile/native-products.ts";
import type { FuncBuilder } from "./asm/module.ts";
import { type Panel, type Row, rowRuns } from "./contract-plan.ts";
import type { Target } from "./kernel-code.ts";

export type ContractOptions = {
  /** Fused multiply-add (relaxed SIMD): faster, other bits. */
  readonly fused: boolean;
  /** Products that a BLAS takes, and the index of the import that calls it. */
  readonly gemm?: { readonly rule: GemmRule; readonly call: number } | null;
};

/** Rows of a register tile by the vectors of its columns, for either width of panels. */
const ROWS: Readonly<Record<PanelWidth, Readonly<Record<number, number>>>> = {
  8: { 2: TILE_ROWS, 1: 8, 0: 4 },
  16: { 4: TILE_ROWS, 2: 2 * TILE_ROWS, 1: 8, 0: 4 },
};
const UNROLL = 4;
/** Longer straight runs take Node 20 twice as long as a loop. */
const FULL_UNROLL = 12;
/** Elements of b that stay in the first-level cache beside what else a tile touches. */
const NEAR_B = 4096;
/** Writes the loops over panels, rows and k of one part, down to the register tile. */
export class PartWriter {
  private readonly f: FuncBuilder;
  private readonly part: ContractPart;
  private readonly inside: readonly Axis[];
  private readonly added: readonly Axis[];
  private readonly fused: boolean;
  private readonly width: PanelWidth;
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
    this.width = kernel.panel;
    this.baseA = target.address(kernel.a) + 4 * part.offsetA;
    this.baseB = target.address(kernel.b) + 4 * part.offsetB;
    this.baseC = target.address(kernel.c) + 4 * part.offsetC;
  }

  /** From one column of b to the one `columns` on; both begin a panel, or lie in the same. */
  private offsetB(columns: number): number {
    const { n, panelB = this.width * n.b } = this.part;
    return Math.floor(columns / this.width) * panelB + (columns % this.width) * n.b;
  }

  /** The panel whose number is in `index`: full ones share code. */
  onePanel(panels: readonly Panel[], index: number, pa: number, pb: number, pc: number): void {
    const { f } = this;
    const full = panels.filter((p) => p.columns === this.width).length;
    const wide = (): void => {
      f.get(pb)
        .get(index)
        .i32(4 * this.offsetB(this.width))
        .op("i32.mul")
        .op("i32.add")
        .set(pb);
      f.get(pc)
        .get(index)
        .i32(4 * this.width * this.part.n.c)
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
          .i32(4 * this.offsetB(panel.start))
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
    const depth = this.inside.reduce((product, { size }) => product * size, 1);
    if (this.added.length === 0 && panels.length > 1 && depth * this.part.n.size <= NEAR_B) {
      this.rows(panels, pa, pb, pc, start);
      return;
    }
    // Outside: slices of k add into c, panel by panel inside each, so that a slice of a stays in cache.
    this.repeat(this.added, pa, pb, pc, (round) => {
      const first = round ?? start;
      this.throughPanels(panels, pb, pc, (panel, b, c) => this.rows([panel], pa, b, c, first));
    });
  }

  /** Calls `body` with each panel's pointers into b and c: full panels share code. */
  private throughPanels(
    panels: readonly Panel[],
    pb: number,
    pc: number,
    body: (panel: Panel, b: number, c: number) => void,
  ): void {
    const { f } = this;
    const full = panels.filter((p) => p.columns === this.width);
    const [b, c] = [f.local("i32"), f.local("i32")];
    f.get(pb).set(b);
    f.get(pc).set(c);
    const advance = (columns: number): void => {
      f.get(b)
        .i32(4 * this.offsetB(columns))
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
        body(full[0] as Panel, b, c);
        advance(this.width);
        f.get(count).i32(1).op("i32.sub").tee(count).brIf(again);
      });
      f.release(count);
    }
    for (const panel of panels.slice(full.length)) {
      body(panel, b, c);
      advance(panel.columns);
    }
    f.release(b);
    f.release(c);
  }

  private panel(panel: Panel, pa: number, pb: number, pc: number): void {
    this.repeat(this.added, pa, pb, pc, (first) => this.rows([panel], pa, pb, pc, first));
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

  /** All rows of some panels: of several, a tile's rows of each before the next rows, so that c is written in whole lines. */
  private rows(panels: readonly Panel[], pa: number, pb: number, pc: number, first: number | null): void {
    const { f } = this;
    const limit = Math.min(...panels.map(({ vectors }) => ROWS[this.width][vectors] as number));
    const { outer, runs } = rowRuns(this.part.m, limit);
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
            () => this.tiles(run.rows, panels, ra, pb, rc, first),
          );
          f.release(ra);
          f.release(rc);
        }
      },
    );
    f.release(a);
    f.release(c);
  }

  private tiles(
    rows: readonly Row[],
    panels: readonly Panel[],
    pa: number,
    pb: number,
    pc: number,
    first: number | null,
  ): void {
    const [panel] = panels as readonly [Panel];
    if (panels.length === 1) {
      this.tile(rows, panel, pa, pb, pc, first);
      return;
    }
    this.throughPanels(panels, pb, pc, (each, b, c) => this.tile(rows, each, pa, b, c, first));
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
