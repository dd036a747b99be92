import type { Metrics, TrainEvent } from "./events.ts";

/** One row for each step, epoch and test of a run, in its order; a cell without a number is null. */
export type MetricTable = {
  /** `type`, `step`, `epoch`, `rate`, the metrics, `time_ms`. */
  readonly columns: readonly string[];
  readonly rows: readonly MetricRow[];
};

export type MetricRow = Readonly<Record<string, number | string | null>> & {
  readonly type: "step" | "epoch" | "test";
  /** Finished steps, from 1. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number | null;
};

const BEFORE = ["type", "step", "epoch", "rate"] as const;
const AFTER = "time_ms";

/**
 * A run's events as a table. `loss`, `accuracy` and so on are of a step's mini-batch, of an epoch's training data or of the test data;
 * `validation_loss` and so on of an epoch's validation data. `time_ms` is the mean time of a step, the whole of an epoch or
 * test. What a rollback went back behind is left out.
 *
 * @example
 * metricTable(events).columns // -> ["type", "step", "epoch", "rate", "loss", "accuracy", "validation_loss", "validation_accuracy", "time_ms"]
 */
export function metricTable(events: readonly TrainEvent[]): MetricTable {
  let rows: MetricRow[] = [];
  const own = new Set<string>();
  const validation = new Set<string>();
  const add = (
    place: Pick<MetricRow, "type" | "step" | "epoch"> & {
      readonly rate: number | null;
      readonly timeMs: number | null;
    },
    metrics: Metrics,
    held: Metrics = {},
  ): void => {
    const { timeMs, ...before } = place;
    for (const name of Object.keys(metrics)) own.add(name);
    for (const name of Object.keys(held)) validation.add(name);
    const named = (prefix: string, all: Metrics): [string, number | null][] =>
      Object.entries(all).map(([name, value]) => [columnOf(prefix, name), finite(value)]);
    rows.push({
      ...before,
      rate: finite(before.rate),
      ...Object.fromEntries([...named("", metrics), ...named("validation_", held)]),
      [AFTER]: finite(timeMs),
    } as MetricRow);
  };
  for (const event of events) {
    const { type } = event;
    if (type === "step")
      add({ type, step: event.step, epoch: event.epoch, rate: event.rate, timeMs: event.timeMs }, event.metrics);
    else if (type === "epoch")
      add(
        { type, step: event.step, epoch: event.epoch, rate: event.rate, timeMs: event.timeMs },
        event.train,
        event.validation,
      );
    else if (type === "test") {
      const last = rows.at(-1);
      add({ type, step: last?.step ?? 0, epoch: last?.epoch ?? null, rate: null, timeMs: event.timeMs }, event.metrics);
    } else if (type === "rollback") rows = rows.filter(({ step }) => step <= event.to);
  }
  const columns = [
    ...BEFORE,
    ...[...own].map((name) => columnOf("", name)),
    ...[...validation].map((name) => columnOf("validation_", name)),
    AFTER,
  ];
  const whole = Object.fromEntries(columns.map((column) => [column, null]));
  return { columns, rows: rows.map((row) => ({ ...whole, ...row })) };
}

/** A metric that is called like another column stands under `metric_...`. */
function columnOf(prefix: string, name: string): string {
  const column = `${prefix}${name}`;
  return [...BEFORE, AFTER].includes(column) || (prefix === "" && name.startsWith("validation_"))
    ? `metric_${column}`
    : column;
}

const finite = (value: number | null | undefined): number | null =>
  value === null || value === undefined || !Number.isFinite(value) ? null : value;
