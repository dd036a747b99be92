import { OptionError } from "../../core/errors.ts";
import { checkNames, show } from "../range.ts";
import type { ScheduleForm } from "./form.ts";
import { refuseReactive } from "./reactive.ts";
import { fromEquation, isSchedule, type RunLength, type Schedule, type ScheduleData } from "./schedule.ts";
import { readSpan, SPAN_NAMES, type SpanOptions, stepsOf } from "./span.ts";

/** A schedule and how long it lasts; the last stage lasts until the end and has no length. */
export type Stage = SpanOptions & { readonly schedule: Schedule };

export type Join = Schedule & {
  readonly kind: "join";
  readonly stages: readonly Stage[];
  /** The step at which each stage begins. */
  starts(run: RunLength): readonly number[];
};

export const isJoin = (schedule: Schedule): schedule is Join => schedule.kind === "join";

/**
 * One schedule after another. Each stage counts steps and epochs from its own start, and the run it sees is the stage: so
 * `cosine(rate)` after a warm-up of 5 % spans the other 95 %. A stage's `fraction` is of the whole run that `join` sees.
 *
 * As optax.join_schedules and PyTorch's SequentialLR: the first step of a stage is the stage's own step 0.
 *
 * Text form: stages with a bar between them, `"warmup 5% | cosine"`; a stage other than warmup says how long it lasts:
 * `"constant for 10ep | exp 0.05"`. Throws OptionError for no stages, a stage without a length that is not the last, a last
 * stage with one, and a plateau as a stage (it is a factor on the whole: `reduceOnPlateau(join([...]))`).
 *
 * @example
 * const rate = schedule.join([{ schedule: schedule.warmup(0.1), steps: 10 }, { schedule: schedule.cosine(0.1) }]);
 * [0, 5, 10, 60, 110].map((step) => rate.at(step, { totalSteps: 110 })) // -> [0, 0.05, 0.1, 0.05, 0]
 */
export function join(stages: readonly Stage[]): Join {
  const owner = "join";
  if (!Array.isArray(stages) || stages.length === 0)
    throw new OptionError(`${owner}: got ${show(stages)}; expected a list of at least one stage.`, owner);
  const checked = stages.map((stage, i) => {
    const where = `${owner}: stage ${i + 1}`;
    checkNames(where, stage, ["schedule", ...SPAN_NAMES]);
    const { schedule } = stage;
    if (!isSchedule(schedule))
      throw new OptionError(`${where}: got schedule = ${show(schedule)}; expected a schedule.`, owner);
    refuseReactive(where, schedule, owner);
    const span = readSpan(where, stage);
    const last = i === stages.length - 1;
    if (last !== (span === undefined))
      throw new OptionError(
        last
          ? `${where}: got a length; expected none for the last stage.`
          : `${where}: got no length; expected one of ${SPAN_NAMES.join(", ")}.`,
        owner,
      );
    return { schedule, span };
  });
  const kept: readonly Stage[] = checked.map(({ schedule, span }) => ({ schedule, ...span }));
  const data = { stages: checked.map(({ schedule, span }) => ({ schedule: schedule.toJSON(), ...span })) };
  const at = (step: number, run: RunLength): number => {
    let start = 0;
    for (const { schedule, span } of checked) {
      const rest = run.totalSteps === undefined ? undefined : run.totalSteps - start;
      const length = span === undefined ? rest : stepsOf(owner, span, run);
      if (span === undefined || length === undefined || step < start + length)
        return schedule.at(step - start, { ...run, ...(length !== undefined && { totalSteps: length }) });
      start += length;
    }
    throw new RangeError("join: the last stage has no end");
  };
  const starts = (run: RunLength): readonly number[] => {
    const steps = [0];
    for (const { span } of checked)
      if (span !== undefined) steps.push((steps.at(-1) as number) + stepsOf(owner, span, run));
    return steps;
  };
  return { ...fromEquation("join", data, at), stages: kept, starts };
}

export const joinForm: ScheduleForm = {
  kind: "join",
  equation: "a = stage i at (t - its start)",
  source: "optax.join_schedules; torch.optim.lr_scheduler.SequentialLR",
  options: { stages: "a list of { schedule, steps | epochs | fraction }; the last has no length" },
  text: "warmup 5% | cosine",
  revive({ stages }, child) {
    if (!Array.isArray(stages)) throw new OptionError(`join: got stages = ${show(stages)}; expected a list.`, "join");
    return join(stages.map(({ schedule, ...span }: ScheduleData) => ({ ...span, schedule: child(schedule) })));
  },
};
