export type RunLength = { readonly stepsPerEpoch?: number; readonly totalSteps?: number };

/** Data that serialises; `at` is a pure function of the number of attempted updates before this one (0-based). */
export interface Schedule {
  readonly kind: string;
  at(step: number, run: RunLength): number;
  /** The schedule as plain data, which `schedule.fromJSON` turns back. */
  toJSON(): ScheduleData;
}

export type ScheduleData = Readonly<Record<string, unknown>>;

/** Every hyperparameter accepts a number or a schedule. */
export type Hyper = number | Schedule;

export function isSchedule(value: unknown): value is Schedule {
  if (typeof value !== "object" || value === null) return false;
  const { kind, at, toJSON } = value as Partial<Schedule>;
  return typeof kind === "string" && typeof at === "function" && typeof toJSON === "function";
}

/** A schedule from its equation and the data that rebuilds it. */
export function fromEquation<K extends string>(
  kind: K,
  data: ScheduleData,
  at: (step: number, run: RunLength) => number,
): Schedule & { readonly kind: K } {
  return { kind, at, toJSON: () => ({ kind, ...data }) };
}
