/**
 * How many steps to hand to the backend at once: as many as fit into `targetMs`, so that stopping, changed hyperparameters and
 * redraws never wait longer, and at least one. The first call is one step: nothing is known yet.
 */
export class Pace {
  private readonly targetMs: number;
  private stepMs: number | undefined;

  constructor(targetMs = 40) {
    this.targetMs = targetMs;
  }

  /** The length of the next call, at most `limit`. */
  next(limit: number): number {
    if (this.stepMs === undefined) return Math.min(1, limit);
    return Math.max(1, Math.min(limit, Math.floor(this.targetMs / Math.max(this.stepMs, 1e-3))));
  }

  /** Takes in a call of `steps` steps; slower news count at once, faster ones by and by. */
  record(steps: number, elapsedMs: number): void {
    const ms = elapsedMs / steps;
    this.stepMs = this.stepMs === undefined || ms > this.stepMs ? ms : this.stepMs + (ms - this.stepMs) * 0.3;
  }
}
