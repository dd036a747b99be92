import { OptionError } from "../core/errors.ts";
import type { ScheduleForm } from "../optim/schedules/form.ts";
import { parseSchedule } from "../optim/schedules/grammar.ts";
import { isReactive } from "../optim/schedules/reactive.ts";
import { reactions, stages, table } from "../optim/schedules/table.ts";
import { drawChart } from "./chart.ts";
import { wrap } from "./help.ts";
import { valuesOf } from "./schedule.ts";
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

/** A validation loss that falls and then stays, for schedules that react to one. */
const REPORTS: readonly number[] = Array.from({ length: 20 }, (_, i) => 1 - 0.1 * Math.min(i, 7));

/** The row whose kind or word in a text is meant. */
const formOf = (name: string): ScheduleForm | undefined =>
  table.find(({ kind }) => kind === name) ?? [...stages, ...reactions].find(({ word }) => word === name);

/** `downhill schedules cosine`: one with its options, and how it looks. */
export function showSchedule(screen: Screen, name: string, ascii: boolean): void {
  const form = formOf(name);
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
  const schedule = parseSchedule(form.text, 0.1);
  const reactive = isReactive(schedule);
  const [epochs, stepsPerEpoch] = [reactive ? 20 : 10, 100];
  const reports = reactive ? REPORTS : undefined;
  const shown = `--schedule "${form.text}", at rate 0.1 in ${epochs} epochs of ${stepsPerEpoch} steps`;
  screen.line(`  ${wrap(reactive ? `${shown}, with reports that fall for 8 epochs and then stay:` : `${shown}:`, 2)}`);
  const values = valuesOf(schedule, { stepsPerEpoch, reports }, epochs * stepsPerEpoch);
  const chart = { curves: [{ label: form.text, values }], stepsPerEpoch };
  for (const line of drawChart(chart, { width: 60, height: 7, ascii })) screen.line(`  ${line}`);
}
