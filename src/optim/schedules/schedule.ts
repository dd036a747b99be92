export type RunLength = { readonly stepsPerEpoch?: number; readonly totalSteps?: number };

/** Data that serialises; `at` is a pure function of the number of attempted updates before this one (0-based). */
export interface Schedule {
  readonly kind: string;
  at(step: number, run: RunLength): number;
  /** The schedule as plain data, which `schedule.fromJSON` turns back. */
  toJSON(): Readonly<Record<string, unknown>>;
}

/** Every hyperparameter accepts a number or a schedule. */
export type Hyper = number | Schedule;
