import { OptionError } from "../core/errors.ts";
import { log } from "../core/math.ts";
import { leavesOf, mapTree, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { isPattern, matchParameters, type ParameterPattern } from "./parameters.ts";
import { checkChoice, checkFlag, checkNames, describeRange, inRange, type Range, wrongOption } from "./range.ts";
import { type Hyper, isSchedule } from "./schedules/schedule.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

/** Whose conventions: the lecture's (CS231n), torch.optim's, optax's or Keras 3's. */
export type Like = "lecture" | "pytorch" | "optax" | "keras";

/** What a hyperparameter left out is with `like`, where that differs from its default. */
type ByLike<T> = { readonly like?: Readonly<Partial<Record<Like, T>>> };

/** A number, or a schedule unless `fixed`. Default null: left out, and then not in the program. */
export type NumberHyper = Range &
  ByLike<number | null> & {
    readonly type: "number";
    readonly default: number | null;
    readonly fixed?: true;
    readonly text: string;
  };
export type FlagHyper = ByLike<boolean> & { readonly type: "flag"; readonly default: boolean; readonly text: string };
export type ChoiceHyper = ByLike<string> & {
  readonly type: "choice";
  readonly choices: readonly string[];
  readonly default: string;
  readonly text: string;
};
/** A pattern that says which parameters; see `ParameterPattern`. */
export type ParametersHyper = { readonly type: "parameters"; readonly default: null; readonly text: string };
/** Another transform, which this one wraps. */
export type TransformHyper = { readonly type: "transform"; readonly default: null; readonly text: string };

/** A hyperparameter as data: what the constructor checks, the command line offers and the documentation lists. */
export type HyperSpec = NumberHyper | FlagHyper | ChoiceHyper | ParametersHyper | TransformHyper;

export type HyperSpecs = Readonly<Record<string, HyperSpec>>;

/** One row of the rules' table. The first hyperparameter is the constructor's first argument, the others its options. */
export interface Rule {
  readonly name: string;
  /**
   * "rule": gradients to updates. "transform": what stands before or after a rule in a chain. "wrapper": makes another
   * transform of the one it is given first.
   */
  readonly role: "rule" | "transform" | "wrapper";
  readonly equation: string;
  /** Where frameworks mean different equations by the name: each one's, for the choices of `like`. */
  readonly equations?: Readonly<Partial<Record<Like, string>>>;
  readonly source: string;
  readonly hypers: HyperSpecs;
  create(first?: unknown, options?: Readonly<Record<string, unknown>>): Transform;
}

/** The rule with these values; one without hyperparameters has no first argument before its (empty) options. */
export function createRule(rule: Rule, first: unknown, options: Readonly<Record<string, unknown>>): Transform {
  return Object.keys(rule.hypers).length === 0 ? rule.create(options) : rule.create(first, options);
}

type NumberOf<S extends NumberHyper> = S["fixed"] extends true ? number : Hyper;
type ValueOf<S extends HyperSpec> = S extends NumberHyper
  ? S["default"] extends null
    ? NumberOf<S> | undefined
    : NumberOf<S>
  : S extends ChoiceHyper
    ? S["choices"][number]
    : S extends ParametersHyper
      ? ParameterPattern | undefined
      : S extends TransformHyper
        ? Transform
        : boolean;

/** The values of a rule: as given, or the default. */
export type Values<H extends HyperSpecs> = { readonly [K in keyof H]: ValueOf<H[K]> };

export function isTransform(value: unknown): value is Transform {
  if (typeof value !== "object" || value === null) return false;
  const { init, update } = value as Partial<Transform>;
  return typeof init === "function" && typeof update === "function";
}

function checkValue(rule: string, name: string, spec: HyperSpec, value: unknown): void {
  if (spec.type === "flag") checkFlag(rule, name, value);
  else if (spec.type === "choice") checkChoice(rule, name, value, spec.choices);
  else if (spec.type === "transform") {
    if (!isTransform(value)) throw wrongOption(rule, name, value, "a transform, such as optim.sgd(0.1)");
  } else if (spec.type === "parameters") {
    if (typeof value !== "string" || !isPattern(value))
      throw wrongOption(rule, name, value, 'names of parameters with commas between them, such as "bias, norm"');
  } else if (!inRange(value, spec) && (spec.fixed || !isSchedule(value)))
    throw wrongOption(rule, name, value, `${describeRange(spec)}${spec.fixed ? "" : ", or a schedule"}`);
}

/** What a hyperparameter is when it is left out; undefined: not there at all. */
export function defaultOf(spec: HyperSpec, like: unknown): number | string | boolean | undefined {
  const own = "like" in spec ? spec.like?.[like as Like] : undefined;
  return (own === undefined ? spec.default : own) ?? undefined;
}

/** Checks what the user gave and fills in the defaults. Throws OptionError that names the rule and the hyperparameter. */
export function resolve<H extends HyperSpecs>(
  rule: string,
  hypers: H,
  first: unknown,
  options: { readonly [K in keyof H]?: unknown },
): Values<H> {
  const [firstName, ...names] = Object.keys(hypers);
  checkNames(rule, options, names);
  const given: Readonly<Record<string, unknown>> = {
    ...options,
    ...(firstName === undefined ? {} : { [firstName]: first }),
  };
  const like = given.like ?? hypers.like?.default;
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(hypers)) {
    const value = given[name] === undefined ? defaultOf(spec, like) : given[name];
    if (value !== undefined || name === firstName) checkValue(rule, name, spec, value);
    values[name] = value;
  }
  return values as Values<H>;
}

