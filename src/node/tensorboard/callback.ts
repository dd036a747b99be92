import { OptionError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import { hyperparametersEnd, type Summary } from "../../io/tensorboard.ts";
import type { Callback, Control, TrainEvent } from "../../train/events.ts";
import { EventFile, eventFilesIn } from "./event-file.ts";
import {
  filterSummaries,
  type Hyperparameters,
  pictureSummaries,
  startSummaries,
  summariesOf,
  weightSummaries,
} from "./summaries.ts";

export type TensorboardOptions = {
  /** Steps between two points of the scalars `step/...`, `rate` and `time/step_ms`; 0: none. Default 1. */
  readonly everySteps?: number;
  /** Histograms of all weights, at the start and after each epoch. Default true. */
  readonly histograms?: boolean;
  /** A picture of the filters of a first convolution over grey or RGB pictures, as often. Default true. */
  readonly filters?: boolean;
  /** Pictures [N, H, W] or [N, C, H, W], the first 16 of which are shown at the start; a function is asked for them then. Default none. */
  readonly pictures?: HostArray | (() => HostArray | undefined);
  /** For the HParams page. Default: the names and numbers of the run's configuration. */
  readonly hyperparameters?: Hyperparameters;
};

/**
 * Writes a run to a folder as TensorBoard reads it, while it trains: `tensorboard --logdir <folder>`. Scalars of each step
 * (`step/loss`, `rate`), of each epoch (`train/...`, `validation/...`) and of the test, histograms of the weights, pictures, the
 * configuration as text and as hyperparameters. The x axis counts steps. A run that is resumed goes on in its folder.
 *
 * One run per folder; a function is asked for the folder when the run has started. Errors: OptionError where the folder has
 * another run's events, DataError where it cannot be written.
 *
 * @example
 * await fit(model, { ...options, callbacks: [tensorboard("logs/first")] });
 */
export function tensorboard(folder: string | (() => string), options: TensorboardOptions = {}): Callback {
  const { everySteps = 1 } = options;
  if (!Number.isSafeInteger(everySteps) || everySteps < 0)
    throw new OptionError(
      `tensorboard: got everySteps ${everySteps}; expected a whole number of at least 0.`,
      "everySteps",
    );
  return new Tensorboard(folder, { ...options, everySteps });
}

class Tensorboard implements Callback {
  readonly name = "tensorboard";
  private readonly folder: string | (() => string);
  private readonly options: TensorboardOptions & { readonly everySteps: number };
  /** Made at the first event after the start, which says whether the run goes on. */
  private file: EventFile | undefined;
  private beginning: readonly Summary[] = [];
  private step = 0;

  constructor(folder: string | (() => string), options: TensorboardOptions & { readonly everySteps: number }) {
    this.folder = folder;
    this.options = options;
  }

  on(event: TrainEvent, control: Control): void | Promise<void> {
    if (event.type === "start") return this.start(event, control);
    const file = this.file ?? this.open(event);
    if ("step" in event) this.step = event.step;
    if (event.type === "step") {
      const { everySteps } = this.options;
      if (everySteps > 0 && event.step % everySteps === 0) this.write(file, summariesOf(event));
      return undefined;
    }
    if (event.type === "rollback") this.restart(file, event.to);
    this.write(file, summariesOf(event));
    if (event.type === "end") {
      const time = Date.now() / 1000;
      this.write(file, [hyperparametersEnd(event.reason === "failed" ? "failure" : "success", time)]);
    }
    if (event.type === "epoch") return this.epoch(file, control);
    file.flush();
    return undefined;
  }

  private async start(event: TrainEvent & { type: "start" }, control: Control): Promise<void> {
    const { hyperparameters } = this.options;
    const pictures = typeof this.options.pictures === "function" ? this.options.pictures() : this.options.pictures;
    this.file = undefined;
    this.step = 0;
    this.beginning = [
      ...startSummaries(event, hyperparameters),
      ...(pictures === undefined ? [] : await pictureSummaries("inputs", pictures)),
      ...(await this.ofWeights(control)),
    ];
  }

  private open(event: TrainEvent): EventFile {
    const folder = typeof this.folder === "string" ? this.folder : this.folder();
    const used = eventFilesIn(folder);
    const goesOn = event.type === "resume";
    if (used.length > 0 && !goesOn)
      throw new OptionError(
        `tensorboard: got ${folder}, which has the events of another run (${used[0]}); expected a folder for each run.`,
        folder,
      );
    this.file = new EventFile(folder);
    this.step = goesOn ? event.step : 0;
    if (used.length === 0) this.write(this.file, this.beginning);
    else this.restart(this.file, this.step);
    this.beginning = [];
    this.file.flush();
    return this.file;
  }

  private async epoch(file: EventFile, control: Control): Promise<void> {
    this.write(file, await this.ofWeights(control));
    file.flush();
  }

  private async ofWeights(control: Control): Promise<Summary[]> {
    const { histograms = true, filters = true } = this.options;
    if (!histograms && !filters) return [];
    const weights = await control.weights();
    return [...(histograms ? weightSummaries(weights) : []), ...(filters ? await filterSummaries(weights) : [])];
  }

  private write(file: EventFile, summaries: readonly Summary[]): void {
    if (summaries.length > 0) file.write({ time: Date.now() / 1000, step: this.step, summaries });
  }

  /** Readers forget what comes after a step. */
  private restart(file: EventFile, step: number): void {
    this.step = step;
    file.write({ time: Date.now() / 1000, step: step + 1, summaries: [], session: "start" });
  }
}
