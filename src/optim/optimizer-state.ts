import { OptionError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import type { Transform } from "./transform.ts";

/** Arrays by their dotted paths. */
export type NamedArrays = Readonly<Record<string, HostArray>>;

/** All that an optimizer remembers, and what it belongs to. */
export type OptimizerState = {
  /** The optimizer's own description. */
  readonly config: Transform["config"];
  /** The parameters that it updates, in the model's order. Their values are of no account. */
  readonly parameters: NamedArrays;
  /** Its memory by path, such as `m.fc.weight`. */
  readonly memory: NamedArrays;
  /** Completed updates, of which bias corrections are made. */
  readonly updates: number;
  /** The rate at the end of the last epoch, where there is one. */
  readonly rate?: number | undefined;
};

/** The state to start from, given the optimizer's before its first update. */
export type OptimizerStateSource = (fresh: OptimizerState) => OptimizerState;

/** Where the update rule itself stands in an optimizer. */
export type RuleState = { readonly config: Transform["config"]; readonly prefix: string };

/**
 * The one update rule of an optimizer and where its memory begins: a rule by itself, or in a chain among transforms without memory.
 *
 * Errors: OptionError for other combinations.
 */
export function ruleStateOf({ config, memory }: OptimizerState, isRule: (name: string) => boolean): RuleState {
  if (isRule(config.name)) return { config, prefix: "" };
  const parts = config.name === "chain" && Array.isArray(config.parts) ? (config.parts as Transform["config"][]) : [];
  const rules = parts.flatMap((part, i) => (isRule(part.name) ? [{ config: part, prefix: `${i}.` }] : []));
  const [rule] = rules;
  const others = Object.keys(memory).filter((path) => rule !== undefined && !path.startsWith(rule.prefix));
  if (rule === undefined || rules.length > 1 || others.length > 0)
    throw new OptionError(
      `optimizer state: got ${config.name}${parts.length > 0 ? ` of ${parts.map(({ name }) => name).join(", ")}` : ""}; expected one of PyTorch's rules, by itself or in a chain with transforms that remember nothing, such as clipping.`,
      "optimizer",
    );
  return rule;
}
