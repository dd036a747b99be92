import { leavesOf, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { cond } from "../trace/control.ts";
import {
  addDecay,
  biasCorrectionOf,
  type HyperSpecs,
  type OwnDecayOptions,
  oneMinus,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import { alongAxis, descendingOrder, eigh, orthonormalColumns, unfold } from "./linalg.ts";
import { momentHypers } from "./moments.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 3e-3, min: 0, text: "a, the learning rate" },
  beta1: { ...momentHypers.beta1, default: 0.95 },
  beta2: { ...momentHypers.beta2, default: 0.95 },
  shampooBeta: {
    type: "number",
    default: null,
    min: 0,
    below: 1,
    text: "decay of the preconditioners whose eigenvectors are the basis; by default beta2",
  },
  eps: momentHypers.eps,
  refreshEvery: { type: "number", default: 10, min: 1, integer: true, fixed: true, text: "steps between two bases" },
  maxDimension: {
    type: "number",
    default: 512,
    min: 1,
    integer: true,
    fixed: true,
    text: "the longest axis that has a basis; a longer one stays as it is",
  },
  normalize: { type: "flag", default: false, text: "steps of root mean square 1 before the rate" },
  biasCorrection: { type: "flag", default: true, text: "divide m and v by 1 - beta^t" },
  weightDecay: { type: "number", default: 0.01, min: 0, text: "lambda of decoupled weight decay, after the step" },
  noDecay: ownDecayHypers.noDecay,
} as const satisfies HyperSpecs;

export type SoapOptions = OwnDecayOptions & {
  /** Default 0.95. */
  readonly beta1?: Hyper;
  /** Default 0.95. */
  readonly beta2?: Hyper;
  /** Default: beta2. */
  readonly shampooBeta?: Hyper;
  /** Default 1e-8. */
  readonly eps?: Hyper;
  /** Default 10. */
  readonly refreshEvery?: number;
  /** Default 512 (the authors' code: 10000). */
  readonly maxDimension?: number;
  /** Default false. */
  readonly normalize?: boolean;
  /** Default true. */
  readonly biasCorrection?: boolean;
  /** lambda. Default 0.01. */
  readonly weightDecay?: Hyper;
};

/** By parameter and axis, f32[n, n]. */
type ByAxis = Readonly<Record<string, Readonly<Record<string, Tensor>>>>;

/** m as the weights are, v in the bases; the preconditioners, and their eigenvectors as rows. */
export type SoapState = {
  readonly m: TensorTree;
  readonly v: TensorTree;
  readonly covariances: ByAxis;
  readonly bases: ByAxis;
};

/** The axes of a parameter that have a basis: none of a vector's. */
const axesOf = ({ shape }: Tensor, maxDimension: number): readonly number[] =>
  shape.length < 2 ? [] : [...shape.keys()].filter((axis) => (shape[axis] as number) <= maxDimension);

type Bases = Readonly<Record<string, Tensor>>;

const rotate = (x: Tensor, bases: Bases): Tensor =>
  Object.entries(bases).reduce((y, [axis, basis]) => alongAxis(y, Number(axis), basis), x);
const rotateBack = (x: Tensor, bases: Bases): Tensor =>
  Object.entries(bases).reduce((y, [axis, basis]) => alongAxis(y, Number(axis), basis.transpose()), x);

const mapAxes = (record: Bases, f: (value: Tensor, axis: string) => Tensor): Bases =>
  Object.fromEntries(Object.entries(record).map(([axis, value]) => [axis, f(value, axis)]));

type Refreshed = { readonly bases: Bases; readonly v: Tensor };

/** The bases sorted by their directions' variances, v with them, and one step of power iteration. */
function refreshed({ bases, v }: Refreshed, covariances: Bases): Refreshed {
  let sorted = v;
  const next = mapAxes(bases, (basis, axis) => {
    const covariance = covariances[axis] as Tensor;
    const order = descendingOrder(basis.matmul(covariance).mul(basis).sum(1));
    sorted = sorted.gather(order, Number(axis));
    return orthonormalColumns(covariance.matmul(basis.gather(order).transpose())).transpose();
  });
  return { bases: next, v: sorted };
}

/**
 * SOAP, Adam in the eigenbasis of Shampoo's preconditioners: L = b L + (1 - b) g gᵀ, R = b R + (1 - b) gᵀ g with eigenvectors
 * Q_L and Q_R; g' = Q_Lᵀ g Q_R, m' = Q_Lᵀ m Q_R; v = b2 v + (1 - b2) g'²; x += -a c Q_L (m' / (sqrt(v) + eps)) Q_Rᵀ with
 * c = sqrt(1 - b2^t) / (1 - b1^t), t = 0 in the first step, which is not taken; x += -a lambda x.
 *
 * @param rate a, a number or a schedule. Default 3e-3.
 * @param options `beta1` 0.95, `beta2` 0.95, `eps` 1e-8, `refreshEvery` 10, `weightDecay` lambda 0.01, `normalize` false,
 * `biasCorrection` true, `shampooBeta` b left out (beta2): as the authors' code, whose `max_precond_dim` is 10000, here
 * `maxDimension` 512.
 *
 * The first step only makes the bases, in a time that grows with the cube of the axis (five seconds at 512); every
 * `refreshEvery` steps after it a step of power iteration and a QR decomposition turn them (a quarter of a second). Kernels have a
 * basis for each of their axes; vectors have none, for them this is AdamW, from the second step on. As in the authors' code eps
 * stands beside the uncorrected sqrt(v), and weight decay takes the weights from after the step. Gradients that are the same
 * twice, without noise, have entries in their basis that are rounding alone, of which an eps of 1e-8 makes steps: then take
 * 1e-3. torch.optim, optax and Keras have no SOAP.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", 2024.
 *
 * @example
 * optim.soap(3e-3, { weightDecay: 0 }).config.refreshEvery // -> 10
 */
export function soap(rate?: Hyper, options: SoapOptions = {}): Transform<SoapState> {
  const values = resolve("soap", hypers, rate, options);
  const { beta1, beta2, shampooBeta, refreshEvery, maxDimension, normalize, biasCorrection } = values;
  return transformOf<SoapState>(soapRule, values, {
    init(params) {
      const zeros: Record<string, Record<string, Tensor>> = {};
      for (const [path, x] of leavesOf<Tensor>(params)) {
        const axes = axesOf(x, maxDimension);
        const square = (axis: number): Tensor => x.full(0, [x.shape[axis] as number, x.shape[axis] as number]);
        if (axes.length > 0) zeros[path] = Object.fromEntries(axes.map((axis) => [axis, square(axis)]));
      }
      return { m: zerosLike(params), v: zerosLike(params), covariances: zeros, bases: zeros };
    },
    update(gradients, state, ctx) {
      const first = ctx.step.equal(0);
      const due = ctx.step.rem(refreshEvery).equal(0);
      const a = ctx.hyper("rate", values.rate);
      const eps = ctx.hyper("eps", values.eps);
      const b1 = ctx.hyper("beta1", beta1);
      const rest1 = ctx.hyper("beta1", beta1, oneMinus);
      const b2 = ctx.hyper("beta2", beta2);
      const rest2 = ctx.hyper("beta2", beta2, oneMinus);
      const [name, own] =
        shampooBeta === undefined ? (["beta2", beta2] as const) : (["shampooBeta", shampooBeta] as const);
      const kept = ctx.hyper(name, own);
      const fresh = ctx.hyper(name, own, oneMinus);
      // The first step, which does not count, has no correction; it is not taken either.
      const size = biasCorrection
        ? a.mul(biasCorrectionOf(ctx, "beta2", beta2, 0).sqrt()).div(biasCorrectionOf(ctx, "beta1", beta1, 0))
        : a;
      const down = first.select(size.zerosLike(), size.neg());

      const m = zipTrees<Tensor, Tensor>(
        (_, m, g) => first.select(m, m.mul(b1).add((g as Tensor).mul(rest1))),
        state.m,
        gradients,
      );
      const covariances: Record<string, Bases> = {};
      const bases: Record<string, Bases> = {};
      const means = new Map(leavesOf<Tensor>(m));
      const squares = new Map<string, Tensor>();
      const old = new Map(leavesOf<Tensor>(state.v));

      const step = (path: string, g: Tensor): Tensor => {
        const before = state.bases[path] ?? {};
        const decayed = (old.get(path) as Tensor).mul(b2).add(rotate(g, before).square().mul(rest2));
        const v = first.select(old.get(path) as Tensor, decayed);
        squares.set(path, v);
        const u = rotateBack(rotate(means.get(path) as Tensor, before).div(v.sqrt().add(eps)), before);
        if (state.bases[path] !== undefined) {
          const own = mapAxes(state.covariances[path] ?? {}, (covariance, axis) => {
            const matrix = unfold(g, Number(axis));
            return covariance.mul(kept).add(matrix.matmul(matrix.transpose()).mul(fresh));
          });
          const now: Refreshed = { bases: before, v };
          const next = cond(
            first,
            ({ v, own }) => ({ bases: mapAxes(own, (covariance) => eigh(covariance).vectors), v }),
            ({ bases, v, own }) =>
              cond(
                due,
                ({ bases, v, own }) => refreshed({ bases, v }, own),
                ({ bases, v }) => ({ bases, v }),
                { bases, v, own },
              ),
            { ...now, own },
          );
          covariances[path] = own;
          bases[path] = next.bases;
          squares.set(path, next.v);
        }
        const scaled = normalize ? u.div(u.square().mean().sqrt().add(1e-30)) : u;
        return first.select(scaled.zerosLike(), scaled.mul(down));
      };
      const steps = zipTrees<Tensor, Tensor>(step, gradients);
      const v = zipTrees<Tensor, Tensor>((path) => squares.get(path) as Tensor, state.v);

      const strength = first.select(a.zerosLike(), a.mul(ctx.hyper("weightDecay", values.weightDecay)).neg());
      const after = zipTrees<Tensor, Tensor>((_, x, u) => x.add(u as Tensor), ctx.params, steps);
      return [addDecay("soap", values.noDecay, steps, after, strength), { m, v, covariances, bases }];
    },
  });
}

export const soapRule: Rule = {
  name: "soap",
  role: "rule",
  equation: "x += -a Q_L Adam(Q_Lᵀ g Q_R) Q_Rᵀ, Q the eigenvectors of the means of g gᵀ and gᵀ g",
  source: "Vyas et al., 2024",
  hypers,
  create: soap as Rule["create"],
};
