import type { Checkpoint } from "./checkpoints/checkpoint.ts";
import type { TrainEvent } from "./events.ts";
import { type Task, Totals } from "./task.ts";

export type EpochEvent = TrainEvent & { readonly type: "epoch" };

type Saved = Pick<
  Checkpoint,
  "step" | "epoch" | "done" | "totals" | "history" | "overrides" | "rollbacks" | "stopReason" | "timeSpentMs"
>;

/** Where a training stands, beside the arrays of its state. */
export class Position {
  /** Attempted updates. */
  step = 0;
  /** The epoch that is trained, from 1. */
  epoch = 1;
  /** Steps of that epoch that are done. */
  done = 0;
  /** Sums over those steps. */
  totals: Totals;
  history: EpochEvent[] = [];
  /** Hyperparameters fixed by hand. */
  overrides: Map<string, number> = new Map();
  rollbacks: Checkpoint["rollbacks"] = { count: 0, rateFactor: 1 };
  stopReason: string | undefined;
  private readonly task: Task;
  private spentBefore = 0;
  private readonly since: number = performance.now();

  constructor(task: Task) {
    this.task = task;
    this.totals = new Totals(task);
  }

  /** Milliseconds of training in all sessions. */
  get spentMs(): number {
    return this.spentBefore + performance.now() - this.since;
  }

  endEpoch(event: EpochEvent): void {
    this.history.push(event);
    this.epoch++;
    this.done = 0;
    this.totals = new Totals(this.task);
  }

  save(): Saved {
    const { step, epoch, done, rollbacks } = this;
    return {
      step,
      epoch,
      done,
      rollbacks,
      totals: this.totals.save(),
      history: [...this.history],
      overrides: Object.fromEntries(this.overrides),
      stopReason: this.stopReason ?? null,
      timeSpentMs: this.spentMs,
    };
  }

  /** Goes to where a checkpoint stands. The time of other sessions counts with `sessions` alone. */
  load(saved: Saved, sessions: boolean): void {
    const { step, epoch, done, rollbacks } = saved;
    Object.assign(this, { step, epoch, done, rollbacks });
    this.totals = new Totals(this.task);
    this.totals.load(saved.totals);
    this.history = [...saved.history];
    this.overrides = new Map(Object.entries(saved.overrides));
    this.stopReason = saved.stopReason ?? undefined;
    if (sessions) this.spentBefore = saved.timeSpentMs;
  }
}
