import { leavesOf, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { cond } from "../trace/control.ts";
import {
  type DecayOptions,
  decayHypers,
  type HyperSpecs,
  oneMinus,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { alongAxis, identityLike, inverseRoot, unfold } from "./linalg.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 0.1, min: 0, text: "a, the learning rate" },
  eps: {
    type: "number",
    default: 1e-4,
    above: 0,
    fixed: true,
    text: "where the preconditioners start from, times the identity",
  },
  momentum: {
    type: "number",
    default: null,
    min: 0,
    below: 1,
    text: "mu of a momentum of the preconditioned gradients",
  },
  beta2: {
    type: "number",
    default: null,
    min: 0,
    below: 1,
    text: "decay of the preconditioners, which are means then instead of sums",
  },
  refreshEvery: { type: "number", default: 10, min: 1, integer: true, fixed: true, text: "steps between two roots" },
  maxDimension: {
    type: "number",
    default: 256,
    min: 1,
    integer: true,
    fixed: true,
    text: "the longest axis with a full preconditioner; of a longer one the diagonal is kept",
  },
  ...decayHypers,
} as const satisfies HyperSpecs;

export type ShampooOptions = DecayOptions & {
  /** Default 1e-4. */
  readonly eps?: number;
  /** mu. Left out by default. */
  readonly momentum?: Hyper;
  /** Left out by default: sums. */
  readonly beta2?: Hyper;
  /** Default 10. */
  readonly refreshEvery?: number;
  /** Default 256. */
  readonly maxDimension?: number;
};

/** By parameter and axis. */
type ByAxis = Readonly<Record<string, Readonly<Record<string, Tensor>>>>;

/** The preconditioners H, f32[n, n] or their diagonals f32[n]; the roots of the full ones; the momentum where there is one. */
export type ShampooState = { readonly h: ByAxis; readonly roots: ByAxis; readonly m?: TensorTree };

const asVector = (x: Tensor): Tensor => (x.rank === 0 ? x.reshape([1]) : x);

/** Which axes of a parameter have a full preconditioner: none of a vector's. */
function isFull(x: Tensor, axis: number, maxDimension: number): boolean {
  return x.rank > 1 && (x.shape[axis] as number) <= maxDimension;
}

const axesOf = (x: Tensor): readonly number[] => [...asVector(x).shape.keys()];

/** A vector along one axis of a tensor. */
function placed(vector: Tensor, x: Tensor, axis: number): Tensor {
  return vector.reshape(x.shape.map((size, i) => (i === axis ? size : 1)));
}

/**
 * Shampoo: H_i += G_i G_iᵀ for each axis i, G_i the gradient as a matrix of that axis and all others; x += -a times g with each
 * axis i multiplied by H_i^(-1 / 2k), k the number of axes. For a matrix: L += g gᵀ; R += gᵀ g; x += -a L^(-1/4) g R^(-1/4).
 *
 * @param rate a, a number or a schedule. Default 0.1.
 * @param options `eps` 1e-4, `refreshEvery` 10, `maxDimension` 256; `momentum`, `beta2` and `weightDecay` left out.
 *
 * H_i start from eps times the identity. Of a vector, and of an axis longer than `maxDimension`, H is its diagonal: a vector's
 * rule is Adagrad's, g / sqrt(eps + sum of g²). Roots are computed anew every `refreshEvery` steps only (1: the paper's
 * algorithm), in a time that grows with the cube of the axis: a third of a second at 256, five at 512. With `momentum`
 * m = mu m + (the preconditioned g), x += -a m; with `beta2` H = b2 H + (1 - b2) G Gᵀ, no eigenvalue of which counts as less
 * than eps. torch.optim, optax and Keras have no Shampoo.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Gupta, Koren and Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", 2018.
 *
 * @example
 * optim.shampoo(0.1, { refreshEvery: 20 }).config // -> { name: "shampoo", rate: 0.1, eps: 1e-4, refreshEvery: 20, maxDimension: 256 }
 */
export function shampoo(rate?: Hyper, options: ShampooOptions = {}): Transform<ShampooState> {
  const values = resolve("shampoo", hypers, rate, options);
  const { eps, momentum, beta2, refreshEvery, maxDimension } = values;

  const accumulated = (ctx: UpdateContext): ((h: Tensor, value: Tensor) => Tensor) => {
    if (beta2 === undefined) return (h, value) => h.add(value);
    const b2 = ctx.hyper("beta2", beta2);
    const rest = ctx.hyper("beta2", beta2, oneMinus);
    return (h, value) => h.mul(b2).add(value.mul(rest));
  };

  return transformOf<ShampooState>(shampooRule, values, {
    init(params) {
      const h: Record<string, Record<string, Tensor>> = {};
      const roots: Record<string, Record<string, Tensor>> = {};
      for (const [path, x] of leavesOf<Tensor>(params)) {
        const own: Record<string, Tensor> = {};
        const ownRoots: Record<string, Tensor> = {};
        for (const axis of axesOf(x)) {
          const size = asVector(x).shape[axis] as number;
          if (isFull(x, axis, maxDimension)) {
            own[axis] = identityLike(x, size).mul(eps);
            ownRoots[axis] = x.full(0, [size, size]);
          } else own[axis] = x.full(eps, [size]);
        }
        h[path] = own;
        if (Object.keys(ownRoots).length > 0) roots[path] = ownRoots;
      }
      return { h, roots, ...(momentum !== undefined && { m: zerosLike(params) }) };
    },
    update(gradients, state, ctx) {
      const due = ctx.step.rem(refreshEvery).equal(0);
      const add = accumulated(ctx);
      const h: Record<string, Record<string, Tensor>> = {};
      const roots: Record<string, Record<string, Tensor>> = {};

      const preconditioned = (path: string, gradient: Tensor): Tensor => {
        const g = asVector(gradient);
        const power = 2 * g.rank;
        const own: Record<string, Tensor> = {};
        const ownRoots: Record<string, Tensor> = {};
        let u = g;
        for (const axis of axesOf(g)) {
          const old = state.h[path]?.[axis] as Tensor;
          const matrix = unfold(g, axis);
          if (!isFull(g, axis, maxDimension)) {
            const diagonal = add(old, matrix.square().sum(1));
            own[axis] = diagonal;
            u = u.mul(
              placed(
                diagonal
                  .maximum(eps)
                  .log()
                  .mul(-1 / power)
                  .exp(),
                g,
                axis,
              ),
            );
            continue;
          }
          const full = add(old, matrix.matmul(matrix.transpose()));
          const root = cond(
            due,
            ({ full }) => inverseRoot(full, power, full.full(eps)),
            ({ before }) => before,
            { full, before: state.roots[path]?.[axis] as Tensor },
          );
          own[axis] = full;
          ownRoots[axis] = root;
          u = alongAxis(u, axis, root);
        }
        h[path] = own;
        if (Object.keys(ownRoots).length > 0) roots[path] = ownRoots;
        return u.reshape(gradient.shape);
      };

      const down = ctx.hyper("rate", values.rate).neg();
      const directions = zipTrees<Tensor, Tensor>(preconditioned, gradients);
      if (momentum === undefined || state.m === undefined)
        return [zipTrees<Tensor, Tensor>((_, u) => u.mul(down), directions), { h, roots }];
      const mu = ctx.hyper("momentum", momentum);
      const m = zipTrees<Tensor, Tensor>((_, m, u) => m.mul(mu).add(u as Tensor), state.m, directions);
      return [zipTrees<Tensor, Tensor>((_, m) => m.mul(down), m), { h, roots, m }];
    },
  });
}

export const shampooRule: Rule = {
  name: "shampoo",
  role: "rule",
  equation: "L += g gᵀ; R += gᵀ g; x += -a L^(-1/4) g R^(-1/4); the same for each axis of a kernel, to its -1 / 2k",
  source: "Gupta, Koren and Singer, 2018",
  hypers,
  create: shampoo as Rule["create"],
};
