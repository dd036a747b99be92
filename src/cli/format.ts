/** Numbers and lines as the terminal shows them: pure functions of data. */

import { PHASES } from "../ir/program.ts";
import type { Metrics, TrainEvent } from "../train/events.ts";
import type { PhaseTimes } from "../train/phase-times.ts";

/** `0.4321`, `12.35`, `1.2e-7`: about four significant digits in at most 7 characters. */
export function formatNumber(value: number | undefined): string {
  if (value === undefined) return "-";
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(1);
  return value.toFixed(size >= 1000 ? 1 : size >= 10 ? 2 : 4);
}

/** NaN: the optimizer has none. */
const formatRate = (rate: number): string => formatNumber(Number.isNaN(rate) ? undefined : rate);

export function formatPercent(value: number | undefined): string {
  return value === undefined ? "-" : `${(100 * value).toFixed(2)}%`;
}

/** `950 ms`, `12.3 s`, `2 min 05 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 99_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** `950 bytes`, `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

export function formatCount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

type EpochEvent = TrainEvent & { type: "epoch" };

const WIDTHS = { epoch: 5, loss: 8, accuracy: 7, rate: 8, time: 6, sample: 7, forward: 8, backward: 9, update: 7 };

/** The two header lines of the epoch table, 80 columns wide. */
export function tableHeader(): string {
  const { epoch, loss, accuracy, rate, time, ...phases } = WIDTHS;
  const pair = loss + accuracy;
  const titles = [
    ["", epoch],
    ["training", pair],
    ["validation", pair],
    ["", rate],
    ["", time],
    ["time over the four steps", phases.sample + phases.forward + phases.backward + phases.update],
  ] as const;
  const columns = [
    ["epoch", epoch],
    ["loss", loss],
    ["acc.", accuracy],
    ["loss", loss],
    ["acc.", accuracy],
    ["rate", rate],
    ["time", time],
    ...PHASES.map((phase) => [phase, phases[phase]] as const),
  ] as const;
  const line = (cells: readonly (readonly [string, number])[]): string =>
    cells.map(([text, width]) => text.padStart(width)).join("");
  return `${line(titles)}\n${line(columns)}`;
}

/** One row of the epoch table. */
export function tableRow(event: EpochEvent): string {
  const { train, validation } = event;
  const share = shares(event.timeByPhase);
  const seconds = event.timeMs / 1000;
  const cells: [string, number][] = [
    [String(event.epoch), WIDTHS.epoch],
    [formatNumber(train.loss), WIDTHS.loss],
    [formatPercent(train.accuracy), WIDTHS.accuracy],
    [formatNumber(validation.loss), WIDTHS.loss],
    [formatPercent(validation.accuracy), WIDTHS.accuracy],
    [formatRate(event.rate), WIDTHS.rate],
    [seconds < 100 ? `${seconds.toFixed(1)}s` : `${Math.round(seconds)}s`, WIDTHS.time],
    ...PHASES.map((phase): [string, number] => [share?.[phase] ?? "-", WIDTHS[phase]]),
  ];
  return cells.map(([text, width]) => text.padStart(width)).join("");
}

/** `epoch 2/5`, or `epoch 2` where nobody knows how many there will be. */
export function epochOf(epoch: number, epochs: number | undefined): string {
  return epochs === undefined ? `epoch ${epoch}` : `epoch ${epoch}/${epochs}`;
}

/** Whole percents that say how an epoch's time split; undefined where no step was instrumented. */
function shares(times: PhaseTimes): Record<string, string> | undefined {
  const total = PHASES.reduce((sum, phase) => sum + times[phase], 0);
  if (total <= 0) return undefined;
  return Object.fromEntries(PHASES.map((phase) => [phase, `${Math.round((100 * times[phase]) / total)}%`]));
}

/** The same as a plain line for logs and pipes. */
export function plainRow(event: EpochEvent, epochs: number | undefined): string {
  const part = (name: string, metrics: Metrics): string[] =>
    Object.keys(metrics).length === 0
      ? []
      : [
          `${name} loss ${formatNumber(metrics.loss)}` +
            (metrics.accuracy === undefined ? "" : ` accuracy ${formatPercent(metrics.accuracy)}`),
        ];
  const share = shares(event.timeByPhase);
  const split = share === undefined ? "" : ` (${PHASES.map((phase) => `${phase} ${share[phase]}`).join(" ")})`;
  return [
    epochOf(event.epoch, epochs),
    ...part("training", event.train),
    ...part("validation", event.validation),
    `rate ${formatRate(event.rate)}`,
    `${formatDuration(event.timeMs)}${split}`,
  ].join(", ");
}

export type Progress = {
  readonly epoch: number;
  readonly epochs: number | undefined;
  /** Of the epoch, 0 to 1. */
  readonly done: number;
  readonly loss: number;
  readonly accuracy: number | undefined;
  readonly imagesPerSecond: number;
  readonly leftMs: number;
};

const LONGEST_BAR = 20;
const SHORTEST_BAR = 4;

/** The live line; its bar takes what `columns` leave, and the rest is cut. */
export function progressLine(progress: Progress, columns: number): string {
  const accuracy = progress.accuracy === undefined ? "" : `  acc. ${formatPercent(progress.accuracy)}`;
  const before = `${epochOf(progress.epoch, progress.epochs)} `;
  const after =
    ` ${String(Math.floor(progress.done * 100)).padStart(3)}%  loss ${formatNumber(progress.loss)}${accuracy}` +
    `  ${formatCount(progress.imagesPerSecond)}/s  ${formatDuration(progress.leftMs)} left`;
  const room = columns - 1 - before.length - after.length;
  const length = Math.max(SHORTEST_BAR, Math.min(LONGEST_BAR, room));
  const filled = Math.round(progress.done * length);
  const text = before + "█".repeat(filled) + "░".repeat(length - filled) + after;
  return text.slice(0, Math.max(0, columns - 1));
}
