import type { Schedule, ScheduleData } from "./schedule.ts";

/** What a checkpoint must keep of a reaction; plain data. */
export type ReactionState = Readonly<Record<string, unknown>>;

/** What reports make of a rate: pure, with all memory in the state. */
export interface Reaction<S extends ReactionState = ReactionState> {
  readonly options: ScheduleData;
  readonly initial: S;
  /** The state after a report; `base` is the rate below at that time. A NaN never improves. */
  observe(state: S, report: number, base?: number): S;
  /** The rate in this state, given the one below. */
  rate(base: number, state: S): number;
  /** What `watch` names among the validation metrics. Throws OptionError when it is not there. */
  watched(metrics: Readonly<Record<string, number>>): number;
}

/** A schedule whose rate depends on reports: `at` is that of `base`, and `reaction` says what becomes of it. */
export type Reactive<K extends string = string, S extends ReactionState = ReactionState> = Schedule & {
  readonly kind: K;
  readonly base: Schedule;
  readonly reaction: Reaction<S>;
};
