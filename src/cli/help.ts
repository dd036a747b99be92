import { defaultRate } from "./recipe.ts";
import { kebab, RULES, rateOf } from "./settings.ts";

/** The optimizers of the lecture with their equations, and where all are. */
export function optimizerHelp(): string {
  const common = ["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"];
  const rows = RULES.filter(({ name }) => common.includes(name)).map(
    (rule) =>
      `  ${rule.name.padEnd(10)}${wrap(rule.equation, 12)}\n${" ".repeat(12)}${wrap([`--lr (${defaultRate(rule.name)})`, ...flagsOf(rule)].join(" "), 12)}`,
  );
  const others = RULES.map(({ name }) => name).filter((name) => !common.includes(name));
  return [
    "Optimizers (--optimizer), with x a weight, g its gradient and a the rate:",
    ...rows,
    `  ${wrap(others.join(", "), 2)}`,
    "  `downhill optimizers adam` shows one with all its flags and conventions.",
  ].join("\n");
}

function flagsOf(rule: (typeof RULES)[number]): string[] {
  const names = Object.keys(rule.hypers).filter((name) => name !== rateOf(rule));
  return names.map((name) => `--${kebab(name)}`);
}

const SCHEDULES: readonly (readonly [text: string, meaning: string])[] = [
  ["step 0.5/5ep", "times 0.5 every 5 epochs"],
  ["exp 0.05", "a = a0 e^(-0.05 t), t in epochs"],
  ["1/t 0.1", "a = a0 / (1 + 0.1 t)"],
  ["plateau 0.5", "times 0.5 when the validation loss stops falling"],
  ["warmup 5% | cosine", "up over 5 % of the run, then half a cosine down"],
];

/** Some schedules, and where all are. */
export function scheduleHelp(): string {
  const rows = SCHEDULES.map(([text, meaning]) => `  ${`"${text}"`.padEnd(24)}${meaning}`);
  return [
    "Schedules (--schedule, or in place of a number), in epochs (ep), steps (st), %:",
    ...rows,
    '  `downhill schedules` lists all; `downhill schedule "1/t 0.1"` draws one.',
  ].join("\n");
}

/** Breaks at spaces so that no line passes column 80; later lines are indented. */
export function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > 80) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}
