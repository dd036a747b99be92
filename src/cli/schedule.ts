import { OptionError } from "../core/errors.ts";
import { writeFileAtomic } from "../node/file-store.ts";
import { parseSchedule } from "../optim/schedules/grammar.ts";
import { isJoin } from "../optim/schedules/join.ts";
import { isMultiply } from "../optim/schedules/multiply.ts";
import { isReactive } from "../optim/schedules/reactive.ts";
import type { RunLength, Schedule } from "../optim/schedules/schedule.ts";
import { atFlag } from "./assemble.ts";
import { type Curve, drawChart, drawSvg, shortNumber } from "./chart.ts";
import type { Screen } from "./screen.ts";

export type ScheduleFlags = {
  readonly lr: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** The watched metric after each epoch, for schedules that react to it. */
  readonly reports: readonly number[] | undefined;
  readonly svg: string | undefined;
  readonly ascii: boolean;
};

/** More are not told apart in a terminal. */
const MAX_STEPS = 10_000_000;

/** The value at each step, with the reports given for schedules that react to them. */
export function valuesOf(
  schedule: Schedule,
  flags: Pick<ScheduleFlags, "stepsPerEpoch" | "reports">,
  steps: number,
): Float64Array {
  const run: RunLength = { stepsPerEpoch: flags.stepsPerEpoch, totalSteps: steps };
  if (!isReactive(schedule)) return Float64Array.from({ length: steps }, (_, step) => schedule.at(step, run));
  const { base, reaction } = schedule;
  let state = reaction.initial;
  let reported = 0;
  return Float64Array.from({ length: steps }, (_, step) => {
    for (; (reported + 1) * flags.stepsPerEpoch <= step; reported++) {
      const report = flags.reports?.[reported];
      if (report !== undefined) state = reaction.observe(state, report, base.at(step, run));
    }
    return reaction.rate(base.at(step, run), state);
  });
}

/** Where the stages of a schedule after the first begin. */
function stageStarts(schedule: Schedule, run: RunLength): readonly number[] {
  if (isReactive(schedule)) return stageStarts(schedule.base, run);
  if (isMultiply(schedule)) return schedule.factors.flatMap((factor) => stageStarts(factor, run));
  return isJoin(schedule) ? schedule.starts(run).slice(1) : [];
}

/** Where a curve starts, peaks and ends and its stages change: the numbers that a picture does not give. */
function keyPoints(
  values: Float64Array,
  stages: readonly number[],
): readonly (readonly [name: string, step: number])[] {
  let [peak, least] = [0, 0];
  values.forEach((value, step) => {
    if (value > (values[peak] as number)) peak = step;
    if (value < (values[least] as number)) least = step;
  });
  const last = values.length - 1;
  const points: [string, number][] = [["start", 0]];
  for (const [name, step] of [
    ["highest", peak],
    ["lowest", least],
  ] as const)
    if (step !== 0 && step !== last) points.push([name, step]);
  for (let quarter = 1; quarter <= 3; quarter++) points.push([`${25 * quarter}%`, Math.floor((last * quarter) / 4)]);
  for (const [i, step] of stages.entries()) if (step < last) points.push([`stage ${i + 2}`, step]);
  points.push(["end", last]);
  return points.sort((a, b) => a[1] - b[1]);
}

/** `downhill schedule "warmup 5% | cosine"`: draws schedules before anyone trains. */
export async function drawSchedules(screen: Screen, specs: readonly string[], flags: ScheduleFlags): Promise<void> {
  const steps = Math.round(flags.epochs * flags.stepsPerEpoch);
  if (steps < 1 || steps > MAX_STEPS)
    throw new OptionError(
      `schedule: got ${steps} steps (--epochs times --steps-per-epoch); expected 1 to ${MAX_STEPS}.`,
      "epochs",
    );
  const schedules = specs.map((spec) => atFlag("schedule", () => parseSchedule(spec, flags.lr)));
  const curves = schedules.map((schedule, i): Curve => {
    const label = specs[i] as string;
    return { label, values: atFlag("schedule", () => valuesOf(schedule, flags, steps)) };
  });
  const title = `rate ${flags.lr}, ${flags.epochs} epochs of ${flags.stepsPerEpoch} steps`;
  const width = Math.max(20, Math.min(66, screen.columns - 14));
  const run: RunLength = { stepsPerEpoch: flags.stepsPerEpoch, totalSteps: steps };
  for (const [i, curve] of curves.entries()) {
    screen.line(`${screen.bold(curve.label)}   ${title}`);
    for (const line of drawChart(
      { curves: [curve], stepsPerEpoch: flags.stepsPerEpoch },
      { width, height: 11, ascii: flags.ascii },
    ))
      screen.line(line);
    const points = keyPoints(curve.values, stageStarts(schedules[i] as Schedule, run)).map(([name, step]) => {
      const epoch = Number((step / flags.stepsPerEpoch).toPrecision(4));
      return `  ${name.padEnd(8)}step ${String(step).padEnd(9)}epoch ${String(epoch).padEnd(8)}${shortNumber(curve.values[step] as number)}`;
    });
    for (const point of points) screen.line(point);
    screen.line();
  }
  if (schedules.some(isReactive) && flags.reports === undefined)
    screen.line("Plateau, trend and greedy act on validation: --reports 0.9,0.7,0.71 draws what they do.");
  if (flags.svg === undefined) return;
  await writeFileAtomic(flags.svg, drawSvg({ curves, stepsPerEpoch: flags.stepsPerEpoch }, title));
  screen.line(`Wrote ${flags.svg}`);
}

/** `0.9,0.7,0.71` */
export function parseReports(text: string): readonly number[] {
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (values.some((value) => Number.isNaN(value)))
    throw new OptionError(`--reports: got "${text}"; expected numbers with commas between them.`, "reports");
  return values;
}
