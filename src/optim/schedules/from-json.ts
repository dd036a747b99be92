import { OptionError } from "../../core/errors.ts";
import { show } from "../range.ts";
import type { Schedule, ScheduleData } from "./schedule.ts";
import { table } from "./table.ts";

/**
 * The schedule that `toJSON` wrote: `schedule.fromJSON(s.toJSON())` has the same `at`.
 *
 * Throws OptionError for an unknown kind, and for whatever the schedule's own constructor refuses.
 *
 * @example
 * schedule.fromJSON({ kind: "exponentialDecay", rate: 0.1, decay: 0.05 }).at(0, { stepsPerEpoch: 1 }) // -> 0.1
 */
export function fromJSON(data: unknown): Schedule {
  const kind = typeof data === "object" && data !== null ? (data as ScheduleData).kind : undefined;
  const form = table.find((row) => row.kind === kind);
  if (form === undefined)
    throw new OptionError(
      `schedule: got ${show(data)}; expected an object whose kind is one of ${table.map((row) => row.kind).join(", ")}.`,
      "schedule.kind",
    );
  return form.revive(data as ScheduleData, fromJSON);
}
