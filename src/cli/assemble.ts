import { OptionError } from "../core/errors.ts";
import { chain } from "../optim/chain.ts";
import { clipByGlobalNorm } from "../optim/clip.ts";
import { fromConfig } from "../optim/from-config.ts";
import { type Group, groups } from "../optim/groups.ts";
import type { Rule } from "../optim/hyper.ts";
import { parseSchedule } from "../optim/schedules/grammar.ts";
import type { Hyper } from "../optim/schedules/schedule.ts";
import { table } from "../optim/table.ts";
import type { Transform } from "../optim/transform.ts";
import { isJson, type Recipe } from "./recipe.ts";
import { kebab, RULES, rateOf } from "./settings.ts";
import { hyperValue, parseGroup, parseTransform } from "./transform-text.ts";

/** The recipe's optimizer with its schedule and all that is around it. Throws OptionError naming the flag that does not fit. */
export function optimizerOf(recipe: Recipe): Transform {
  const { clipNorm, freeze, group = [], before = [], after = [], wrap = [], accumulate } = recipe.processing;
  const rule = RULES.find(({ name }) => name === recipe.optimizer);
  let made = rule === undefined ? fromJson(recipe.optimizer) : ruleOf(recipe, rule);
  const list = group.map((text) => parseGroup(text, rule?.hypers ?? {}) as Group);
  if (freeze !== undefined) list.push({ params: freeze, name: "frozen", freeze: true });
  if (list.length > 0) made = atFlag(group.length > 0 ? "group" : "freeze", () => groups(made, list));

  const transforms = (flag: string, texts: readonly string[]): Transform[] =>
    texts.map((text) => atFlag(flag, () => fromConfig(parseTransform(flag, text, "transform"))));
  const clip = (maxNorm: Hyper): Transform => atFlag("clip-norm", () => clipByGlobalNorm(maxNorm));
  const parts = [
    ...transforms("before", before),
    ...(clipNorm === undefined ? [] : [clip(scalarOf("clip-norm", clipNorm))]),
    made,
    ...transforms("after", after),
  ];
  let whole = parts.length === 1 ? made : chain(...parts);
  const wrappers = wrap.map((text) => ["wrap", parseTransform("wrap", text, "wrapper")] as const);
  for (const [flag, config] of [
    ...wrappers,
    ...(accumulate === undefined ? [] : [["accumulate", { name: "accumulate", steps: accumulate }] as const]),
  ]) {
    const row = table.find(({ name }) => name === config.name) as Rule;
    const [inner] = Object.entries(row.hypers).find(([, spec]) => spec.type === "transform") as [string, unknown];
    whole = atFlag(flag, () => fromConfig({ ...config, [inner]: whole }));
  }
  return whole;
}

function fromJson(optimizer: string): Transform {
  return atFlag("optimizer", () => {
    if (!isJson(optimizer)) throw new OptionError(`got "${optimizer}"; expected an update rule.`, "optimizer");
    try {
      return fromConfig(JSON.parse(optimizer));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new OptionError(`got no JSON: ${error.message}.`, "optimizer");
    }
  });
}

/** A number, or what a schedule's text says. */
function scalarOf(flag: string, value: number | string): Hyper {
  return typeof value === "number" ? value : atFlag(flag, () => parseSchedule(value, 1));
}

function ruleOf({ optimizer, lr, schedule, hypers }: Recipe, rule: Rule): Transform {
  const rate = atFlag("schedule", () => parseSchedule(schedule ?? "constant", lr ?? 0));
  const first = rule.hypers[rateOf(rule)];
  const fixed = first?.type === "number" && first.fixed === true;
  const values = Object.fromEntries(
    Object.entries(hypers).map(([name, value]) => [name, hyperValue(`--${kebab(name)}`, rule.hypers[name], value)]),
  );
  try {
    return fromConfig({ name: optimizer, [rateOf(rule)]: fixed ? lr : rate, ...values });
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    const name = Object.keys(hypers).find((hyper) => error.where === `${optimizer}.${hyper}`);
    if (name === undefined) throw error;
    const text = error.message.replace(`${optimizer}: `, "").replace(`got ${name} = `, "got ");
    throw new OptionError(`--${kebab(name)}: ${text}`, name);
  }
}

/** Errors of `f` name the flag instead of the library's function. */
export function atFlag<T>(flag: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof OptionError) || error.message.startsWith("--")) throw error;
    throw new OptionError(`--${flag}: ${error.message.replace(/^\w+: /, "")}`, flag);
  }
}
