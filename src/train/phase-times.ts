import { PHASES, type Phase } from "../ir/program.ts";

export type PhaseTimes = Readonly<Record<Phase, number>>;

const none = (): Record<Phase, number> => ({ sample: 0, forward: 0, backward: 0, update: 0 });

/** Sums the instrumented steps of an epoch and scales their split to the epoch's time. */
export class PhaseTimer {
  private sums = none();

  record(times: PhaseTimes | undefined): void {
    if (times === undefined) return;
    for (const phase of PHASES) this.sums[phase] += times[phase];
  }

  /** Milliseconds by phase that add up to `totalMs`; all zero where no step was instrumented. Starts over. */
  take(totalMs: number): PhaseTimes {
    const sum = PHASES.reduce((total, phase) => total + this.sums[phase], 0);
    const split = none();
    if (sum > 0) for (const phase of PHASES) split[phase] = (this.sums[phase] / sum) * totalMs;
    this.sums = none();
    return split;
  }
}
