import type { PackKernel } from "../../compile/kernel.ts";
import type { FuncBuilder, ModuleBuilder } from "./asm/module.ts";
import { HIGH, type KernelCode, kernelFunction, LOW, type Target } from "./kernel-code.ts";

/** Rows of k that are copied for all panels before the next: whole cache lines are written while those read stay in cache. */
const BLOCK = 16;

/** i8x16.shuffle's bytes for four 32-bit lanes of two vectors. */
const lanes = (...of: readonly number[]): number[] => of.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte));
const LOW_PAIRS = lanes(0, 4, 1, 5);
const HIGH_PAIRS = lanes(2, 6, 3, 7);
const LOW_HALVES = lanes(0, 1, 4, 5);
const HIGH_HALVES = lanes(2, 3, 6, 7);

export function emitPack(module: ModuleBuilder, target: Target, kernel: PackKernel): KernelCode {
  const f = kernelFunction(module, kernel.name);
  const { source, width } = kernel;
  const rank = source.shape.length;
  const [depth, columns] = [source.shape[rank - 2] as number, source.shape[rank - 1] as number];
  const [stepK, stepX] = [source.strides[rank - 2] as number, source.strides[rank - 1] as number];
  const panels = Math.ceil(columns / width);
  const rest = columns % width;
  const alongK = stepK === 1 && stepX !== 1;
  const pieces = alongK ? panels : Math.ceil(depth / BLOCK);
  const outer = source.shape.slice(0, -2);
  const count = outer.reduce((a, b) => a * b, 1);
  const writer = new PackWriter(f, {
    from: target.address(source.buffer) + 4 * source.offset,
    to: target.address(kernel.target) + 4 * kernel.target.layout.offset,
    stepK,
    stepX,
    width,
    depth,
  });

  const [job, index, piece, source4, target4] = Array.from({ length: 5 }, () => f.local("i32")) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const advance = (pointer: number, by: number, elements: number): void => {
    f.get(pointer)
      .get(by)
      .i32(4 * elements)
      .op("i32.mul")
      .op("i32.add")
      .set(pointer);
  };
  f.get(LOW).set(job);
  f.loop((again) => {
    f.get(job).i32(pieces).op("i32.rem_s").set(piece);
    f.get(job).i32(pieces).op("i32.div_s").set(index);
    const moving = target.moving.get(source.buffer);
    if (moving === undefined) f.i32(0);
    else f.op("global.get", moving);
    f.set(source4).i32(0).set(target4);
    if (count > 1) advance(target4, index, panels * depth * width);
    const digit = f.local("i32");
    for (let i = outer.length - 1; i >= 0; i--) {
      if (outer[i] === 1) continue;
      f.get(index)
        .i32(outer[i] as number)
        .op("i32.rem_s")
        .set(digit);
      f.get(index)
        .i32(outer[i] as number)
        .op("i32.div_s")
        .set(index);
      advance(source4, digit, source.strides[i] as number);
    }
    f.release(digit);
    const last = (full: () => void, left: (() => void) | null): void => {
      if (left === null) full();
      else if (pieces === 1) left();
      else
        f.get(piece)
          .i32(pieces - 1)
          .op("i32.eq")
          .if(left, full);
    };
    if (alongK) {
      advance(source4, piece, width * stepX);
      advance(target4, piece, depth * width);
      last(
        () => writer.panelAlongK(source4, target4, width),
        rest === 0 ? null : () => writer.panelAlongK(source4, target4, rest),
      );
    } else {
      advance(source4, piece, BLOCK * stepK);
      advance(target4, piece, BLOCK * width);
      const block = (rows: number): void => writer.rows(source4, target4, rows, columns);
      last(() => block(BLOCK), depth % BLOCK === 0 ? null : () => block(depth % BLOCK));
    }
    f.get(job).i32(1).op("i32.add").tee(job).get(HIGH).op("i32.lt_s").brIf(again);
  });
  return { func: f, jobs: count * pieces, work: (count * depth * columns) / 2 };
}

class PackWriter {
  private readonly f: FuncBuilder;
  private readonly at: {
    /** Byte addresses of the first element. */
    readonly from: number;
    readonly to: number;
    /** In elements. */
    readonly stepK: number;
    readonly stepX: number;
    readonly width: number;
    readonly depth: number;
  };

  constructor(f: FuncBuilder, at: PackWriter["at"]) {
    this.f = f;
    this.at = at;
  }

