import { table as schedules } from "../optim/schedules/table.ts";
import { defaultRate } from "./recipe.ts";
import { kebab, RULES } from "./settings.ts";

/** The optimizers with their equations and flags, from the rules' table. */
export function optimizerHelp(): string {
  const rows = RULES.map(({ name, equation, hypers }) => {
    const flags = Object.entries(hypers).flatMap(([hyper, spec]) => {
      if (hyper === "rate") return [`--lr (${defaultRate(name)})`];
      if (spec.type === "flag") return [spec.default ? `--no-${kebab(hyper)}` : `--${kebab(hyper)}`];
      if (spec.type === "choice") return [`--${kebab(hyper)} ${spec.choices.join("|")} (${spec.default})`];
      return [`--${kebab(hyper)} (${spec.default ?? "off"})`];
    });
    return `  ${name.padEnd(10)}${wrap(equation, 12)}\n${" ".repeat(14)}${wrap(flags.join("  "), 14, /(?<=\S) {2}/)}`;
  });
  return `Optimizers (--optimizer), with x a weight, g its gradient and a the rate:\n${rows.join("\n")}`;
}

/** The schedules with their equations, from their table. */
export function scheduleHelp(): string {
  const rows = schedules.flatMap(({ text, equation }) =>
    text === undefined ? [] : [`  ${`"${text}"`.padEnd(24)}${wrap(equation, 26)}`],
  );
  const note = "Schedules (--schedule); lengths in ep (epochs), st (steps) or % of the run:";
  return `${note}\n${rows.join("\n")}`;
}

/** Breaks at spaces so that no line passes column 80; later lines are indented. */
function wrap(text: string, indent: number, between: RegExp = / /): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(between)) {
    const gap = between.source === " " ? " " : "  ";
    if (line !== "" && indent + line.length + gap.length + word.length > 80) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line}${gap}${word}`;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}
