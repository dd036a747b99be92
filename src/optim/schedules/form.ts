import type { Reader } from "./reader.ts";
import type { Schedule, ScheduleData } from "./schedule.ts";

/** One row of the schedules' table: what the documentation lists, `fromJSON` rebuilds and the command line reads. */
export interface ScheduleForm {
  readonly kind: string;
  readonly equation: string;
  readonly source: string;
  /** Options with their meaning and default. */
  readonly options: Readonly<Record<string, string>>;
  /** An example of its text form. */
  readonly text: string;
  /** The schedule from its data; values are checked by the constructor, `child` rebuilds schedules within. */
  revive(data: ScheduleData, child: (data: unknown) => Schedule): Schedule;
}

/** A schedule that stands on its own in the text form, beginning with a word of its own. */
export interface StageForm extends ScheduleForm {
  readonly word: string;
  /** The schedule from what follows its word. */
  parse(reader: Reader, rate: number): Schedule;
  /** The text form of the schedule's data, without its rate. */
  format(data: ScheduleData): string;
}
