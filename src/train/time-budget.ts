/** Shares of the time at which the number of steps is planned anew. */
const MOMENTS = [0.01, 0.03, 0.06, 0.125, 0.25, 0.5, 0.75, 0.875, 0.9375];
/** Left over for what comes after the last step. */
const RESERVE = 0.02;
/** The first steps may still wait for the engine's compiler. */
const WARM_STEPS = 8;

/** How long a run is where that is not the number of its epochs. */
export interface Budget {
  /** The run's number of steps, where it is time to say so (again). */
  plan(step: number, spentMs: number): number | undefined;
  isOver(step: number, spentMs: number): boolean;
  /** Steps until `plan` or `isOver` has to be asked. */
  stepsLeft(step: number): number;
}

/** What a run planned, and at which step it ended. */
export type RecordedLength = {
  readonly plans: readonly { readonly step: number; readonly totalSteps: number }[];
  readonly end: number;
};

/** Repeats a run that was fitted to a time, without the clock. */
export class RecordedBudget implements Budget {
  private readonly recorded: RecordedLength;

  constructor(recorded: RecordedLength) {
    this.recorded = recorded;
  }

  plan(step: number): number | undefined {
    return this.recorded.plans.findLast((plan) => plan.step === step)?.totalSteps;
  }

  isOver(step: number): boolean {
    return step >= this.recorded.end;
  }

  stepsLeft(step: number): number {
    const next = this.recorded.plans.find((plan) => plan.step > step)?.step ?? Infinity;
    return Math.min(next, this.recorded.end) - step;
  }
}

/** Fits a run to a time: how many steps it will have, from how long those so far took, evaluation and checkpoints included. */
export class TimeBudget implements Budget {
  private readonly maxMs: number;
  private next = 0;
  private from: { readonly step: number; readonly spentMs: number } | undefined;

  constructor(maxMs: number) {
    this.maxMs = maxMs;
  }

  plan(step: number, spentMs: number): number | undefined {
    const { maxMs } = this;
    if (this.from === undefined) {
      this.from = { step, spentMs };
      return undefined;
    }
    const steps = step - this.from.step;
    if (steps < WARM_STEPS || spentMs < maxMs * (MOMENTS[this.next] ?? Infinity)) return undefined;
    while (spentMs >= maxMs * (MOMENTS[this.next] ?? Infinity)) this.next++;
    const stepMs = (spentMs - this.from.spentMs) / steps;
    return step + Math.max(0, Math.floor((maxMs * (1 - RESERVE) - spentMs) / stepMs));
  }

  isOver(_: number, spentMs: number): boolean {
    return spentMs >= this.maxMs * (1 - RESERVE);
  }

  stepsLeft(): number {
    return Infinity;
  }
}
