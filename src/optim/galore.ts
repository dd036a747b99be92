import { OptionError } from "../core/errors.ts";
import { leavesOf, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { cond } from "../trace/control.ts";
import { adam } from "./adam.ts";
import { expectNoEvaluation } from "./held.ts";
import {
  addDecay,
  type HyperSpecs,
  type OwnDecayOptions,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
} from "./hyper.ts";
import { svd } from "./linalg.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  rank: { type: "number", default: 128, min: 1, integer: true, fixed: true, text: "r, directions that are kept" },
  updateProjGap: {
    type: "number",
    default: 200,
    min: 1,
    integer: true,
    fixed: true,
    text: "steps between two choices of the directions",
  },
  scale: { type: "number", default: 1, min: 0, text: "times the steps of matrices" },
  kernels: { type: "flag", default: true, text: "kernels of convolutions too, as matrices [out, in kh kw]" },
  transform: { type: "transform", default: null, text: "the rule in the directions; by default Adam with a rate of 1" },
  ...ownDecayHypers,
} as const satisfies HyperSpecs;

export type GaloreOptions = OwnDecayOptions & {
  /** r. Default 128. */
  readonly rank?: number;
  /** Default 200. */
  readonly updateProjGap?: number;
  /** Default 1. */
  readonly scale?: Hyper;
  /** Default true (optax: false). */
  readonly kernels?: boolean;
  /** Default `optim.adam(1)`. */
  readonly transform?: Transform;
};

/** Each matrix's directions as rows, f32[r, the longer side], and the memory of the rule for what is left in them. */
export type GaloreState = { readonly directions: Readonly<Record<string, Tensor>>; readonly inner: TensorTree };

/** A matrix [out, in], and the side that is projected: the longer, of a square in's. */
type Form = { readonly out: number; readonly in: number; readonly side: "out" | "in"; readonly rank: number };

function formOf({ shape }: Tensor, { rank, kernels }: { rank: number; kernels: boolean }): Form | undefined {
  if (shape.length < 2 || (shape.length > 2 && !kernels)) return undefined;
  const [out, ...others] = shape as readonly [number, ...number[]];
  const into = others.reduce((product, size) => product * size, 1);
  return { out, in: into, side: into >= out ? "in" : "out", rank: Math.min(rank, out, into) };
}

/** The matrix with the projected side last. */
function oriented(x: Tensor, { out, in: into, side }: Form): Tensor {
  const matrix = x.reshape([out, into]);
  return side === "in" ? matrix : matrix.transpose();
}

const restored = (matrix: Tensor, { side }: Form, x: Tensor): Tensor =>
  (side === "in" ? matrix : matrix.transpose()).reshape(x.shape);

function refuse(rule: string): never {
  throw new OptionError(
    `galore: got ${rule}, which evaluates the loss again; expected a rule that needs the gradients alone.`,
    "galore.transform",
  );
}

/**
 * GaLore: a rule, Adam by default, works on a matrix's gradient in its r strongest directions only, so that its memory is small:
 * x += -a lambda x + a s P u, u = transform(Pᵀ g), where P holds the r largest singular vectors of g, anew every `updateProjGap` steps.
 *
 * @param rate a, a number or a schedule. Default 1e-3 (optax has none).
 * @param options `rank` r 128, `updateProjGap` 200, `scale` s 1, `transform` Adam with a rate of 1, `weightDecay` left out: as
 * optax.contrib.galore. `kernels` true: kernels of convolutions are matrices [out, in kh kw] (optax: only if told so).
 *
 * Directions are chosen on the longer side, of a square on that of the inputs; all but matrices go through the rule as they are. As in
 * optax the rule's memory stays when directions change; so that this means something, a direction's largest entry is positive
 * (in optax its sign is as it comes). A rule with a rate of its own takes 1, times a schedule. Its weight decay sees the weights
 * in the directions only; `weightDecay` here, which is decoupled, sees all of them.
 *
 * Throws OptionError for a value out of range, for a rule that evaluates the loss again, and for one with weights of its own to
 * evaluate with.
 *
 * Source: Zhao et al., "GaLore: Memory-Efficient LLM Training by Gradient Low-Rank Projection", 2024.
 *
 * @example
 * optim.galore(0.01, { rank: 4, transform: optim.adam(1, { beta2: 0.99 }) }).config.updateProjGap // -> 200
 */
export function galore(rate?: Hyper, options: GaloreOptions = {}): Transform<GaloreState> {
  const values = resolve("galore", hypers, rate, options);
  const { updateProjGap, weightDecay, noDecay } = values;
  const inner: Transform = options.transform ?? adam(1);
  expectNoEvaluation("galore", inner);

  const project = (tree: TensorTree, directions: Readonly<Record<string, Tensor>>): TensorTree =>
    zipTrees<Tensor, Tensor>((path, x) => {
      const form = formOf(x, values);
      return form === undefined ? x : oriented(x, form).matmul((directions[path] as Tensor).transpose());
    }, tree);

  return transformOf<GaloreState>(galoreRule, values, {
    init(params) {
      const directions: Record<string, Tensor> = {};
      for (const [path, x] of leavesOf<Tensor>(params)) {
        const form = formOf(x, values);
        if (form !== undefined) directions[path] = x.full(0, [form.rank, form[form.side]]);
      }
      return { directions, inner: inner.init(project(params, directions)) };
    },
    update(gradients, state, ctx) {
      const due = ctx.step.rem(updateProjGap).equal(0);
      const directions: Record<string, Tensor> = {};
      for (const [path, g] of leavesOf<Tensor>(gradients)) {
        const form = formOf(g, values);
        if (form === undefined) continue;
        directions[path] = cond(
          due,
          ({ g }) => svd(oriented(g, form)).directions.narrow(0, 0, form.rank),
          ({ old }) => old,
          { g, old: state.directions[path] as Tensor },
        );
      }
      const within: UpdateContext = {
        ...ctx,
        params: project(ctx.params, directions),
        valueAndGradAt: () => refuse(inner.config.name),
        hessianVectorProduct: () => refuse(inner.config.name),
        sumExampleGradients: () => refuse(inner.config.name),
        // Its rate is not this one's.
        hyper: (name, value, map, every) => ctx.hyper(`transform.${name}`, value, map, every),
      };
      const [steps, next] = inner.update(project(gradients, directions), state.inner, within);

      const a = ctx.hyper("rate", values.rate);
      const scaled = a.mul(ctx.hyper("scale", values.scale));
      const byPath = new Map(leavesOf<Tensor>(steps));
      const updates = zipTrees<Tensor, Tensor>((path, x) => {
        const u = byPath.get(path) as Tensor;
        const form = formOf(x, values);
        if (form === undefined) return u.mul(a);
        return restored(u.matmul(directions[path] as Tensor), form, x).mul(scaled);
      }, ctx.params);
      const memory = { directions, inner: next };
      if (weightDecay === undefined) return [updates, memory];
      const strength = a.mul(ctx.hyper("weightDecay", weightDecay)).neg();
      return [addDecay("galore", noDecay, updates, ctx.params, strength), memory];
    },
  });
}

export const galoreRule: Rule = {
  name: "galore",
  role: "rule",
  equation: "x += a s P transform(Pᵀ g), P the r largest singular vectors of a matrix's g, anew every 200 steps",
  source: "Zhao et al., 2024; optax.contrib.galore",
  hypers,
  create: galore as Rule["create"],
};
