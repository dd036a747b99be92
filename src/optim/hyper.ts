import { log } from "../core/math.ts";
import { mapTree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { checkChoice, checkFlag, checkNames, describeRange, inRange, type Range, wrongOption } from "./range.ts";
import { type Hyper, isSchedule } from "./schedules/schedule.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

/** A number, or a schedule unless `fixed`. Default null: left out, and then not in the program. */
export type NumberHyper = Range & {
  readonly type: "number";
  readonly default: number | null;
  readonly fixed?: true;
  readonly text: string;
};
export type FlagHyper = { readonly type: "flag"; readonly default: boolean; readonly text: string };
export type ChoiceHyper = {
  readonly type: "choice";
  readonly choices: readonly string[];
  readonly default: string;
  readonly text: string;
};

/** A hyperparameter as data: what the constructor checks, the command line offers and the documentation lists. */
export type HyperSpec = NumberHyper | FlagHyper | ChoiceHyper;

export type HyperSpecs = Readonly<Record<string, HyperSpec>>;

/** One row of the rules' table. The first hyperparameter is the constructor's first argument, the others its options. */
export interface Rule {
  readonly name: string;
  /** "rule": gradients to updates. "transform": what stands before or after a rule in a chain. */
  readonly role: "rule" | "transform";
  readonly equation: string;
  readonly source: string;
  readonly hypers: HyperSpecs;
  create(first?: Hyper, options?: Readonly<Record<string, unknown>>): Transform;
}

type NumberOf<S extends NumberHyper> = S["fixed"] extends true ? number : Hyper;
type ValueOf<S extends HyperSpec> = S extends NumberHyper
  ? S["default"] extends null
    ? NumberOf<S> | undefined
    : NumberOf<S>
  : S extends ChoiceHyper
    ? S["choices"][number]
    : boolean;

/** The values of a rule: as given, or the default. */
export type Values<H extends HyperSpecs> = { readonly [K in keyof H]: ValueOf<H[K]> };

function checkValue(rule: string, name: string, spec: HyperSpec, value: unknown): void {
  if (spec.type === "flag") checkFlag(rule, name, value);
  else if (spec.type === "choice") checkChoice(rule, name, value, spec.choices);
  else if (!inRange(value, spec) && (spec.fixed || !isSchedule(value)))
    throw wrongOption(rule, name, value, `${describeRange(spec)}${spec.fixed ? "" : ", or a schedule"}`);
}

/** Checks what the user gave and fills in the defaults. Throws OptionError that names the rule and the hyperparameter. */
export function resolve<H extends HyperSpecs>(
  rule: string,
  hypers: H,
  first: Hyper | undefined,
  options: { readonly [K in keyof H]?: unknown },
): Values<H> {
  const [firstName, ...names] = Object.keys(hypers) as [string, ...string[]];
  checkNames(rule, options, names);
  const given: Readonly<Record<string, unknown>> = { ...options, [firstName]: first };
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(hypers)) {
    const value = given[name] === undefined ? (spec.default ?? undefined) : given[name];
    if (value !== undefined || name === firstName) checkValue(rule, name, spec, value);
    values[name] = value;
  }
  return values as Values<H>;
}

/** The rule and its values as plain data, without those left out. */
export function configOf(name: string, values: Readonly<Record<string, unknown>>): Transform["config"] {
  const plain = Object.entries(values).filter(([, value]) => value !== undefined);
  return { name, ...Object.fromEntries(plain.map(([key, v]) => [key, isSchedule(v) ? v.toJSON() : v])) };
}

export function zerosLike(params: TensorTree): TensorTree {
  return mapTree(params, (x) => x.zerosLike());
}

export const oneMinus = (beta: number): number => 1 - beta;

/** 1 - beta^t with t = completed updates + 1, as -expm1(t ln beta): exact to f32 rounding at every t. */
export function biasCorrectionOf(ctx: UpdateContext, name: string, beta: Hyper): Tensor {
  const t = ctx.step.add(1).cast("f32");
  return t
    .mul(ctx.hyper(name, beta, log))
    .expm1()
    .neg();
}
