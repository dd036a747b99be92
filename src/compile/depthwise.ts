import { constantIndex, type Index, type Scalar, scaleIndex, shiftIndex } from "../ir/loops.ts";
import type { Equation } from "../ir/program.ts";
import type { View } from "./kernel.ts";
import { Expressions, flatten, type Lowering, orderedLoops } from "./lowering.ts";

type Four = readonly [number, number, number, number];
type Indices = readonly [Index, Index, Index, Index];

/** One filter for each channel: a product with one column, of which a register tile would use a fraction. */
export function isDepthwise(channels: number, outputs: number, groups: number): boolean {
  return groups > 1 && groups === channels && groups === outputs;
}

/** An output's rows or columns `start`, `start + stride`, ...: the taps that reach them, and what each tap reads. */
export type TapAxis = {
  readonly start: number;
  readonly count: number;
  readonly stride: number;
  readonly taps: readonly { readonly tap: number; readonly from: number; readonly step: number }[];
};

/**
 * out[n, c, h, w] = sum over taps of x[n, c, h', w'] weight[c, 0, tap, tap'], as an elementwise nest with the channels in its lanes and
 * the taps written out. `weight` is [C, 1, kh, kw]; x has the zeros around it that are read.
 */
export function lowerTaps(
  lowering: Lowering,
  eq: Equation,
  x: View,
  weight: View,
  out: View,
  rows: readonly TapAxis[],
  columns: readonly TapAxis[],
): void {
  const [n, c] = out.shape as Four;
  const some = (axes: readonly TapAxis[]): TapAxis[] => axes.filter(({ taps, count }) => taps.length > 0 && count > 0);
  const [high, wide] = [some(rows), some(columns)];
  if (high.length < rows.length || wide.length < columns.length)
    lowering.push({ kind: "fill", name: `zero ${out.buffer.name}`, phase: eq.phase, target: out.buffer });
  for (const row of high)
    for (const column of wide) {
      const expressions = new Expressions(lowering);
      const { loops: l } = expressions;
      const nest = orderedLoops(l, [n, c, row.count, column.count], out);
      const [image, channel, h, w] = nest.index as Indices;
      const products = row.taps.flatMap((v) =>
        column.taps.map((u): Scalar => {
          const at = [
            image,
            channel,
            shiftIndex(scaleIndex(h, v.step), v.from),
            shiftIndex(scaleIndex(w, u.step), u.from),
          ];
          const factor = expressions.read(weight, [
            channel,
            constantIndex(0),
            constantIndex(v.tap),
            constantIndex(u.tap),
          ]);
          return l.binary("mul", expressions.read(x, at), factor);
        }),
      );
      const place = [
        image,
        channel,
        shiftIndex(scaleIndex(h, row.stride), row.start),
        shiftIndex(scaleIndex(w, column.stride), column.start),
      ];
      lowering.push({
        kind: "map",
        name: `${eq.primitive} ${out.buffer.name}`,
        phase: eq.phase,
        loops: nest.loops,
        stores: [
          { view: out, index: flatten(out, place), value: products.reduce((sum, p) => l.binary("add", sum, p)) },
        ],
        operands: expressions.operands,
      });
    }
}

/** The output's rows or columns of a forward pass: all of them by all taps. */
export function forwardTaps(count: number, kernel: number, stride: number, dilation: number, pad: number): TapAxis {
  const taps = Array.from({ length: kernel }, (_, tap) => ({ tap, from: tap * dilation - pad, step: stride }));
  return { start: 0, count, stride: 1, taps };
}

/** Each tap of an input gradient reads the cotangent of the output position that it led to. */
export function backwardTaps(size: number, kernel: number, stride: number, dilation: number, pad: number): TapAxis[] {
  return Array.from({ length: Math.min(stride, size) }, (_, start) => ({
    start,
    count: Math.ceil((size - start) / stride),
    stride,
    taps: Array.from({ length: kernel }, (_, i) => kernel - 1 - i)
      .filter((tap) => (start + pad - tap * dilation) % stride === 0)
      .map((tap) => ({ tap, from: (start + pad - tap * dilation) / stride, step: 1 })),
  }));
}
