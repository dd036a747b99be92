import { OptionError } from "../core/errors.ts";
import type { PlateauState } from "../optim/schedules/plateau.ts";
import { isReduceOnPlateau, type ReduceOnPlateau } from "../optim/schedules/reduce-on-plateau.ts";
import type { HyperValue } from "../trace/update-context.ts";
import type { Metrics } from "./events.ts";

/** The plateau schedules of a run: gives them the validation metrics of each epoch and keeps what they decided. */
export class Plateaus {
  private readonly found = new Map<ReduceOnPlateau, { readonly value: HyperValue; state: PlateauState }>();

  /** The hyperparameter as the step reads it; the same object each time. */
  read(hyper: HyperValue): HyperValue {
    if (!isReduceOnPlateau(hyper)) return hyper;
    const known = this.found.get(hyper);
    if (known !== undefined) return known.value;
    const { plateau } = hyper;
    const value: HyperValue = {
      at: (step, run) => plateau.rate(hyper.at(step, run), this.found.get(hyper)?.state ?? plateau.initial),
    };
    this.found.set(hyper, { value, state: plateau.initial });
    return value;
  }

  get any(): boolean {
    return this.found.size > 0;
  }

  /** Throws OptionError where a plateau has nothing to watch. */
  expectValidation(hasValidation: boolean): void {
    if (this.any && !hasValidation)
      throw new OptionError(
        "fit: got a plateau schedule and no validation data; expected `validation`, whose metric it watches.",
        "validation",
      );
  }

  observe(validation: Metrics): void {
    for (const [{ plateau }, entry] of this.found)
      entry.state = plateau.observe(entry.state, plateau.watched(validation));
  }

  save(): readonly PlateauState[] {
    return [...this.found.values()].map(({ state }) => state);
  }

  load(states: readonly PlateauState[]): void {
    [...this.found.values()].forEach((entry, i) => {
      const state = states[i];
      if (state !== undefined) entry.state = state;
    });
  }
}
