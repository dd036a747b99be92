import type { TrainEvent } from "../train/events.ts";

/** How long a run will still take, from how long this session's steps took. */
export class TimeLeft {
  private totalSteps = 0;
  private from = 0;
  private startedAt = 0;

  on(event: TrainEvent): void {
    if (event.type === "start") {
      this.totalSteps = event.totalSteps;
      this.startedAt = performance.now();
    } else if (event.type === "resume") {
      this.from = event.step;
      this.startedAt = performance.now();
    } else if (event.type === "rollback") this.from -= event.step - event.to;
    else if (event.type === "intervention" && event.hyper === "totalSteps") this.totalSteps = event.value ?? 0;
  }

  /** Milliseconds, evaluation included. */
  perStep(step: number): number {
    return (performance.now() - this.startedAt) / Math.max(1, step - this.from);
  }

  after(step: number): number {
    return Math.max(0, this.totalSteps - step) * this.perStep(step);
  }
}
