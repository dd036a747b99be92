import { OptionError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";
import { cond, whileLoop } from "../trace/control.ts";
import type { UpdateContext } from "../trace/update-context.ts";
import {
  type Curvature,
  dot,
  initCurvature,
  inverseHessianProduct,
  remember,
  type Vector,
  vectorOf,
} from "./curvature.ts";
import { type HyperSpecs, type Rule, resolve, scalarState, transformOf, type Values } from "./hyper.ts";
import { type LinePoint, strongWolfe, zoom } from "./line-search.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

const hypers = {
  rate: {
    type: "number",
    default: 1,
    min: 0,
    text: "a, the step to try first, or to take where there is no line search",
  },
  lineSearch: {
    type: "choice",
    choices: ["none", "strong-wolfe", "zoom"],
    default: "none",
    like: { optax: "zoom" },
    text: "how the step is found: strong-wolfe is PyTorch's search, zoom optax's",
  },
  history: {
    type: "number",
    default: 100,
    min: 1,
    integer: true,
    like: { optax: 10 },
    fixed: true,
    text: "pairs that are kept, each twice as large as the parameters",
  },
  scaleInitial: {
    type: "flag",
    default: true,
    text: "start from <s, y> / <y, y> times the identity, for the last pair; false, with optax alone: from the identity",
  },
  maxIterations: {
    type: "number",
    default: 20,
    min: 1,
    integer: true,
    like: { optax: null },
    text: "iterations in one step (PyTorch; optax makes one)",
  },
  maxEvaluations: {
    type: "number",
    default: null,
    min: 1,
    integer: true,
    text: "evaluations of the loss in one step: 5/4 of the iterations if left out (PyTorch), or in one search: 20 (optax)",
  },
  toleranceGradient: {
    type: "number",
    default: 1e-7,
    min: 0,
    like: { optax: null },
    text: "a step ends where no gradient is larger (PyTorch)",
  },
  toleranceChange: {
    type: "number",
    default: 1e-9,
    min: 0,
    like: { optax: null },
    text: "a step ends where neither loss nor parameters change more (PyTorch)",
  },
  like: {
    type: "choice",
    choices: ["pytorch", "optax"],
    default: "pytorch",
    text: "many iterations in one step (PyTorch) or one (optax)",
  },
} as const satisfies HyperSpecs;

export type LbfgsOptions = {
  /** Default "none"; like optax "zoom". */
  readonly lineSearch?: "none" | "strong-wolfe" | "zoom";
  /** Default 100; like optax 10. */
  readonly history?: number;
  /** Default true; false like optax alone. */
  readonly scaleInitial?: boolean;
  /** Default 20. Like PyTorch alone. */
  readonly maxIterations?: Hyper;
  /** Default 5/4 of `maxIterations`, rounded down; like optax 20. */
  readonly maxEvaluations?: Hyper;
  /** Default 1e-7. Like PyTorch alone. */
  readonly toleranceGradient?: Hyper;
  /** Default 1e-9. Like PyTorch alone. */
  readonly toleranceChange?: Hyper;
  /** Default "pytorch". */
  readonly like?: "pytorch" | "optax";
};

/**
 * The pairs, the scale that the estimate starts from, iterations so far, the gradient before the last one, f32[n], and `last`: the
 * step it took (PyTorch) or the parameters before it (optax), f32[n].
 */
export type LbfgsState = {
  readonly known: Curvature;
  readonly scale: Tensor;
  readonly iterations: Tensor;
  readonly gradient: Tensor;
  readonly last: Tensor;
};

/** Pairs of less curvature are not kept: PyTorch's threshold. */
const LEAST_CURVATURE = 1e-10;

type Settings = Values<typeof hypers>;

type Parts = {
  readonly ctx: UpdateContext;
  readonly vector: Vector;
  readonly values: Settings;
  /** The parameters and the step's gradients as vectors. */
  readonly x: Tensor;
  readonly g: Tensor;
};

type Stepped = { readonly update: Tensor; readonly state: LbfgsState; readonly evaluations: Tensor };

/** Loss and gradient u away from the step's parameters. */
function evaluate({ ctx, vector, x }: Parts, u: Tensor): { readonly f: Tensor; readonly g: Tensor } {
  const [f, gradients] = ctx.valueAndGradAt(vector.unflatten(x.add(u)));
  return { f, g: vector.flatten(gradients) };
}

/** torch.optim.LBFGS.step: iterations until one of its tests ends them. */
function manyIterations(parts: Parts, state: LbfgsState): Stepped {
  const { ctx, values, x } = parts;
  const rate = ctx.hyper("rate", values.rate);
  const mostIterations = ctx.hyper("maxIterations", values.maxIterations);
  const mostEvaluations =
    values.maxEvaluations === undefined
      ? ctx.hyper("maxIterations", values.maxIterations, (n) => Math.floor((n * 5) / 4))
      : ctx.hyper("maxEvaluations", values.maxEvaluations);
  const toleranceGradient = ctx.hyper("toleranceGradient", values.toleranceGradient);
  const toleranceChange = ctx.hyper("toleranceChange", values.toleranceChange);
  const largest = (v: Tensor): Tensor => v.abs().max();

  const end = whileLoop(
    ({ finished }) => finished.not(),
    (c) => {
      const { f, g } = c;
      const isFirst = c.memory.iterations.equal(0);
      const y = g.sub(c.memory.gradient);
      const ys = dot(y, c.memory.last);
      const keep = ys.greater(LEAST_CURVATURE).and(isFirst.not());
      const known = remember(c.memory.known, c.memory.last, y, ys.reciprocal(), keep);
      const scale = keep.select(ys.div(dot(y, y)), c.memory.scale);
      const d = inverseHessianProduct(known, scale, g).neg();
      const slope = dot(g, d);
      const first = isFirst.select(rate.mul(g.abs().sum().reciprocal().minimum(1)), rate);

      const done = c.done.add(1);
      const isLast = done.cast("f32").greaterEqual(mostIterations);
      // Also where it is NaN, in whose direction PyTorch steps.
      const stuck = slope.lessEqual(toleranceChange.neg()).not();
      const at = (t: Tensor): LinePoint => {
        const { f, g } = evaluate(parts, c.u.add(d.mul(t)));
        return { t, f, g, slope: dot(g, d) };
      };
      const here: LinePoint = { t: first.zerosLike(), f, g, slope };
      const { found, evaluations } =
        values.lineSearch === "none"
          ? {
              found: cond(
                stuck.or(isLast),
                ({ t }) => ({ ...here, t }),
                ({ t }) => at(t),
                { t: first },
              ),
              evaluations: stuck.or(isLast).not().cast("i32"),
            }
          : strongWolfe(at, here, {
              first,
              longest: largest(d),
              tolerance: toleranceChange,
              most: mostEvaluations.sub(c.evaluations.cast("f32")),
              idle: stuck,
            });

      const step = d.mul(stuck.select(first, found.t));
      const all = c.evaluations.add(evaluations);
      const finished = stuck
        .or(isLast)
        .or(all.cast("f32").greaterEqual(mostEvaluations))
        .or(largest(found.g).lessEqual(toleranceGradient))
        .or(largest(step).lessEqual(toleranceChange))
        .or(found.f.sub(f).abs().less(toleranceChange));
      return {
        done,
        evaluations: all,
        finished,
        u: stuck.select(c.u, c.u.add(step)),
        f: found.f,
        g: found.g,
        memory: { known, scale, iterations: c.memory.iterations.add(1), gradient: g, last: step },
      };
    },
    {
      done: ctx.step.full(0),
      evaluations: ctx.step.full(1),
      finished: largest(parts.g).lessEqual(toleranceGradient),
      u: x.zerosLike(),
      f: ctx.loss,
      g: parts.g,
      memory: state,
    },
  );
  return { update: end.u, state: end.memory, evaluations: end.evaluations };
}

/** optax.lbfgs: one iteration, which learns from the last one first. */
function oneIteration(parts: Parts, state: LbfgsState): Stepped {
  const { ctx, values, x, g } = parts;
  const isFirst = state.iterations.equal(0);
  const s = x.sub(state.last);
  const y = g.sub(state.gradient);
  const ys = dot(y, s);
  const yy = dot(y, y);
  const rho = ys.equal(0).select(0, ys.reciprocal());
  const known = remember(state.known, s, y, rho, isFirst.not().and(ys.sub(ys).equal(0)));
  const shortened = dot(g, g).sqrt().reciprocal().minimum(1);
  const scale = values.scaleInitial ? isFirst.select(shortened, yy.greater(0).select(ys.div(yy), 1)) : state.scale;
  const d = inverseHessianProduct(known, scale, g).mul(ctx.hyper("rate", values.rate).neg());

  const at = (t: Tensor) => {
    const { f, g } = evaluate(parts, d.mul(t));
    return { t, f, slope: dot(g, d) };
  };
  const start = { t: ctx.loss.full(0), f: ctx.loss, slope: dot(g, d) };
  const none = { t: ctx.loss.full(1), evaluations: ctx.step.full(0) };
  const most = (): Tensor => ctx.hyper("maxEvaluations", values.maxEvaluations ?? 20);
  const { t, evaluations } = values.lineSearch === "none" ? none : zoom(at, start, most());
  return {
    // A search that finds nothing moves nothing, even along a direction that is not finite.
    update: t.equal(0).select(0, d.mul(t)),
    state: { known, scale, iterations: state.iterations.add(1), gradient: g, last: x },
    evaluations: evaluations.add(1),
  };
}

/**
 * L-BFGS: x += t d, d = -H g, where the inverse Hessian H is estimated from the last steps s and the differences y of the gradients
 * along them, and a line search finds t.
 *
 * @param rate the step to try first, or to take without a line search; a number or a schedule. Default 1.
 * @param options as torch.optim.LBFGS by default: `lineSearch` "none", `history` 100, `maxIterations` 20, `maxEvaluations`
 * 25 (5/4 of the iterations), `toleranceGradient` 1e-7, `toleranceChange` 1e-9; `scaleInitial` true. Like optax: `lineSearch`
 * "zoom", `history` 10, `maxEvaluations` 20.
 *
 * | like | one step | H starts from | first t | pairs left out |
 * |---|---|---|---|---|
 * | "pytorch" | up to `maxIterations` | <s, y> / <y, y> I | a min(1, 1 / sum of abs(g)), then a | <s, y> at most 1e-10 |
 * | "optax" | one iteration | the same; before any pair min(1, 1 / norm of g) I | 1, of a d | those that are no numbers |
 *
 * Searches end where f(x + t d) <= f(x) + 1e-4 t <g, d> and the slope is at most 0.9 of the first: "strong-wolfe" interpolates
 * by cubics, as PyTorch's; "zoom" is optax's. A loss that is no number counts as infinite, and neither a search that
 * finds no finite one nor a gradient that is no number moves anything (PyTorch steps on both).
 *
 * For whole batches (`batchSize` = all examples): gradients of other examples are no curvature. Each evaluation is one more pass
 * forward and backward over the step's batch; how many there were, the step's own included, is the metric `lossEvaluations`.
 * Memory is 2 `history` times the parameters, and three times that within a step of many iterations. In `optim.groups` each kind
 * of parameters has an estimate and a search of its own, with the others where the step found them. Penalties belong in the
 * loss: a transform before this one changes only the first of its gradients.
 *
 * Throws OptionError for a value out of range or an option that its `like` does not have, and while tracing where a step of one's
 * own gives no objective.
 *
 * Source: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; Nocedal and Wright, "Numerical
 * Optimization", algorithms 3.5, 3.6 and 7.4.
 *
 * @example
 * optim.lbfgs(1, { lineSearch: "strong-wolfe", history: 10 }).config.maxIterations // -> 20
 */
export function lbfgs(rate?: Hyper, options: LbfgsOptions = {}): Transform<LbfgsState> {
  const values = resolve("lbfgs", hypers, rate, options);
  const { lineSearch, history, like } = values;
  const searches = like === "optax" ? ["none", "zoom"] : ["none", "strong-wolfe"];
  if (!searches.includes(lineSearch))
    throw new OptionError(
      `lbfgs: got lineSearch = "${lineSearch}" with like: "${like}"; expected "${searches.join('" or "')}".`,
      "lbfgs.lineSearch",
    );
  const foreign =
    like === "optax"
      ? (["maxIterations", "toleranceGradient", "toleranceChange"] as const).find((name) => values[name] !== undefined)
      : values.scaleInitial
        ? undefined
        : "scaleInitial";
  if (foreign !== undefined)
    throw new OptionError(
      `lbfgs: got ${foreign} with like: "${like}"; expected it with like: "${like === "optax" ? "pytorch" : "optax"}".`,
      `lbfgs.${foreign}`,
    );
  return transformOf<LbfgsState>(lbfgsRule, values, {
    init(params) {
      const { size } = vectorOf(params);
      const scale = scalarState(params, 1);
      const zeros = scale.full(0, [size]);
      return {
        known: initCurvature(scale, history, size),
        scale,
        iterations: scale.full(0, [], "i32"),
        gradient: zeros,
        last: zeros,
      };
    },
    update(gradients, state, ctx): readonly [TensorTree, LbfgsState] {
      const vector = vectorOf(ctx.params);
      const parts = { ctx, vector, values, x: vector.flatten(ctx.params), g: vector.flatten(gradients) };
      const { update, state: next, evaluations } = (like === "optax" ? oneIteration : manyIterations)(parts, state);
      ctx.metric("lossEvaluations", evaluations.cast("f32"));
      return [vector.unflatten(update), next];
    },
  });
}

export const lbfgsRule: Rule = {
  name: "lbfgs",
  role: "rule",
  equation:
    "x += t d, d = -H g: H the inverse Hessian from the last steps s and gradients' differences y, t by line search",
  source: "Liu and Nocedal, 1989; Nocedal and Wright, algorithms 3.5, 3.6 and 7.4",
  equations: {
    pytorch: "up to maxIterations times: x += t d, d = -H g; t = a, or by strong Wolfe search from a",
    optax: "once: x += t d, d = -a H g; t = 1, or by zoom search from 1",
  },
  hypers,
  create: lbfgs as Rule["create"],
};
