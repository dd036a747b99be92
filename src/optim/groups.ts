import { OptionError } from "../core/errors.ts";
import { leavesOf } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { UpdateContext } from "../trace/update-context.ts";
import { type DispatchState, dispatch, type Share } from "./dispatch.ts";
import { evaluationOf, type HeldState, initHeld, updateHeld } from "./held.ts";
import { isTransform } from "./hyper.ts";
import { matchParameters, type ParameterPattern } from "./parameters.ts";
import { checkFlag, checkNumber, show } from "./range.ts";
import { type Hyper, isSchedule } from "./schedules/schedule.ts";
import type { TensorTree, Transform } from "./transform.ts";

/** What is different for some parameters: their pattern, and options of the rule or those below. */
export type Group = {
  readonly params: ParameterPattern;
  /** Stands in names of hyperparameters and states. Default: the pattern. */
  readonly name?: string;
  /** Multiplies the rule's rate, whatever its schedule. Default 1. */
  readonly rateFactor?: number;
  /** The parameters and all that the rule remembers of them stay as they are while this is true, or above 0. Default false. */
  readonly freeze?: boolean | Hyper;
  readonly [option: string]: unknown;
};

const OWN: ReadonlySet<string> = new Set(["params", "name", "rateFactor", "freeze"]);

const labelOf = (own: readonly Group[]): string =>
  own.map(({ name, params }) => name ?? params).join(" + ") || "others";

/**
 * One rule with other options for some parameters: no decay here, a lower rate there, frozen until later.
 *
 * @param rule any update rule, e.g. `optim.adamw(1e-3)`.
 * @param list for each kind of parameter its pattern and what differs: any option of the rule (`weightDecay: 0`), `rate`,
 * `rateFactor` (times the rule's rate), `freeze` (true, or a number or schedule that is above 0 while they are frozen).
 *
 * A parameter that matches several groups gets the options of all; where two say different, the later wins, and rate factors
 * multiply. Hyperparameters of a group are set while training as `<group>.<name>`, e.g. `head.rate`, its freeze as
 * `<group>.freeze`. Freezing and unfreezing never compiles again; what the rule remembers of frozen parameters, the count of
 * their updates included, stays as it was. State is kept by the names of groups and parameters.
 *
 * As PyTorch's parameter groups, by name instead of by list. Throws OptionError for an option that the rule does not have,
 * and, when the state is made, for a pattern that matches nothing.
 *
 * @example
 * const rule = optim.adagrad(0.01, { weightDecay: 0.05 });
 * optim.groups(rule, [{ params: "bias, norm", weightDecay: 0 }, { params: "0", rateFactor: 0.1, freeze: true }]).config.name // -> "groups"
 */
export function groups(rule: Transform, list: readonly Group[]): Transform<DispatchState> {
  if (!isTransform(rule))
    throw new OptionError(`groups: got ${show(rule)}; expected a rule, such as optim.sgd(0.1).`, "groups");
  if (!Array.isArray(list))
    throw new OptionError(`groups: got ${show(list)}; expected a list of { params, ... }.`, "groups");
  const base = withoutMask(rule, list);
  for (const group of base.list) check(base.rule, group);

  /** Parameters that match the same groups have one transform. */
  const sharesOf = (params: TensorTree): readonly Share[] => {
    const matches = base.list.map((group) => [group, matchParameters("groups", group.params, params)] as const);
    const found = new Map<string, { readonly own: readonly Group[]; readonly paths: Set<string> }>();
    for (const [path] of leavesOf<Tensor>(params)) {
      const own = matches.flatMap(([group, paths]) => (paths.has(path) ? [group] : []));
      const name = labelOf(own);
      const { paths } = found.get(name) ?? { paths: new Set<string>() };
      found.set(name, { own, paths: paths.add(path) });
    }
    return [...found].map(([name, { own, paths }]) => ({ name, paths, transform: grouped(base.rule, name, own) }));
  };
  return {
    config: { name: "groups", rule: rule.config, groups: list.map(toData) },
    ...dispatch(sharesOf, [rule]),
  };
}

/** A rule's own `noDecay` is a group without decay: within a part its pattern might match nothing. */
function withoutMask(rule: Transform, list: readonly Group[]): { rule: Transform; list: readonly Group[] } {
  const { noDecay } = rule.config;
  if (typeof noDecay !== "string" || rule.with === undefined) return { rule, list };
  return { rule: rule.with({ noDecay: undefined }), list: [{ params: noDecay, weightDecay: 0 }, ...list] };
}

function optionsOf(group: Group): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(group).filter(([name]) => !OWN.has(name)));
}

function check(rule: Transform, group: Group): void {
  if (typeof group?.params !== "string")
    throw new OptionError(`groups: got ${show(group)}; expected { params: a pattern, ... }.`, "groups.params");
  const { rateFactor, freeze } = group;
  if (rateFactor !== undefined) checkNumber("groups", "rateFactor", rateFactor, { min: 0 });
  if (freeze !== undefined && typeof freeze !== "number" && !isSchedule(freeze)) checkFlag("groups", "freeze", freeze);
  const options = optionsOf(group);
  if (Object.keys(options).length === 0) return;
  if (rule.with === undefined)
    throw new OptionError(
      `groups: got ${rule.config.name}, whose options cannot differ by group; expected an update rule. Hint: put groups inside it, as in chain(clipByGlobalNorm(1), groups(adam(1e-3), [...])).`,
      "groups",
    );
  rule.with(options);
}

function grouped(rule: Transform, label: string, own: readonly Group[]): Transform {
  const options: Readonly<Record<string, unknown>> = Object.assign({}, ...own.map(optionsOf));
  const rateFactor = own.reduce((product, { rateFactor = 1 }) => product * rateFactor, 1);
  const freeze = own.findLast((group) => group.freeze !== undefined)?.freeze;
  const names = Object.keys(options);
  const inner = (names.length > 0 && rule.with?.(options)) || rule;
  // One function for each map, so that one hyperparameter read twice is one feed.
  const scaled = new Map<unknown, (value: number) => number>();
  const scale = (map: (value: number) => number = (value) => value): ((value: number) => number) => {
    const known = scaled.get(map) ?? ((value) => map(value * rateFactor));
    scaled.set(map, known);
    return known;
  };
  const contextOf = (ctx: UpdateContext): UpdateContext => ({
    ...ctx,
    hyper(name, value, map) {
      const full = names.includes(name) ? `${label}.${name}` : name;
      return ctx.hyper(full, value, name === "rate" && rateFactor !== 1 ? scale(map) : map);
    },
  });
  if (freeze === undefined)
    return { ...inner, update: (gradients, state, ctx) => inner.update(gradients, state, contextOf(ctx)) };
  return {
    config: inner.config,
    init: (params) => initHeld(inner, params),
    update(gradients, state, ctx) {
      const thawed = ctx.hyper(`${label}.freeze`, typeof freeze === "boolean" ? Number(freeze) : freeze).lessEqual(0);
      return updateHeld(inner, gradients, state as HeldState, contextOf(ctx), thawed);
    },
    ...evaluationOf(inner, (state) => (state as HeldState).inner),
  };
}

function toData(group: Group): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(group).map(([name, value]) => [name, isSchedule(value) ? value.toJSON() : value]),
  );
}
