import { OptionError } from "../core/errors.ts";
import { isReactive, type ReactionState, type Reactive } from "../optim/schedules/reactive.ts";
import type { RunLength } from "../optim/schedules/schedule.ts";
import type { HyperValue } from "../trace/update-context.ts";
import type { Metrics } from "./events.ts";

/** The schedules of a run that depend on reports: gives them each epoch's validation metrics and keeps what they decided. */
export class Plateaus {
  private readonly found = new Map<Reactive, { readonly value: HyperValue; state: ReactionState }>();

  private run: RunLength = {};

  /** The hyperparameter as the step reads it; the same object each time. */
  read(hyper: HyperValue): HyperValue {
    if (!isReactive(hyper)) return hyper;
    const known = this.found.get(hyper);
    if (known !== undefined) return known.value;
    const { reaction } = hyper;
    const value: HyperValue = {
      at: (step, run) => reaction.rate(hyper.at(step, run), this.found.get(hyper)?.state ?? reaction.initial),
    };
    this.found.set(hyper, { value, state: reaction.initial });
    return value;
  }

  get any(): boolean {
    return this.found.size > 0;
  }

  /** Takes the length of the run. Throws OptionError where a plateau has nothing to watch. */
  begin(run: RunLength, hasValidation: boolean): void {
    this.run = run;
    if (this.any && !hasValidation)
      throw new OptionError(
        "fit: got a plateau schedule and no validation data; expected `validation`, whose metric it watches.",
        "validation",
      );
  }

  /** An epoch's metrics, after which `step` is the next. */
  observe(validation: Metrics, step: number): void {
    for (const [schedule, entry] of this.found) {
      const { base, reaction } = schedule;
      entry.state = reaction.observe(entry.state, reaction.watched(validation), base.at(step, this.run));
    }
  }

  save(): readonly ReactionState[] {
    return [...this.found.values()].map(({ state }) => state);
  }

  load(states: readonly ReactionState[]): void {
    [...this.found.values()].forEach((entry, i) => {
      const state = states[i];
      if (state !== undefined) entry.state = state;
    });
  }
}
