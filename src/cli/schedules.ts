import { OptionError } from "../core/errors.ts";
import { parseSchedule } from "../optim/schedules/grammar.ts";
import { table } from "../optim/schedules/table.ts";
import { drawChart } from "./chart.ts";
import { wrap } from "./help.ts";
import type { Screen } from "./screen.ts";
import { suggest } from "./settings.ts";

/** `downhill schedules`: every schedule with its equation and text. */
export function listSchedules(screen: Screen): void {
  const width = Math.max(...table.map(({ kind }) => kind.length)) + 4;
  screen.line(screen.bold("Schedules, with a0 the rate given and t the time"));
  for (const { kind, equation, text } of table) {
    screen.line(`  ${kind.padEnd(width - 2)}${wrap(equation, width)}`);
    if (text !== undefined) screen.line(`${" ".repeat(width)}${wrap(`--schedule "${text}"`, width)}`);
  }
  screen.line();
  screen.line("downhill schedules <name> shows one with its options.");
  screen.line('downhill schedule "warmup 5% | cosine" draws one; stages have "|" between them.');
}

/** `downhill schedules cosine`: one with its options, and how it looks. */
export function showSchedule(screen: Screen, name: string, ascii: boolean): void {
  const form = table.find(({ kind }) => kind === name);
  if (form === undefined)
    throw new OptionError(
      `schedules: got "${name}"; expected one that \`downhill schedules\` lists.${suggest(
        name,
        table.map(({ kind }) => kind),
      )}`,
      "name",
    );
  screen.line(screen.bold(form.kind));
  screen.line(`  ${wrap(form.equation, 2)}`);
  screen.line(`  Source: ${wrap(form.source, 10)}`);
  if (form.conventions !== undefined) screen.line(`  Conventions: ${wrap(form.conventions, 15)}`);
  const options = Object.entries(form.options);
  if (options.length > 0) {
    const width = Math.max(...options.map(([option]) => option.length)) + 4;
    screen.line();
    for (const [option, text] of options) screen.line(`  ${option.padEnd(width - 2)}${wrap(text, width)}`);
  }
  if (form.text === undefined) return;
  screen.line();
  screen.line(`  ${wrap(`--schedule "${form.text}", at rate 0.1 in 10 epochs of 100 steps:`, 2)}`);
  const run = { stepsPerEpoch: 100, totalSteps: 1000 };
  const { at } = parseSchedule(form.text, 0.1);
  const values = Float64Array.from({ length: run.totalSteps }, (_, step) => at(step, run));
  const chart = { curves: [{ label: form.text, values }], stepsPerEpoch: run.stepsPerEpoch };
  for (const line of drawChart(chart, { width: 60, height: 7, ascii })) screen.line(`  ${line}`);
}
