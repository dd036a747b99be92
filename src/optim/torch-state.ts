import { sameShape } from "../core/dtype.ts";
import { DataError, OptionError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import type { TorchValue } from "../io/torch-file.ts";
import { type NamedArrays, type OptimizerState, type OptimizerStateSource, ruleStateOf } from "./optimizer-state.ts";
import { type TorchRule, torchRules, type Values } from "./torch-rules.ts";

type TorchMap = ReadonlyMap<string | number, TorchValue>;

/** Those of PyTorch's that our rules' memory is told in. */
const STEP = "step";
const MOMENTUM_ALONE = 1;

type Mapping = {
  readonly rule: TorchRule;
  readonly values: Values;
  readonly prefix: string;
};

/** Throws OptionError where PyTorch has no such rule, or not with these options. */
function mappingOf(state: OptimizerState): Mapping {
  const { config, prefix } = ruleStateOf(state, (name) => torchRules.has(name));
  const { name, ...values } = config;
  const rule = torchRules.get(name) as TorchRule;
  const wrong =
    rule.refuses?.(values) ??
    (rule.decouples !== true && values.decoupled === true ? "decoupled weight decay" : undefined);
  if (wrong !== undefined)
    throw new OptionError(
      `optimizer state: got ${name} with ${wrong}, which torch.optim.${rule.torch} does not have; expected an equation of PyTorch's. Hint: like: "pytorch".`,
      name,
    );
  return { rule, values, prefix };
}

/** A velocity with the rate inside is -a times PyTorch's. */
function factorOf(rule: TorchRule, values: Values, rate: number | undefined): number {
  if (rule.rateInside?.(values) !== true) return 1;
  if (rate === undefined || !(rate > 0))
    throw new OptionError(
      `optimizer state: got a velocity that holds the rate, and the rate ${rate}; expected a rate above 0. Hint: like: "pytorch" keeps it outside.`,
      "rate",
    );
  return -rate;
}

const times = ({ dtype, shape, data }: HostArray, factor: number): HostArray =>
  new HostArray(dtype, shape, factor === 1 ? data.slice() : data.map((x) => x * factor));

const scalar = (value: number): HostArray => new HostArray("f32", [], Float32Array.of(value));

/**
 * The state as `torch.optim.Optimizer.state_dict()` has it: for `optimizer.load_state_dict` of an optimizer over the same
 * model's parameters in their order, which its group also names. The group's numbers are the optimizer's, `lr` the last
 * update's rate.
 *
 * Errors: OptionError for a rule, or options of one, that PyTorch does not have, and for other schedules than the rate's.
 */
export function toTorchState(state: OptimizerState): TorchMap {
  const { rule, values, prefix } = mappingOf(state);
  const { memory, parameters, updates, rate } = state;
  const lr = typeof values.rate === "number" ? (rate ?? values.rate) : rate;
  if (lr === undefined)
    throw new OptionError(
      "optimizer state: got a scheduled rate before the first update; expected one to write as lr.",
      "rate",
    );
  if (values.noDecay !== undefined)
    throw new OptionError(
      `optimizer state: got ${state.config.name} with noDecay; expected one weight decay for all parameters, to be PyTorch's one group.`,
      "noDecay",
    );
  const names = Object.keys(parameters);
  const factor = factorOf(rule, values, lr);
  const slots = rule.slots(values);
  const ofParameter = (name: string): TorchMap => {
    const found = new Map<string, TorchValue>();
    if (rule.counts) found.set(STEP, scalar(updates));
    for (const [theirs, ours] of slots) {
      const array = memory[`${prefix}${ours}.${name}`];
      if (array === undefined) throw new DataError(`optimizer state: ${ours}.${name} is missing in the memory.`, name);
      found.set(theirs, times(array, theirs === "momentum_buffer" ? 1 / factor : 1));
    }
    for (const [theirs, ours] of rule.scalars ?? []) {
      const array = memory[`${prefix}${ours}`];
      if (array !== undefined) found.set(theirs, times(array, 1));
    }
    for (const [theirs, value] of Object.entries(rule.derived?.(values, updates) ?? {}))
      found.set(theirs, scalar(value));
    return found;
  };
  const remembers = updates > 0 && (rule.counts || slots.length > 0);
  return new Map<string, TorchValue>([
    ["state", new Map(remembers ? names.map((name, i) => [i, ofParameter(name)]) : [])],
    [
      "param_groups",
      [
        new Map<string, TorchValue>([
          ["lr", lr],
          ...Object.entries(rule.group(checked(state.config.name, values))),
          ["params", names.map((_, i) => i)],
          ["param_names", names],
        ]),
      ],
    ],
  ]);
}

/** Schedules other than the rate's have no number to write. */
function checked(name: string, values: Values): Values {
  for (const [key, value] of Object.entries(values))
    if (key !== "rate" && typeof value === "object" && value !== null)
      throw new OptionError(`optimizer state: got a schedule for ${name}'s ${key}; expected a number.`, key);
  return values;
}

/**
 * What `fit`'s `optimizerState` takes, from what `Optimizer.state_dict()` gave: the state of one of PyTorch's rules for the same
 * model's parameters, by the group's `param_names` where there are any, else in the model's order.
 *
 * The memory and the count of updates are taken; numbers such as the rate and the betas are those of the optimizer here.
 * Errors: DataError naming `file` where it is the state of another rule, of other parameters or of other shapes; OptionError
 * where the optimizer here is none of PyTorch's.
 */
export function fromTorchState(value: TorchValue, file: string): OptimizerStateSource {
  const fail = (text: string): never => {
    throw new DataError(`optimizer state: ${file} ${text}`, file);
  };
  const inner = value instanceof Map ? optimizerIn(value) : undefined;
  if (inner === undefined)
    return fail("has no state and param_groups; expected what optimizer.state_dict() gives, alone or under optimizer.");
  const { state, groups } = inner;
  return (fresh) => {
    const { rule, values, prefix } = mappingOf(fresh);
    const names = Object.keys(fresh.parameters);
    const indices = indicesOf(groups, names, fail);
    const slots = rule.slots(values);
    const scalars = rule.scalars ?? [];
    const known = new Set(
      [...slots, ...scalars].map(([theirs]) => theirs).concat(STEP, Object.keys(rule.derived?.(values, 1) ?? {})),
    );
    const memory = new Map(Object.entries(fresh.memory));
    const rate = groups[0]?.get("lr");
    let updates: number | undefined;
    for (const [i, name] of names.entries()) {
      const found = state.get(indices[i] as number);
      if (!(found instanceof Map) || found.size === 0 || [...found.values()].every((each) => each === null)) continue;
      const unknown = [...found.keys()].find((key) => !known.has(String(key)) && found.get(key) !== null);
      if (unknown !== undefined)
        fail(
          `has ${unknown} of ${name}; expected the state of torch.optim.${rule.torch}: ${[...known].join(", ")}. Was it another optimizer, or one with other options?`,
        );
      for (const [theirs, ours] of slots) {
        const array = found.get(theirs);
        const { shape } = fresh.parameters[name] as HostArray;
        if (!(array instanceof HostArray))
          return fail(`has no ${theirs} of ${name}; expected the state of torch.optim.${rule.torch}.`);
        if (array.dtype !== "f32" || !sameShape(array.shape, shape))
          fail(
            `has ${theirs} ${array.dtype}[${array.shape}] of ${name}; expected f32[${shape}]. Are the parameters in another order? Hint: an optimizer over named_parameters() writes their names.`,
          );
        const factor =
          theirs === "momentum_buffer" ? factorOf(rule, values, typeof rate === "number" ? rate : undefined) : 1;
        memory.set(`${prefix}${ours}.${name}`, times(array, factor));
      }
      for (const [theirs, ours] of scalars) {
        const found1 = numberOf(found.get(theirs));
        if (found1 === undefined)
          return fail(`has no ${theirs} of ${name}; expected the state of torch.optim.${rule.torch}.`);
        memory.set(`${prefix}${ours}`, scalar(found1));
      }
      const steps = rule.counts ? numberOf(found.get(STEP)) : MOMENTUM_ALONE;
      if (steps === undefined || !Number.isSafeInteger(steps) || steps < 0)
        return fail(`has no step of ${name}; expected a whole number.`);
      if (updates !== undefined && updates !== steps)
        fail(
          `has ${updates} updates of some parameters and ${steps} of ${name}; expected one count, as here all are updated together.`,
        );
      updates = steps;
    }
    return { ...fresh, memory: Object.fromEntries(memory) as NamedArrays, updates: updates ?? 0 };
  };
}

function numberOf(value: TorchValue | undefined): number | undefined {
  if (value instanceof HostArray) return value.data.length === 1 ? value.item() : undefined;
  return typeof value === "number" ? value : undefined;
}

/** Where checkpoints keep it. */
const PLACES = ["optimizer", "optimizer_state_dict", "optim", "optimizer_state"];

function optimizerIn(value: TorchMap): { state: TorchMap; groups: readonly TorchMap[] } | undefined {
  for (const candidate of [value, ...PLACES.map((place) => value.get(place))]) {
    if (!(candidate instanceof Map)) continue;
    const state = candidate.get("state");
    const groups = candidate.get("param_groups");
    if (state instanceof Map && Array.isArray(groups) && groups.every((group) => group instanceof Map))
      return { state, groups: groups as TorchMap[] };
  }
  return undefined;
}

/** The file's index of each parameter. */
function indicesOf(groups: readonly TorchMap[], names: readonly string[], fail: (text: string) => never): number[] {
  const list = (group: TorchMap, key: string): readonly TorchValue[] => {
    const found = group.get(key);
    return Array.isArray(found) ? found : [];
  };
  const indices = groups.flatMap((group) => list(group, "params"));
  if (!indices.every((index): index is number => typeof index === "number"))
    return fail("has parameters that are no numbers in its groups.");
  if (indices.length !== names.length)
    fail(`has the state of ${indices.length} parameters; expected the ${names.length} of this model.`);
  const given = groups.flatMap((group) => list(group, "param_names"));
  if (given.length === 0) {
    if (groups.length > 1)
      fail(
        `has ${groups.length} groups of parameters without names; expected one, or names. Hint: an optimizer over named_parameters() writes them.`,
      );
    return indices;
  }
  const places = new Map(
    given.map((name, i) => [String(name).replace(/^(module\.|_orig_mod\.)+/, ""), indices[i] as number]),
  );
  return names.map((name) => places.get(name) ?? fail(`has no parameter ${name} among its names.`));
}
