import { OptionError } from "../../core/errors.ts";

/** What a run is, for a later session to compare. All plain data. */
export type RunIdentity = {
  /** Never changes: model, loss and what is done to its inputs. */
  readonly task: Readonly<Record<string, unknown>>;
  /** Never changes: the samples. */
  readonly data: Readonly<Record<string, unknown>>;
  /** What decides which samples a step sees and what is summed over an epoch: may change at an epoch's end in a branch. */
  readonly order: Readonly<Record<string, unknown>>;
  /** May change: epochs, optimizer, what runs it. */
  readonly free: Readonly<Record<string, unknown>>;
};

const SHOWN = 4;

/**
 * Refuses to go on with another model, other data or another order of samples: throws OptionError that says what changed.
 * A branch may change the order at the end of an epoch.
 */
export function checkIdentity(
  before: RunIdentity,
  now: RunIdentity,
  at: { readonly file: string; readonly branch: boolean; readonly done: number },
): void {
  const verb = at.branch ? "branch" : "resume";
  const refuse = (changes: readonly string[], expected: string): void => {
    if (changes.length === 0) return;
    const rest = changes.length > SHOWN ? ` and ${changes.length - SHOWN} more` : "";
    throw new OptionError(
      `${verb}: ${at.file} was written with other settings: ${changes.slice(0, SHOWN).join("; ")}${rest}. Expected ${expected}.`,
      verb,
    );
  };
  refuse(
    [...differences(before.task, now.task, ""), ...differences(before.data, now.data, "data")],
    "the same model and data. Hint: for others start a new run, from this run's weights if you like",
  );
  if (at.branch && at.done === 0) return;
  refuse(
    differences(before.order, now.order, ""),
    at.branch ? "the same in the middle of an epoch. Hint: branch off at the end of one" : "the same",
  );
}

/** Each path where two values differ, as `model.layers.1.units is 64, was 32`. */
export function differences(before: unknown, now: unknown, path: string): string[] {
  if (Object.is(before, now)) return [];
  const isBranch = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null;
  if (!isBranch(before) || !isBranch(now)) return [`${path} is ${show(now)}, was ${show(before)}`];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return keys.flatMap((key) => differences(before[key], now[key], path === "" ? key : `${path}.${key}`));
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
