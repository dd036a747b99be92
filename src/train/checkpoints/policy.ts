import { OptionError } from "../../core/errors.ts";
import type { Metrics } from "../events.ts";
import { type MetricMode, modeOf } from "../metric-mode.ts";

/** When checkpoints are written and which are kept. Whatever it says, a run has one at its start and one at its end. */
export type CheckpointOptions = {
  /** After every so many updates. Default: no. */
  readonly everySteps?: number;
  /** At the end of every so many epochs. Default 1, or no where `everySteps` is given. */
  readonly everyEpochs?: number;
  /** When so many minutes of training have passed since the last one. Default 5; Infinity: no. */
  readonly everyMinutes?: number;
  /** The newest ones that are kept. Default 2, so that one is left where the newest is damaged. */
  readonly last?: number;
  /** Those of the best epochs that are kept beside. Default 1. */
  readonly best?: number;
  /** Which epochs are best. Default `"loss"`. */
  readonly metric?: string;
  /** Whose metric. Default: the validation's where there is validation, else the training's. */
  readonly of?: "train" | "validation";
  /** Whether smaller or larger is better. Default `"min"` for metrics that end in `loss` or `error`, else `"max"`. */
  readonly mode?: MetricMode;
};

export type CheckpointPolicy = Required<Omit<CheckpointOptions, "of">> & Pick<CheckpointOptions, "of">;

/** A checkpoint that there is, as retention sees it. */
export type Kept = {
  readonly name: string;
  readonly step: number;
  /** Of the epoch that it ends; undefined in the middle of one. */
  readonly metrics: { readonly train: Metrics; readonly validation: Metrics } | undefined;
  readonly pinned: boolean;
};

/** The options with their defaults. Throws OptionError naming one that is out of range. */
export function checkpointPolicy(options: CheckpointOptions = {}): CheckpointPolicy {
  const { everySteps = Infinity, everyMinutes = 5, last = 2, best = 1, metric = "loss", of } = options;
  const { everyEpochs = options.everySteps === undefined ? 1 : Infinity, mode = modeOf(metric) } = options;
  const policy = { everySteps, everyEpochs, everyMinutes, last, best, metric, mode, ...(of && { of }) };
  const refuse = (name: keyof CheckpointOptions, value: unknown, expected: string): void => {
    throw new OptionError(`checkpoint: got ${name} ${value}; expected ${expected}.`, name);
  };
  const whole = (name: "everySteps" | "everyEpochs" | "last" | "best", min: number): void => {
    const value = policy[name];
    if (value !== Infinity && !(Number.isSafeInteger(value) && value >= min))
      refuse(name, value, `a whole number of at least ${min}`);
  };
  whole("everySteps", 1);
  whole("everyEpochs", 1);
  whole("last", 1);
  whole("best", 0);
  if (!(everyMinutes > 0)) refuse("everyMinutes", everyMinutes, "a number above 0");
  if (typeof metric !== "string" || metric === "") refuse("metric", metric, "the name of a metric");
  if (of !== undefined && of !== "train" && of !== "validation") refuse("of", of, '"train" or "validation"');
  if (mode !== "min" && mode !== "max") refuse("mode", mode, '"min" or "max"');
  return policy;
}

/** Throws OptionError where an epoch has no metric by which the best are to be kept. */
export function checkMetric({ metric, of, best }: CheckpointPolicy, epoch: NonNullable<Kept["metrics"]>): void {
  const known = { ...(of !== "train" && epoch.validation), ...(of !== "validation" && epoch.train) };
  if (best > 0 && !(metric in known))
    throw new OptionError(
      `checkpoint: got metric "${metric}"; the ${of ?? "run's"} metrics are: ${Object.keys(known).join(", ") || "none"}.`,
      "metric",
    );
}

/** Steps until the next one that `everySteps` asks for. */
export function stepsUntilDue({ everySteps }: CheckpointPolicy, step: number): number {
  return everySteps === Infinity ? Infinity : everySteps - (step % everySteps);
}

export type Moment = {
  readonly step: number;
  /** The epoch that ended here; undefined in the middle of one. */
  readonly epochEnded: number | undefined;
  /** No update comes after. */
  readonly last: boolean;
  readonly minutesSinceLast: number;
};

/** Whether a checkpoint is due: by steps or epochs, which every repetition of the run does alike, or by the clock. */
export function dueBy(policy: CheckpointPolicy, at: Moment): "steps" | "clock" | undefined {
  const { everySteps, everyEpochs, everyMinutes } = policy;
  const bySteps = everySteps !== Infinity && at.step % everySteps === 0;
  const byEpochs = at.epochEnded !== undefined && everyEpochs !== Infinity && at.epochEnded % everyEpochs === 0;
  if (at.last || bySteps || byEpochs) return "steps";
  return at.minutesSinceLast >= everyMinutes ? "clock" : undefined;
}

/** The names of those to be removed: all but the newest `last`, the `best` by the metric (the earlier of equals) and pinned ones. */
export function removable(policy: CheckpointPolicy, kept: readonly Kept[]): string[] {
  const newest = [...kept].sort((a, b) => b.step - a.step).slice(0, policy.last);
  const scoreOf = ({ metrics }: Kept): number | undefined => {
    const of = policy.of ?? (metrics?.validation[policy.metric] === undefined ? "train" : "validation");
    const value = metrics?.[of][policy.metric];
    return value === undefined || Number.isNaN(value) ? undefined : policy.mode === "min" ? value : -value;
  };
  const best = kept
    .flatMap((checkpoint) => {
      const value = scoreOf(checkpoint);
      return value === undefined ? [] : [{ checkpoint, value }];
    })
    .sort((a, b) => a.value - b.value || a.checkpoint.step - b.checkpoint.step)
    .slice(0, policy.best)
    .map(({ checkpoint }) => checkpoint);
  const staying = new Set([...newest, ...best, ...kept.filter(({ pinned }) => pinned)]);
  return kept.filter((checkpoint) => !staying.has(checkpoint)).map(({ name }) => name);
}

/** Which of these is the best by the policy's metric; undefined where none has one. */
export function bestOf(policy: CheckpointPolicy, kept: readonly Kept[]): Kept | undefined {
  const others = new Set(
    removable(
      { ...policy, last: 0, best: 1 },
      kept.map((each) => ({ ...each, pinned: false })),
    ),
  );
  return kept.find(({ name }) => !others.has(name));
}
