import { OptionError } from "../../core/errors.ts";
import { checkChoice, show, wrongOption } from "../range.ts";
import { constant } from "./constant.ts";
import type { ReactiveForm } from "./form.ts";
import { choice, type Phrase } from "./phrases.ts";
import type { Reaction, ReactionState, Reactive } from "./reaction.ts";
import { fromEquation, type Hyper, isSchedule, type Schedule } from "./schedule.ts";

export type { Reaction, ReactionState, Reactive } from "./reaction.ts";

/** Narrows to the schedules whose `reaction` wants reports. */
export function isReactive(value: unknown): value is Reactive {
  return isSchedule(value) && typeof (value as Partial<Reactive>).reaction === "object";
}

/** Refuses a reactive schedule where one must not stand: it is a factor on the whole. */
export function refuseReactive(where: string, schedule: Schedule, owner: string): void {
  if (isReactive(schedule))
    throw new OptionError(
      `${where}: got ${schedule.kind}; expected it around the whole, as ${schedule.kind}(${owner}(...)).`,
      owner,
    );
}

export function reactive<K extends string, S extends ReactionState>(
  kind: K,
  rate: Hyper,
  reaction: Reaction<S>,
): Reactive<K, S> {
  const base = isSchedule(rate) ? rate : constant(rate);
  if (isReactive(base))
    throw new OptionError(`${kind}: got ${base.kind}; expected a rate or a schedule that needs no reports.`, kind);
  const data = { base: base.toJSON(), ...reaction.options };
  return { ...fromEquation(kind, data, (step, run) => base.at(step, run)), base, reaction };
}

export function reactiveForm(form: Omit<ReactiveForm, "revive">): ReactiveForm {
  return {
    ...form,
    revive({ kind, base, ...options }, child) {
      if (typeof base !== "object") throw new OptionError(`${kind}: got base = ${show(base)}; expected a schedule.`);
      return form.build(child(base), options);
    },
  };
}

/** Which reports, and which of them are better. */
export type WatchOptions = {
  /** "min" (default): smaller is better. "max": larger is. */
  readonly mode?: "min" | "max";
  /** The validation metric reported: "loss" (default), "error" (1 - accuracy) or the name of another metric. */
  readonly watch?: string;
};

export const WATCH_OPTIONS: Readonly<Record<string, string>> = {
  mode: '"min" (default) or "max"',
  watch: 'the validation metric: "loss" (default), "error" (1 - accuracy) or another',
};

export function checkWatch(owner: string, { mode = "min", watch = "loss" }: WatchOptions): Required<WatchOptions> {
  checkChoice(owner, "mode", mode, ["min", "max"]);
  if (typeof watch !== "string" || !/^[a-z_][\w.-]*$/i.test(watch))
    throw wrongOption(owner, "watch", watch, "the name of a metric");
  return { mode, watch };
}

/** The metric that `watch` names. */
export function watchedBy(owner: string, watch: string): Reaction["watched"] {
  return (metrics) => {
    const value = watch === "error" && metrics.accuracy !== undefined ? 1 - metrics.accuracy : metrics[watch];
    if (value !== undefined) return value;
    throw new OptionError(
      `${owner}: got watch = "${watch}"; expected one of the validation metrics: ${Object.keys(metrics).join(", ")}.`,
      `${owner}.watch`,
    );
  };
}

/** `max watch accuracy`. */
export const WATCH_PHRASES: readonly Phrase[] = [
  choice(["max", "min"], "mode", "min"),
  {
    form: '"watch METRIC"',
    read: (reader) => (reader.accept("watch") ? { watch: reader.name("the name of a metric") } : undefined),
    write: ({ watch }) => (watch === "loss" ? "" : `watch ${String(watch)}`),
  },
];

/** A factor by itself: `0.5`. It is always written. */
export const FACTOR_PHRASE: Phrase = {
  form: "a factor",
  read: (reader) => (reader.peekNumber() ? { factor: reader.number("a factor") } : undefined),
  write: ({ factor }) => String(factor),
};