/** The rule and its values as plain data, without those left out. */
export function configOf(name: string, values: Readonly<Record<string, unknown>>): Transform["config"] {
  const plain = (value: unknown): unknown => {
    if (isSchedule(value)) return value.toJSON();
    return isTransform(value) ? value.config : value;
  };
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return { name, ...Object.fromEntries(given.map(([key, value]) => [key, plain(value)])) };
}

/** Hyperparameters of the rules that have weight decay beside their equation: `transformOf` applies them. */
export const decayHypers: {
  readonly weightDecay: NumberHyper & { readonly default: null };
  readonly decoupled: FlagHyper;
  readonly noDecay: ParametersHyper;
} = {
  weightDecay: { type: "number", default: null, min: 0, text: "lambda of weight decay" },
  decoupled: {
    type: "flag",
    default: false,
    like: { optax: true, keras: true },
    text: "take a lambda x off the weights (as AdamW) instead of adding lambda x to the gradients (L2)",
  },
  noDecay: { type: "parameters", default: null, text: 'parameters without decay, such as "bias, norm"' },
};

/** `decayHypers` for rules that only optax has: decoupled unless told otherwise. */
export const decoupledDecayHypers: typeof decayHypers = {
  ...decayHypers,
  decoupled: { type: "flag", default: true, text: decayHypers.decoupled.text },
};

/** Hyperparameters of the rules that have weight decay inside their equation: they apply it by `addDecay`. */
export const ownDecayHypers: Pick<typeof decayHypers, "weightDecay" | "noDecay"> = {
  weightDecay: decayHypers.weightDecay,
  noDecay: decayHypers.noDecay,
};

export type OwnDecayOptions = Pick<DecayOptions, "weightDecay" | "noDecay">;

export type DecayOptions = {
  /** lambda. Left out by default. */
  readonly weightDecay?: Hyper;
  /** x += -a lambda x instead of g += lambda x. Default false; true like optax and Keras. */
  readonly decoupled?: boolean;
  /** Parameters without decay, such as "bias, norm". Default: none. */
  readonly noDecay?: ParameterPattern;
};

export type DecoupledDecayOptions = Omit<DecayOptions, "decoupled"> & {
  /** x += -a lambda x instead of g += lambda x. Default true. */
  readonly decoupled?: boolean;
};

type Body<S extends TensorTree> = Pick<Transform<S>, "init" | "update" | "evalParams" | "refreshesStatistics">;

type DecayValues = {
  readonly rate?: unknown;
  readonly weightDecay?: unknown;
  readonly decoupled?: unknown;
  readonly noDecay?: unknown;
};

