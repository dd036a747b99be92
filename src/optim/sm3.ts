import { leavesOf, mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type HyperSpecs, oneMinus, type Rule, resolve, transformOf, zerosLike } from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 0.1, min: 0, text: "a, the learning rate" },
  momentum: { type: "number", default: 0.9, min: 0, below: 1, text: "decay of m, the mean of the scaled gradients" },
  eps: { type: "number", default: 1e-8, min: 0, text: "keeps the division finite" },
} as const satisfies HyperSpecs;

export type Sm3Options = {
  /** Default 0.9. */
  readonly momentum?: Hyper;
  /** Default 1e-8. */
  readonly eps?: Hyper;
};

/** `covers`: for each parameter and each of its axes one number for every place along it. */
export type Sm3State = {
  readonly m: TensorTree;
  readonly covers: Readonly<Record<string, readonly Tensor[]>>;
};

/** A cover's numbers along their axis, against the others of the shape. */
const along = (cover: Tensor, axis: number, rank: number): Tensor =>
  cover.reshape(Array.from({ length: rank }, (_, i) => (i === axis ? (cover.shape[0] as number) : 1)));

/**
 * Memory-efficient Adagrad: c = g² + min over the axes of their covers; m = mu m + (1 - mu) g / sqrt(c + eps); x += -a m; each
 * axis's cover is then the largest c over the other axes.
 *
 * @param rate a, a number or a schedule. Default 0.1 (optax gives none).
 * @param options `momentum` mu 0.9, `eps` 1e-8.
 *
 * Besides m it keeps a row and a column of numbers for a matrix, not another matrix. As optax.sm3. Throws OptionError for a
 * value out of range.
 *
 * Source: Anil et al., "Memory-Efficient Adaptive Optimization", 2019.
 *
 * @example
 * optim.sm3(0.1).config // -> { name: "sm3", rate: 0.1, momentum: 0.9, eps: 1e-8 }
 */
export function sm3(rate?: Hyper, options: Sm3Options = {}): Transform<Sm3State> {
  const values = resolve("sm3", hypers, rate, options);
  return transformOf(sm3Rule, values, {
    init: (params) => ({
      m: zerosLike(params),
      covers: coversOf(zerosLike(params)),
    }),
    update(gradients, state, ctx) {
      const down = ctx.hyper("rate", values.rate).neg();
      const mu = ctx.hyper("momentum", values.momentum);
      const oneMinusMu = ctx.hyper("momentum", values.momentum, oneMinus);
      const eps = ctx.hyper("eps", values.eps);
      const sums = mapTree<Tensor, Tensor>(gradients, (g, path) => {
        const own = (state.covers[path] as readonly Tensor[]).map((cover, axis) => along(cover, axis, g.rank));
        return g.square().add(own.reduce((least, cover) => least.minimum(cover)));
      });
      const m = zipTrees(
        (_, m, g, c) => {
          // Where c and eps are 0, so is the gradient.
          const scaled = c.greater(0).select(g.div(c.add(eps).sqrt()), 0);
          return m.mul(mu).add(scaled.mul(oneMinusMu));
        },
        state.m,
        gradients,
        sums,
      );
      return [mapTree(m, (mean) => mean.mul(down)), { m, covers: coversOf(sums) }];
    },
  });
}

/** By path and axis: the largest value at each place along the axis. */
function coversOf(tree: TensorTree): Readonly<Record<string, readonly Tensor[]>> {
  const covers = (x: Tensor): Tensor[] => {
    if (x.rank < 2) return [x.reshape([x.rank === 0 ? 1 : (x.shape[0] as number)])];
    return x.shape.map((_, axis) => x.max(x.shape.flatMap((_, other) => (other === axis ? [] : [other]))));
  };
  return Object.fromEntries(leavesOf<Tensor>(tree).map(([path, x]) => [path, covers(x)]));
}

export const sm3Rule: Rule = {
  name: "sm3",
  role: "rule",
  equation:
    "c = g² + min over axes of covers; m = mu m + (1 - mu) g / sqrt(c + eps); x += -a m; covers = max of c over the other axes",
  source: "Anil et al., 2019",
  hypers,
  create: sm3 as Rule["create"],
};
