import { OptionError } from "../core/errors.ts";
import { chain } from "./chain.ts";
import { show } from "./range.ts";
import { fromJSON } from "./schedules/from-json.ts";
import type { Hyper } from "./schedules/schedule.ts";
import { table } from "./table.ts";
import type { Transform } from "./transform.ts";

const revive = (value: unknown): unknown => (typeof value === "object" && value !== null ? fromJSON(value) : value);

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
  if (typeof config !== "object" || config === null)
    throw new OptionError(`optimizer: got ${show(config)}; expected an object with a name.`, "optimizer");
  const { name, ...values } = config as Readonly<Record<string, unknown>>;
  if (name === "chain" && Array.isArray(values.parts)) return chain(...values.parts.map(fromConfig));
  const rule = table.find((row) => row.name === name);
  if (rule === undefined)
    throw new OptionError(
      `optimizer: got name = ${show(name)}; expected one of ${table.map((row) => row.name).join(", ")}.`,
      "optimizer.name",
    );
  const [first] = Object.keys(rule.hypers) as [string];
  const { [first]: value, ...options } = Object.fromEntries(Object.entries(values).map(([k, v]) => [k, revive(v)]));
  return rule.create(value as Hyper | undefined, options);
}