/**
 * A transform from its row of the table, its values and its two functions. Where the rule has `decayHypers`, weight decay is
 * applied around `update`: g += lambda x before it, or u += -a lambda x after it, with x from before the step. A rule with
 * `weightDecay` but without `decoupled` applies its own.
 */
export function transformOf<S extends TensorTree>(
  rule: Rule,
  values: Readonly<Record<string, unknown>>,
  body: Body<S>,
): Transform<S> {
  const [first] = Object.keys(rule.hypers);
  const { [first ?? ""]: firstValue, ...options } = values;
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const shown = values.weightDecay === undefined ? { ...values, decoupled: undefined } : values;
  return {
    config: configOf(rule.name, shown),
    with: ({ [first ?? ""]: changed = firstValue, ...changes }) => createRule(rule, changed, { ...given, ...changes }),
    ...decayed(rule.name, values, body),
  };
}

function decayed<S extends TensorTree>(name: string, values: DecayValues, body: Body<S>): Body<S> {
  const { rate, weightDecay, decoupled, noDecay } = values as {
    readonly [K in keyof DecayValues]: K extends "noDecay" ? ParameterPattern | undefined : Hyper | undefined;
  };
  const where = `${name}.noDecay`;
  if (noDecay !== undefined && weightDecay === undefined)
    throw new OptionError(`${name}: got noDecay without weightDecay; expected both.`, where);
  if (weightDecay === undefined) return body;
  const init = (params: TensorTree): S => {
    if (noDecay !== undefined) matchParameters(where, noDecay, params);
    return body.init(params);
  };
  if (decoupled === undefined) return { ...body, init };
  const add = (tree: TensorTree, params: TensorTree, scale: Tensor): TensorTree =>
    addDecay(name, noDecay, tree, params, scale);
  return {
    ...body,
    init,
    update(gradients, state, ctx) {
      const lambda = ctx.hyper("weightDecay", weightDecay);
      if (!decoupled) return body.update(add(gradients, ctx.params, lambda), state, ctx);
      const [updates, next] = body.update(gradients, state, ctx);
      return [
        add(
          updates,
          ctx.params,
          ctx
            .hyper("rate", rate as Hyper)
            .mul(lambda)
            .neg(),
        ),
        next,
      ];
    },
  };
}

/** t + scale x for each leaf t of the tree and its parameter x, but for those of `noDecay`. */
export function addDecay(
  rule: string,
  noDecay: ParameterPattern | undefined,
  tree: TensorTree,
  params: TensorTree,
  scale: Tensor,
): TensorTree {
  const without = noDecay === undefined ? new Set() : matchParameters(`${rule}.noDecay`, noDecay, params);
  return zipTrees((path, t, x) => (without.has(path) ? t : t.add(x.mul(scale))), tree, params);
}

/** g + lambda x, for rules with `ownDecayHypers` that couple it. */
export function coupledDecay(
  rule: string,
  values: { readonly weightDecay: Hyper | undefined; readonly noDecay: ParameterPattern | undefined },
  gradients: TensorTree,
  ctx: UpdateContext,
): TensorTree {
  const { weightDecay, noDecay } = values;
  if (weightDecay === undefined) return gradients;
  return addDecay(rule, noDecay, gradients, ctx.params, ctx.hyper("weightDecay", weightDecay));
}

/** A number as f32[], for a state. */
export function scalarState(params: TensorTree, value: number): Tensor {
  const [first] = leavesOf<Tensor>(params) as [readonly [string, Tensor]];
  return first[1].full(value, [], "f32");
}

export function zerosLike(params: TensorTree): TensorTree {
  return mapTree(params, (x) => x.zerosLike());
}

export const oneMinus = (beta: number): number => 1 - beta;

/** 1 - beta^t with t = completed updates + `ahead`, as -expm1(t ln beta): exact to f32 rounding at every t. */
export function biasCorrectionOf(ctx: UpdateContext, name: string, beta: Hyper, ahead = 1): Tensor {
  const t = (ahead === 0 ? ctx.step : ctx.step.add(ahead)).cast("f32");
  return t
    .mul(ctx.hyper(name, beta, log))
    .expm1()
    .neg();
}
