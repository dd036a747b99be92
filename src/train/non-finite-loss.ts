import { TrainingError } from "../core/errors.ts";
import type { NonFiniteOrigin } from "./diagnosis/non-finite.ts";
import type { Weights } from "./events.ts";

/** A non-finite loss: that step did not commit. `weights` are the last that are finite throughout. */
export class NonFiniteLossError extends TrainingError {
  readonly step: number;
  readonly epoch: number;
  readonly rate: number | undefined;
  readonly weights: Weights;
  /** What was not finite first; undefined where that could not be found. */
  readonly origin: NonFiniteOrigin | undefined;

  constructor(message: string, at: Pick<NonFiniteLossError, "step" | "epoch" | "rate" | "weights" | "origin">) {
    super(message, `step ${at.step}`);
    this.step = at.step;
    this.epoch = at.epoch;
    this.rate = at.rate;
    this.weights = at.weights;
    this.origin = at.origin;
  }
}
