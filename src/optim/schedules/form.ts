import type { Phrase } from "./phrases.ts";
import type { Reactive } from "./reaction.ts";
import type { Schedule, ScheduleData } from "./schedule.ts";

/** One row of the schedules' table: what the documentation lists, `fromJSON` rebuilds and the command line reads. */
export interface ScheduleForm {
  readonly kind: string;
  readonly equation: string;
  readonly source: string;
  /** Options with their meaning and default. */
  readonly options: Readonly<Record<string, string>>;
  /** An example of its text form, where it has one. */
  readonly text?: string;
  /** Where the frameworks differ, and what `like` chooses. */
  readonly conventions?: string;
  /** The schedule from its data; values are checked by the constructor, `child` rebuilds schedules within. */
  revive(data: ScheduleData, child: (data: unknown) => Schedule): Schedule;
}

/** A schedule that stands on its own in the text form: a word of its own, and phrases in its options' words. */
export interface StageForm extends ScheduleForm {
  readonly text: string;
  readonly word: string;
  readonly phrases: readonly Phrase[];
  /** Its `steps`, `epochs` or `fraction` is how long it lasts; without one it lasts for the whole run or stage. */
  readonly lasts?: true;
  build(rate: number, options: ScheduleData): Schedule;
}

/** A factor on a schedule that depends on reports: the last in the text form. */
export interface ReactiveForm extends ScheduleForm {
  readonly text: string;
  readonly word: string;
  readonly phrases: readonly Phrase[];
  build(base: Schedule, options: ScheduleData): Reactive;
}

export function stageForm(form: Omit<StageForm, "revive">): StageForm {
  return { ...form, revive: ({ kind: _, rate, ...options }) => form.build(rate as number, options) };
}
