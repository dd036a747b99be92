import { leavesOf, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import {
  addDecay,
  type HyperSpecs,
  type OwnDecayOptions,
  oneMinus,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
  zerosLike,
} from "./hyper.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

const hypers = {
  rate: {
    type: "number",
    default: 1e-2,
    min: 0,
    like: { optax: 1, keras: 1e-3 },
    text: "a, the learning rate, in parts of the weights' root mean square",
  },
  beta2Decay: {
    type: "number",
    default: 0.8,
    min: 0,
    text: "p of 1 - t^-p, the decay of V, the mean of the squared gradients",
  },
  eps1: {
    type: "number",
    default: 2 ** -23,
    min: 0,
    like: { optax: 1e-30, keras: 1e-30 },
    text: "keeps the divisions by V finite",
  },
  eps2: { type: "number", default: 1e-3, min: 0, text: "root mean square that small weights count as" },
  clipThreshold: {
    type: "number",
    default: 1,
    above: 0,
    text: "d, the largest root mean square of a step before its rate",
  },
  relativeStep: {
    type: "flag",
    default: true,
    like: { optax: false },
    text: "no rate above 1 / sqrt(t)",
  },
  multiplyByParameterScale: { type: "flag", default: true, text: "steps in parts of the weights' root mean square" },
  factored: { type: "flag", default: true, text: "keep V of a matrix as the means of its rows and columns" },
  minDimSizeToFactor: {
    type: "number",
    default: 1,
    min: 1,
    integer: true,
    fixed: true,
    like: { optax: 128 },
    text: "the least size of both axes for that",
  },
  momentum: {
    type: "number",
    default: null,
    min: 0,
    below: 1,
    text: "decay of a mean of the steps, which is taken instead",
  },
  ...ownDecayHypers,
  like: {
    type: "choice",
    choices: ["pytorch", "optax", "keras"],
    default: "pytorch",
    text: "place of eps1, axes of a kernel, weight decay",
  },
} as const satisfies HyperSpecs;

type Likes = "pytorch" | "optax" | "keras";

export type AdafactorOptions = OwnDecayOptions & {
  /** p. Default 0.8 (PyTorch and Keras write -0.8). */
  readonly beta2Decay?: Hyper;
  /** Default 2^-23, f32's rounding, as PyTorch (like optax, Keras: 1e-30). */
  readonly eps1?: Hyper;
  /** Default 1e-3. */
  readonly eps2?: Hyper;
  /** d. Default 1. */
  readonly clipThreshold?: Hyper;
  /** Default true (like optax: false). */
  readonly relativeStep?: boolean;
  /** Default true. */
  readonly multiplyByParameterScale?: boolean;
  /** Default true. */
  readonly factored?: boolean;
  /** Default 1 (like optax: 128). */
  readonly minDimSizeToFactor?: number;
  /** Left out by default. */
  readonly momentum?: Hyper;
  /** Default "pytorch". */
  readonly like?: Likes;
};

/** By parameter: means of V over the second and the first of the factored axes, or V itself; the steps' mean where there is one. */
export type AdafactorState = {
  readonly rows: Readonly<Record<string, Tensor>>;
  readonly columns: Readonly<Record<string, Tensor>>;
  readonly v: Readonly<Record<string, Tensor>>;
  readonly m?: TensorTree;
};

type Axes = readonly [first: number, second: number];

/**
 * The two axes that V is factored by. A kernel [out, in, kh, kw] is [kh, kw, in, out] to optax, which takes the two largest, the
 * last of equals, and to Keras, which takes the last two.
 */
function factoredAxes(
  { shape }: Tensor,
  { like, factored, minDimSizeToFactor }: { like: Likes; factored: boolean; minDimSizeToFactor: number },
): Axes | undefined {
  if (!factored || shape.length < 2) return undefined;
  const theirs = [...shape.keys()].slice(2).concat(1, 0);
  const bySize = theirs.sort((i, j) => (shape[i] as number) - (shape[j] as number)).slice(-2);
  const choices = { pytorch: [shape.length - 2, shape.length - 1], optax: bySize, keras: [1, 0] };
  const [first, second] = choices[like] as unknown as Axes;
  const least = Math.min(shape[first] as number, shape[second] as number);
  return least < minDimSizeToFactor ? undefined : [first, second];
}

const meanOver = (x: Tensor, axis: number): Tensor => x.mean(axis, { keepDims: true });
const rms = (x: Tensor): Tensor => x.square().mean().sqrt();
const negated = (p: number): number => -p;

/**
 * Adafactor: V = b2 V + (1 - b2) g² with b2 = 1 - t^-0.8, of a matrix its rows' means r and columns' means c alone, V = r c / mean(r);
 * u = g / sqrt(V); x += -a lambda x - min(a, 1 / sqrt(t)) max(eps2, rms(x)) u / max(1, rms(u) / d).
 *
 * @param rate a, a number or a schedule. Default 0.01, as PyTorch (like Keras: 1e-3; like optax: 1, its `None`).
 * @param options `beta2Decay` 0.8, `eps1` 2^-23, `eps2` 1e-3, `clipThreshold` d 1, `relativeStep` true, `like` "pytorch",
 * `weightDecay` and `momentum` left out: as torch.optim.Adafactor.
 *
 * | like | eps1 | the rate | factored | decay |
 * |---|---|---|---|---|
 * | "pytorch" | V = r c / max(mean(r), eps1); g / max(sqrt(V), eps1) | min(a, 1 / sqrt(t)) | the last two axes: kh and kw of a kernel | a lambda x |
 * | "optax" | of g² + 1e-30 | a | the two largest axes, if both are 128 at least | lambda x, without the rate |
 * | "keras" | of g² + 1e-30 | min(a, 1 / sqrt(t)) | out and in | a lambda x, before rms(x) |
 *
 * PyTorch's `eps1` is the rounding of the parameters' type, here always f32. optax leaves clipping and scaling out by `None`:
 * a `clipThreshold` of 1e30, `multiplyByParameterScale` false. `momentum`, as optax's, needs memory as large as the weights. Keras's
 * `relative_step` changes nothing there.
 *
 * Throws OptionError for a value out of range.
 *
 * Source: Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018.
 *
 * @example
 * optim.adafactor(0.01, { like: "optax", momentum: 0.9 }).config.minDimSizeToFactor // -> 128
 */
export function adafactor(rate?: Hyper, options: AdafactorOptions = {}): Transform<AdafactorState> {
  const values = resolve("adafactor", hypers, rate, options);
  const { like, relativeStep, multiplyByParameterScale, momentum, weightDecay, noDecay } = values;
  const inside = like !== "pytorch";

  /** max(eps2, rms(x)): Keras's weights have decayed before. */
  const parameterScale = (ctx: UpdateContext): ((x: Tensor) => Tensor) => {
    const eps2 = ctx.hyper("eps2", values.eps2);
    if (like !== "keras" || weightDecay === undefined) return (x) => rms(x).maximum(eps2);
    const left = ctx.hyper("rate", values.rate).mul(ctx.hyper("weightDecay", weightDecay)).rsub(1).abs();
    return (x) => rms(x).mul(left).maximum(eps2);
  };

  return transformOf<AdafactorState>(adafactorRule, values, {
    init(params) {
      const rows: Record<string, Tensor> = {};
      const columns: Record<string, Tensor> = {};
      const v: Record<string, Tensor> = {};
      for (const [path, x] of leavesOf<Tensor>(params)) {
        const axes = factoredAxes(x, values);
        if (axes === undefined) v[path] = x.zerosLike();
        else {
          rows[path] = meanOver(x.zerosLike(), axes[1]);
          columns[path] = meanOver(x.zerosLike(), axes[0]);
        }
      }
      return { rows, columns, v, ...(momentum !== undefined && { m: zerosLike(params) }) };
    },
    update(gradients, state, ctx) {
      const t = ctx.step.add(1).cast("f32");
      const fresh = t
        .log()
        .mul(ctx.hyper("beta2Decay", values.beta2Decay, negated))
        .exp();
      const eps1 = ctx.hyper("eps1", values.eps1);
      const d = ctx.hyper("clipThreshold", values.clipThreshold);
      const a = ctx.hyper("rate", values.rate);
      const rho = relativeStep ? a.minimum(t.rsqrt()) : a;
      const scale = multiplyByParameterScale ? parameterScale(ctx) : () => 1;
      const mean = (old: Tensor, value: Tensor): Tensor => old.add(value.sub(old).mul(fresh));

      const rows: Record<string, Tensor> = {};
      const columns: Record<string, Tensor> = {};
      const v: Record<string, Tensor> = {};
      const normalized = (path: string, x: Tensor, g: Tensor): Tensor => {
        const axes = factoredAxes(x, values);
        const square = inside ? g.square().add(eps1) : g.square();
        if (axes === undefined) {
          const own = mean(state.v[path] as Tensor, square);
          v[path] = own;
          return inside ? g.div(own.sqrt()) : g.div(own.maximum(eps1.square()).sqrt());
        }
        const [first, second] = axes;
        const r = mean(state.rows[path] as Tensor, meanOver(square, second));
        const c = mean(state.columns[path] as Tensor, meanOver(square, first));
        rows[path] = r;
        columns[path] = c;
        const whole = meanOver(r, first);
        if (inside) return g.mul(r.div(whole).rsqrt()).mul(c.rsqrt());
        return g.div(r.mul(c).div(whole.maximum(eps1)).maximum(eps1.square()).sqrt());
      };
      const steps = zipTrees<Tensor, Tensor>(
        (path, x, g) => {
          const u = normalized(path, x, g as Tensor);
          return u.mul(rho.mul(scale(x)).div(rms(u).div(d).maximum(1)).neg());
        },
        ctx.params,
        gradients,
      );
      const m =
        momentum === undefined || state.m === undefined
          ? undefined
          : averaged(ctx.hyper("momentum", momentum), ctx.hyper("momentum", momentum, oneMinus), state.m, steps);
      const memory = { rows, columns, v, ...(m && { m }) };
      if (weightDecay === undefined) return [m ?? steps, memory];
      const lambda = ctx.hyper("weightDecay", weightDecay);
      const strength = like === "optax" ? lambda : a.mul(lambda);
      return [addDecay("adafactor", noDecay, m ?? steps, ctx.params, strength.neg()), memory];
    },
  });
}

const averaged = (mu: Tensor, rest: Tensor, means: TensorTree, steps: TensorTree): TensorTree =>
  zipTrees((_, m, u) => m.mul(mu).add(u.mul(rest)), means, steps);

export const adafactorRule: Rule = {
  name: "adafactor",
  role: "rule",
  equation:
    "V = (1 - t^-0.8) V + t^-0.8 g², kept as r c / mean(r); u = g / sqrt(V); x += -min(a, 1 / sqrt(t)) max(eps2, rms(x)) u / max(1, rms(u) / d)",
  source: "Shazeer and Stern, 2018",
  equations: {
    pytorch:
      "u = g / max(sqrt(r c / max(mean(r), eps1)), eps1); x += -min(a, 1 / sqrt(t)) max(eps2, rms(x)) u / max(1, rms(u) / d)",
    optax: "u = g / sqrt(r c / mean(r)) of g² + eps1; x += -a max(eps2, rms(x)) u / max(1, rms(u) / d)",
    keras:
      "u = g / sqrt(r c / mean(r)) of g² + eps1; x += -min(a, 1 / sqrt(t)) max(eps2, rms(x)) u / max(1, rms(u) / d)",
  },
  hypers,
  create: adafactor as Rule["create"],
};