  /** Some rows of k, of all panels. */
  rows(source: number, target: number, rows: number, columns: number): void {
    const { f } = this;
    const { stepK, stepX, width, depth } = this.at;
    const some = (size: number): void => {
      for (let row = 0; row < rows; row++) this.row(source, target, 4 * row * stepK, 4 * row * width, size);
    };
    const full = Math.floor(columns / width);
    const count = f.local("i32");
    if (full > 0) {
      f.i32(full).set(count);
      f.loop((again) => {
        some(width);
        f.get(source)
          .i32(4 * width * stepX)
          .op("i32.add")
          .set(source);
        f.get(target)
          .i32(4 * depth * width)
          .op("i32.add")
          .set(target);
        f.get(count).i32(1).op("i32.sub").tee(count).brIf(again);
      });
    }
    f.release(count);
    if (columns % width > 0) some(columns % width);
  }

  private row(source: number, target: number, from: number, to: number, size: number): void {
    const { f } = this;
    const { stepX } = this.at;
    const read = this.at.from + from;
    const write = this.at.to + to;
    const whole = stepX === 1 ? Math.floor(size / 4) : 0;
    const vectors = Array.from({ length: whole }, (_, i) => {
      const vector = f.local("v128");
      f.get(source)
        .op("v128.load", read + 16 * i, 4)
        .set(vector);
      return vector;
    });
    // Side by side, for V8's revectoriser.
    vectors.forEach((vector, i) => {
      f.get(target)
        .get(vector)
        .op("v128.store", write + 16 * i, 4);
    });
    for (const vector of vectors) f.release(vector);
    let x = 4 * whole;
    if (stepX === 1 && size - x >= 2) {
      f.get(target)
        .get(source)
        .op("i64.load", read + 4 * x, 4)
        .op("i64.store", write + 4 * x, 4);
      x += 2;
    }
    for (; x < size; x++)
      f.get(target)
        .get(source)
        .op("f32.load", read + 4 * x * stepX)
        .op("f32.store", write + 4 * x);
  }

  /** One panel of `size` rows that are contiguous along k: turned four by four. */
  panelAlongK(source: number, target: number, size: number): void {
    const { f } = this;
    const { stepX, width, depth, from, to } = this.at;
    const rounds = Math.floor(depth / 4);
    for (let row = 0; rounds > 0 && row < size; row += 4) {
      const group = Math.min(4, size - row);
      const [s, t, count] = [f.local("i32"), f.local("i32"), f.local("i32")];
      f.get(source).set(s).get(target).set(t).i32(rounds).set(count);
      f.loop((again) => {
        this.turn(s, t, from + 4 * row * stepX, to + 4 * row, group);
        f.get(s).i32(16).op("i32.add").set(s);
        f.get(t)
          .i32(16 * width)
          .op("i32.add")
          .set(t);
        f.get(count).i32(1).op("i32.sub").tee(count).brIf(again);
      });
      for (const local of [s, t, count]) f.release(local);
    }
    for (let k = 4 * rounds; k < depth; k++)
      for (let row = 0; row < size; row++)
        f.get(target)
          .get(source)
          .op("f32.load", from + 4 * (row * stepX + k))
          .op("f32.store", to + 4 * (k * width + row));
  }

  /** Four steps of k of up to four rows. */
  private turn(source: number, target: number, read: number, write: number, rows: number): void {
    const { f } = this;
    const { stepX, width } = this.at;
    const row = Array.from({ length: rows }, (_, r) => {
      const vector = f.local("v128");
      f.get(source)
        .op("v128.load", read + 4 * r * stepX, 4)
        .set(vector);
      return vector;
    });
    const step = 4 * width;
    const mix = (a: number, b: number, order: readonly number[]): number => {
      const vector = f.local("v128");
      f.get(a)
        .get(b)
        .op("i8x16.shuffle", ...order)
        .set(vector);
      return vector;
    };
    const [a, b, c, d] = row as [number, number, number, number];
    const held: number[] = [...row];
    if (rows >= 2) {
      const pairs = [mix(a, b, LOW_PAIRS), mix(a, b, HIGH_PAIRS)] as const;
      held.push(...pairs);
      if (rows === 4) {
        const others = [mix(c, d, LOW_PAIRS), mix(c, d, HIGH_PAIRS)] as const;
        held.push(...others);
        for (const half of [0, 1] as const)
          for (const [i, order] of [LOW_HALVES, HIGH_HALVES].entries())
            f.get(target)
              .get(pairs[half])
              .get(others[half])
              .op("i8x16.shuffle", ...order)
              .op("v128.store", write + (2 * half + i) * step, 4);
      } else
        for (let k = 0; k < 4; k++)
          f.get(target)
            .get(pairs[k < 2 ? 0 : 1])
            .op("v128.store64_lane", write + k * step, k % 2, 4);
    }
    if (rows % 2 === 1)
      for (let k = 0; k < 4; k++)
        f.get(target)
          .get(row[rows - 1] as number)
          .op("v128.store32_lane", write + k * step + 4 * (rows - 1), k, 4);
    for (const vector of held) f.release(vector);
  }
}
