import { OptionError } from "../core/errors.ts";
import { chain } from "./chain.ts";
import { type Group, groups } from "./groups.ts";
import { createRule, isTransform, type Rule } from "./hyper.ts";
import { type Part, partition } from "./partition.ts";
import { show } from "./range.ts";
import { fromJSON } from "./schedules/from-json.ts";
import { isSchedule } from "./schedules/schedule.ts";
import { table } from "./table.ts";
import type { Transform } from "./transform.ts";

type Data = Readonly<Record<string, unknown>>;

const isData = (value: unknown): value is Data =>
  typeof value === "object" && value !== null && !isSchedule(value) && !isTransform(value);

const schedules = (data: Data): Data =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, isData(value) ? fromJSON(value) : value]));

function list(owner: string, value: unknown): readonly Data[] {
  if (Array.isArray(value) && value.every(isData)) return value;
  throw new OptionError(`optimizer: got ${owner} = ${show(value)}; expected a list of objects.`, `optimizer.${owner}`);
}

/** The combinators whose configs hold lists of transforms. */
const COMBINATORS: Readonly<Record<string, (values: Data) => Transform>> = {
  chain: ({ parts }) => chain(...list("parts", parts).map(fromConfig)),
  partition: ({ parts }) =>
    partition(list("parts", parts).map((part) => ({ ...part, transform: fromConfig(part.transform) }) as Part)),
  groups: ({ rule, groups: given }) =>
    groups(
      fromConfig(rule),
      list("groups", given).map((group) => schedules(group) as Group),
    ),
};

function nameList(): string {
  return [...table.map((row) => row.name), ...Object.keys(COMBINATORS)].join(", ");
}

function revive(spec: Rule["hypers"][string] | undefined, value: unknown): unknown {
  if (spec?.type === "transform") return isTransform(value) ? value : fromConfig(value);
  return isData(value) ? fromJSON(value) : value;
}

/**
 * The transform that a `config` (of a run's record, or of a command line) describes.
 *
 * Hyperparameters left out take their defaults. Throws OptionError for an unknown name, and for whatever the rule's own
 * constructor refuses.
 *
 * @example
 * optim.fromConfig({ name: "momentum", rate: { kind: "stepDecay", rate: 0.05 } }).config.momentum // -> 0.9
 */
export function fromConfig(config: unknown): Transform {
  if (!isData(config))
    throw new OptionError(`optimizer: got ${show(config)}; expected an object with a name.`, "optimizer");
  const { name, ...values } = config;
  const combinator = typeof name === "string" && Object.hasOwn(COMBINATORS, name) ? COMBINATORS[name] : undefined;
  if (combinator !== undefined) return combinator(values);
  const rule = table.find((row) => row.name === name);
  if (rule === undefined)
    throw new OptionError(`optimizer: got name = ${show(name)}; expected one of ${nameList()}.`, "optimizer.name");
  const [first] = Object.keys(rule.hypers);
  const { [first ?? ""]: value, ...options } = Object.fromEntries(
    Object.entries(values).map(([key, given]) => [key, revive(rule.hypers[key], given)]),
  );
  return createRule(rule, value, options);
}
