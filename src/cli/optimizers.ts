import { OptionError } from "../core/errors.ts";
import { defaultOf, type HyperSpec, type Like, type Rule } from "../optim/hyper.ts";
import { describeRange } from "../optim/range.ts";
import { table } from "../optim/table.ts";
import { wrap } from "./help.ts";
import { defaultRate } from "./recipe.ts";
import type { Screen } from "./screen.ts";
import { kebab, rateOf, suggest } from "./settings.ts";

const ROLES: readonly (readonly [role: Rule["role"], title: string])[] = [
  ["rule", "Update rules (--optimizer), with x a weight, g its gradient and a the rate"],
  ["transform", "Before or after the rule (--before, --after)"],
  ["wrapper", "Around it all (--wrap)"],
];

/** `downhill optimizers`: all that updates weights, in a line each. */
export function listOptimizers(screen: Screen): void {
  const width = Math.max(...table.map(({ name }) => name.length)) + 4;
  for (const [role, title] of ROLES) {
    screen.line(screen.bold(title));
    for (const { name, equation } of table.filter((rule) => rule.role === role))
      screen.line(`  ${name.padEnd(width - 2)}${wrap(equation, width)}`);
    screen.line();
  }
  screen.line("downhill optimizers <name> shows one: its equations, numbers and flags.");
}

function named(name: string): Rule {
  const rule = table.find((row) => row.name === name);
  if (rule !== undefined) return rule;
  const names = table.map((row) => row.name);
  throw new OptionError(
    `optimizers: got "${name}"; expected one that \`downhill optimizers\` lists.${suggest(name, names)}`,
    "name",
  );
}

const shown = (value: unknown): string => (value === undefined ? "left out" : `${value}`);

function rangeOf(spec: HyperSpec): string {
  if (spec.type === "flag") return "true or false";
  if (spec.type === "choice") return spec.choices.join(", ");
  if (spec.type === "parameters") return 'names such as "bias, norm"';
  if (spec.type === "transform") return "a transform";
  return `${describeRange(spec)}${spec.fixed ? "" : ", or a schedule"}`;
}

/** Each hyperparameter's default, and the frameworks' where `like` changes it. */
function defaultText(spec: HyperSpec, likes: readonly string[], required: boolean): string {
  const own = defaultOf(spec, undefined);
  if (own === undefined && required) return "must be given";
  const others = likes.flatMap((like) => {
    const value = defaultOf(spec, like);
    return value === own ? [] : [`${shown(value)} like ${like}`];
  });
  return [shown(own), ...others].join("; ");
}

function commandOf(rule: Rule): string {
  if (rule.role === "wrapper") return `downhill train mnist --wrap ${rule.name}`;
  const [first] = Object.entries(rule.hypers);
  const value = first === undefined ? "" : ` ${defaultOf(first[1], undefined) ?? 1}`;
  if (rule.role === "transform") return `downhill train mnist --before "${rule.name}${value}"`;
  return `downhill train mnist --optimizer ${rule.name} --lr ${defaultRate(rule.name)}`;
}

function codeOf(rule: Rule): string {
  const [first] = Object.entries(rule.hypers);
  if (first === undefined) return `optim.${rule.name}()`;
  if (first[1].type === "transform") return `optim.${rule.name}(optim.adam(1e-3))`;
  return `optim.${rule.name}(${defaultOf(first[1], undefined) ?? 1})`;
}

/** `downhill optimizers adam`: all about one. */
export function showOptimizer(screen: Screen, name: string): void {
  const rule = named(name);
  const { equation, equations = {}, hypers, source, role } = rule;
  const { like } = hypers;
  const likes = like?.type === "choice" ? like.choices : [];
  screen.line(screen.bold(rule.name));
  screen.line(`  ${wrap(equation, 2)}`);
  screen.line(`  Source: ${wrap(source, 10)}`);
  const different = new Set(likes.map((whose) => equations[whose as Like] ?? equation));
  if (different.size > 1) {
    screen.line();
    screen.line(screen.bold("Whose equation (--like)"));
    for (const whose of likes) {
      const mark = like?.default === whose ? " (default)" : "";
      screen.line(`  ${`${whose}${mark}`.padEnd(20)}${wrap(equations[whose as Like] ?? equation, 22)}`);
    }
  }
  const rows = Object.entries(hypers);
  if (rows.length > 0) {
    screen.line();
    screen.line(screen.bold(role === "rule" ? "Flags" : "Hyperparameters, as name=value"));
  }
  rows.forEach(([hyper, spec], i) => {
    const flag = role !== "rule" ? hyper : hyper === rateOf(rule) ? "--lr" : `--${kebab(hyper)}`;
    screen.line(`  ${flag}  ${wrap(spec.text, 4 + flag.length)}`);
    screen.line(`      ${wrap(`${rangeOf(spec)} (${defaultText(spec, likes, i === 0)})`, 6)}`);
  });
  screen.line();
  screen.line(`  ${commandOf(rule)}`);
  screen.line(`  ${codeOf(rule)}`);
}

/** The table as JSON, for other programs: one rule, or all. */
export function printOptimizers(screen: Screen, name: string | undefined): void {
  const rules = name === undefined ? table : [named(name)];
  screen.line(JSON.stringify(rules, null, 2));
}
