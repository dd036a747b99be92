import { OptionError } from "../../core/errors.ts";
import { checkChoice, checkNames, checkNumber, show } from "../range.ts";
import type { Reader } from "./reader.ts";

export type PlateauOptions = {
  /** What the rate is multiplied by. Default 0.5 (like PyTorch and Keras: 0.1). */
  readonly factor?: number;
  /** Reports without improvement before a reduction; see `like`. Default 0 (like PyTorch and Keras: 10). */
  readonly patience?: number;
  /** How much better a report must be. Default 0 (like PyTorch: 1e-4, relative; like Keras: 1e-4, absolute). */
  readonly threshold?: number;
  /** Reports after a reduction that do not count. Default 0. */
  readonly cooldown?: number;
  /** The rate is never reduced below this. Default 0. */
  readonly minRate?: number;
  /**
   * Whose counting. "lecture" (default) and "pytorch" reduce when more than `patience` reports in a row brought no
   * improvement, "keras" at `patience` of them: so lecture's 0 is Keras's 1.
   */
  readonly like?: "lecture" | "pytorch" | "keras";
  /** "min" (default): smaller is better. "max": larger is. */
  readonly mode?: "min" | "max";
  /** The validation metric reported: "loss" (default), "error" (1 - accuracy) or the name of another metric. */
  readonly watch?: string;
};

/** What a checkpoint must keep; plain data. */
export type PlateauState = {
  /** Product of the reductions so far. */
  readonly factor: number;
  /** Best report so far, or null before the first. */
  readonly best: number | null;
  /** Reports in a row without improvement. */
  readonly bad: number;
  /** Reports left that do not count. */
  readonly cooldown: number;
};

export interface Plateau {
  readonly options: Required<PlateauOptions>;
  readonly initial: PlateauState;
  /** The state after a report. NaN never improves. */
  observe(state: PlateauState, value: number): PlateauState;
  /** The rate in this state, given the base schedule's. */
  rate(base: number, state: PlateauState): number;
  /** What `watch` names among the validation metrics. Throws OptionError when it is not there. */
  watched(metrics: Readonly<Record<string, number>>): number;
}

const DEFAULTS = {
  lecture: { factor: 0.5, patience: 0, threshold: 0 },
  pytorch: { factor: 0.1, patience: 10, threshold: 1e-4 },
  keras: { factor: 0.1, patience: 10, threshold: 1e-4 },
} as const;

const NAMES = ["factor", "patience", "threshold", "cooldown", "minRate", "like", "mode", "watch"];

/**
 * The decision behind `reduceOnPlateau`, pure: a state and a report give the next state. The lecture's rule: whenever the
 * validation error stops improving, multiply the rate by a constant.
 *
 * Throws OptionError for a value out of range. PyTorch's `eps` (ignore a change of the rate below 1e-8) is left out.
 *
 * Source: CS231n, "training neural networks, part 2"; torch.optim.lr_scheduler.ReduceLROnPlateau; keras.callbacks.ReduceLROnPlateau.
 *
 * @example
 * const p = schedule.plateau({ factor: 0.5 });
 * [1, 0.8, 0.9, 0.7].reduce(p.observe, p.initial) // -> { factor: 0.5, best: 0.7, bad: 0, cooldown: 0 }
 */
export function plateau(options: PlateauOptions = {}): Plateau {
  const owner = "plateau";
  checkNames(owner, options, NAMES);
  const { like = "lecture", mode = "min", watch = "loss" } = options;
  checkChoice(owner, "like", like, ["lecture", "pytorch", "keras"]);
  checkChoice(owner, "mode", mode, ["min", "max"]);
  const resolved = { ...DEFAULTS[like], cooldown: 0, minRate: 0, mode, watch, ...options, like };
  const { factor, patience, threshold, cooldown, minRate } = resolved;
  checkNumber(owner, "factor", factor, { above: 0, below: 1 });
  checkNumber(owner, "patience", patience, { min: 0, integer: true });
  checkNumber(owner, "threshold", threshold, { min: 0 });
  checkNumber(owner, "cooldown", cooldown, { min: 0, integer: true });
  checkNumber(owner, "minRate", minRate, { min: 0 });
  if (typeof watch !== "string" || watch === "")
    throw new OptionError(`${owner}: got watch = ${show(watch)}; expected the name of a metric.`, `${owner}.watch`);

  const sign = mode === "min" ? 1 : -1;
  const improves = (value: number, best: number | null): boolean => {
    if (best === null) return !Number.isNaN(value);
    const bound = like === "keras" ? best - sign * threshold : best * (1 - sign * threshold);
    return sign * value < sign * bound;
  };
  return {
    options: resolved,
    initial: { factor: 1, best: null, bad: 0, cooldown: 0 },
    observe(state, value) {
      const better = improves(value, state.best);
      const best = better ? value : state.best;
      // Keras counts the report that ends a cooldown, PyTorch does not.
      const left = Math.max(0, state.cooldown - 1);
      const cooling = like === "keras" ? left > 0 : state.cooldown > 0;
      const bad = better || cooling ? 0 : state.bad + 1;
      if (bad > 0 && (like === "keras" ? bad >= patience : bad > patience))
        return { factor: state.factor * factor, best, bad: 0, cooldown };
      return { factor: state.factor, best, bad, cooldown: left };
    },
    rate: (base, state) => Math.max(base * state.factor, Math.min(base, minRate)),
    watched(metrics) {
      const value = watch === "error" && metrics.accuracy !== undefined ? 1 - metrics.accuracy : metrics[watch];
      if (value !== undefined) return value;
      const names = Object.keys(metrics).join(", ");
      throw new OptionError(
        `${owner}: got watch = "${watch}"; expected one of the validation metrics: ${names}.`,
        `${owner}.watch`,
      );
    },
  };
}

const WORDS = { patience: "patience", threshold: "threshold", cooldown: "cooldown", min: "minRate" } as const;

/** `0.5`, `0.5 patience 3 threshold 0.001 cooldown 2 min 1e-5 watch error max like keras`. */
export function parsePlateau(reader: Reader): PlateauOptions {
  const options: Record<string, unknown> = reader.peekNumber() ? { factor: reader.number("a factor") } : {};
  const number = (word: keyof typeof WORDS): boolean => {
    if (!reader.accept(word)) return false;
    options[WORDS[word]] = reader.number(`a number after "${word}"`);
    return true;
  };
  for (;;) {
    if (number("patience") || number("threshold") || number("cooldown") || number("min")) continue;
    if (reader.accept("max")) options.mode = "max";
    else if (reader.accept("watch")) options.watch = reader.word("the name of a metric");
    else if (reader.accept("like")) options.like = reader.word("lecture, pytorch or keras");
    else return options;
  }
}

export function formatPlateau(options: Required<PlateauOptions>): string {
  const { like, mode, watch } = options;
  const defaults = DEFAULTS[like];
  const parts = [`plateau ${options.factor}`];
  if (options.patience !== defaults.patience) parts.push(`patience ${options.patience}`);
  if (options.threshold !== defaults.threshold) parts.push(`threshold ${options.threshold}`);
  if (options.cooldown !== 0) parts.push(`cooldown ${options.cooldown}`);
  if (options.minRate !== 0) parts.push(`min ${options.minRate}`);
  if (mode === "max") parts.push("max");
  if (watch !== "loss") parts.push(`watch ${watch}`);
  if (like !== "lecture") parts.push(`like ${like}`);
  return parts.join(" ");
}
