import { checkChoice, checkFlag, checkNames, checkNumber } from "../range.ts";
import type { ReactiveForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import {
  checkWatch,
  FACTOR_PHRASE,
  type Reactive,
  reactive,
  reactiveForm,
  WATCH_OPTIONS,
  WATCH_PHRASES,
  type WatchOptions,
  watchedBy,
} from "./reactive.ts";
import type { Hyper } from "./schedule.ts";

export type GreedyOptions = WatchOptions & {
  /** The rate is divided by this after improvements and multiplied by it without. Default 0.95. */
  readonly factor?: number;
  /** It moves when more than so many reports in a row were better, or not better. Default 10. */
  readonly patience?: number;
  /** How much better a report must be. Default 1e-6. */
  readonly threshold?: number;
  /** The threshold is a number (default), or a share of the best report. */
  readonly thresholdMode?: "absolute" | "relative";
  /** Reports after a reduction that do not count. Default 0. */
  readonly cooldown?: number;
  /** Reports after an increase that do not count. Default 0. */
  readonly warmup?: number;
  /** Default 1e-3. */
  readonly minRate?: number;
  /** Default 1. */
  readonly maxRate?: number;
  /** A change by no more than this is left out. Default 1e-8. */
  readonly eps?: number;
  /** Compare the mean of the last `window` reports. Default false. */
  readonly smooth?: boolean;
  /** Default 50. */
  readonly window?: number;
  /** After so many reductions at the least rate, all begins anew at the rate given. Default 500. */
  readonly reset?: number;
};

/** What a checkpoint must keep; plain data. */
export type GreedyState = {
  /** The rate is so many times the one below. */
  readonly scale: number;
  readonly best: number | null;
  readonly good: number;
  readonly bad: number;
  /** Reports left that do not count, after a reduction and after an increase. */
  readonly cooldown: number;
  readonly warmup: number;
  /** Reductions left at the least rate before all begins anew. */
  readonly reset: number;
  /** The reports that are averaged, where they are. */
  readonly recent: readonly (number | null)[];
};

export type Greedy = Reactive<"greedy", GreedyState>;

/**
 * Divides the rate by `factor` after a run of improvements and multiplies it by `factor` after a run without, between `minRate` and
 * `maxRate`: GreedyLR. A factor on the rate or schedule given; see `reduceOnPlateau` for who reports.
 *
 * Defaults are Hugging Face's. There it steps once an update with the training loss, here once an epoch with the validation metric:
 * a `patience` of 0 to 2 fits that better. Options: see `GreedyOptions`.
 *
 * Text form: `"greedy 0.9 patience 1"`, `"cosine * greedy min 1e-4 max 0.5"`. Throws OptionError for a value out of range, and for a
 * schedule that itself depends on reports.
 *
 * Source: "GreedyLR: A Novel Adaptive Learning Rate Scheduler", 2025; transformers.GreedyLR.
 *
 * @example
 * const { reaction } = schedule.greedy(0.1, { factor: 0.5, patience: 1 });
 * let state = reaction.initial;
 * for (const loss of [0.9, 0.8, 0.8, 0.8]) state = reaction.observe(state, loss, 0.1);
 * reaction.rate(0.1, state) // -> 0.1
 */
export function greedy(rate: Hyper, options: GreedyOptions = {}): Greedy {
  const owner = "greedy";
  checkNames(owner, options, Object.keys(greedyForm.options));
  const resolved = {
    factor: 0.95,
    patience: 10,
    threshold: 1e-6,
    thresholdMode: "absolute" as const,
    cooldown: 0,
    warmup: 0,
    minRate: 1e-3,
    maxRate: 1,
    eps: 1e-8,
    smooth: false,
    window: 50,
    reset: 500,
    ...options,
    ...checkWatch(owner, options),
  };
  const { factor, patience, threshold, thresholdMode, cooldown, warmup, minRate, maxRate, eps, smooth, window } =
    resolved;
  checkNumber(owner, "factor", factor, { above: 0, below: 1 });
  checkNumber(owner, "patience", patience, { min: 0, integer: true });
  checkNumber(owner, "threshold", threshold, { min: 0 });
  checkChoice(owner, "thresholdMode", thresholdMode, ["absolute", "relative"]);
  checkNumber(owner, "cooldown", cooldown, { min: 0, integer: true });
  checkNumber(owner, "warmup", warmup, { min: 0, integer: true });
  checkNumber(owner, "minRate", minRate, { min: 0 });
  checkNumber(owner, "maxRate", maxRate, { min: minRate });
  checkNumber(owner, "eps", eps, { min: 0 });
  checkFlag(owner, "smooth", smooth);
  checkNumber(owner, "window", window, { min: 1, integer: true });
  checkNumber(owner, "reset", resolved.reset, { min: 1, integer: true });

  const sign = resolved.mode === "min" ? 1 : -1;
  const improves = (value: number, best: number | null): boolean => {
    if (best === null) return !Number.isNaN(value);
    const bound = thresholdMode === "relative" ? best * (1 - sign * threshold) : best - sign * threshold;
    return sign * value < sign * bound;
  };
  const initial: GreedyState = {
    scale: 1,
    best: null,
    good: 0,
    bad: 0,
    cooldown: 0,
    warmup: 0,
    reset: resolved.reset,
    recent: [],
  };

  const increased = (state: GreedyState, base: number): GreedyState => {
    const old = base * state.scale;
    const next = Math.min(old / factor, maxRate);
    const scale = next - old > eps ? next / base : state.scale;
    return { ...state, scale, good: 0, warmup, reset: resolved.reset };
  };
  const reduced = (state: GreedyState, base: number): GreedyState => {
    const old = base * state.scale;
    const next = Math.max(old * factor, minRate);
    const moves = old - next > eps;
    // The scale times the base may be off the least rate by its last bit.
    const least = (moves ? next : old) <= minRate * (1 + 1e-12);
    const reset = least ? state.reset - 1 : state.reset;
    if (reset <= 0) return { ...initial, cooldown };
    return { ...state, scale: moves ? next / base : state.scale, bad: 0, cooldown, reset };
  };

  return reactive("greedy", rate, {
    options: resolved,
    initial,
    observe(before, report, base = 1) {
      const recent = smooth ? [...before.recent, Number.isNaN(report) ? null : report].slice(-window) : [];
      const state = { ...before, recent };
      const value = smooth ? recent.reduce<number>((sum, one) => sum + (one ?? Number.NaN), 0) / recent.length : report;
      if (state.cooldown > 0) return { ...state, cooldown: state.cooldown - 1, good: 0, bad: 0 };
      if (state.warmup > 0) return { ...state, warmup: state.warmup - 1, good: 0, bad: 0 };
      const better = improves(value, state.best);
      const next = better
        ? { ...state, best: value, bad: 0, good: state.good + 1 }
        : { ...state, bad: state.bad + 1, good: 0 };
      if (next.good > patience) return increased(next, base);
      return next.bad > patience ? reduced(next, base) : next;
    },
    rate: (base, state) => base * state.scale,
    watched: watchedBy(owner, resolved.watch),
  });
}

export const greedyForm: ReactiveForm = reactiveForm({
  kind: "greedy",
  equation: "a = a(t) factor^n, n up after a run of reports without improvement, down after a run of improvements",
  source: '"GreedyLR: A Novel Adaptive Learning Rate Scheduler", 2025; transformers.GreedyLR',
  options: {
    factor: "the rate is divided by it or multiplied by it; default 0.95",
    patience: "it moves when more than so many reports in a row agree; default 10",
    threshold: "how much better a report must be; default 1e-6",
    thresholdMode: '"absolute" (default), or "relative" to the best',
    cooldown: "reports after a reduction that do not count; default 0",
    warmup: "reports after an increase that do not count; default 0",
    minRate: "default 1e-3",
    maxRate: "default 1",
    eps: "a change by no more than this is left out; default 1e-8",
    smooth: "compare the mean of the last reports; default false",
    window: "how many those are; default 50",
    reset: "all begins anew after so many reductions at the least rate; default 500",
    ...WATCH_OPTIONS,
  },
  conventions:
    "Hugging Face reports the training loss of each update; here the validation metric of each epoch is reported",
  word: "greedy",
  text: "greedy 0.9 patience 1",
  phrases: [
    FACTOR_PHRASE,
    phrase.number("patience", "patience", 10),
    phrase.number("threshold", "threshold", 1e-6),
    phrase.choice(["absolute", "relative"], "thresholdMode", "absolute"),
    phrase.number("cooldown", "cooldown", 0),
    phrase.number("warmup", "warmup", 0),
    phrase.number("min", "minRate", 1e-3),
    phrase.number("max", "maxRate", 1),
    phrase.number("eps", "eps", 1e-8),
    phrase.flag("smooth", "smooth"),
    phrase.number("window", "window", 50),
    phrase.number("reset", "reset", 500),
    phrase.choice(["max", "min"], "mode", "min", "mode"),
    ...WATCH_PHRASES.slice(1),
  ],
  build: (base, options) => greedy(base, options),
});
