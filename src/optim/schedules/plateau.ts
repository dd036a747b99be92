import { OptionError } from "../../core/errors.ts";
import { checkChoice, checkNames, checkNumber } from "../range.ts";
import { checkWatch, type Reaction, WATCH_OPTIONS, type WatchOptions, watchedBy } from "./reactive.ts";

const LIKES = ["lecture", "pytorch", "keras", "optax", "fastai"] as const;

export type PlateauOptions = WatchOptions & {
  /** What the rate is multiplied by. Default 0.5 (all but the lecture: 0.1). */
  readonly factor?: number;
  /** Reports without improvement before a reduction; see `like`. Default 0 (PyTorch, Keras, optax: 10; fastai: 1). */
  readonly patience?: number;
  /** How much better a report must be. Default 0 (PyTorch, Keras, optax: 1e-4). */
  readonly threshold?: number;
  /** The threshold is a share of the best report, or a number. Default "relative" (Keras, fastai: "absolute"). */
  readonly thresholdMode?: "relative" | "absolute";
  /** How much better besides, absolutely: optax's `atol`. Default 0. */
  readonly atol?: number;
  /** Reports after a reduction that do not count. Default 0. */
  readonly cooldown?: number;
  /** The rate is never reduced below this. Default 0. */
  readonly minRate?: number;
  /** The product of the reductions never falls below this: optax's `min_scale`. Default 0. */
  readonly minScale?: number;
  /** A reduction by no more than this is left out. Default 0 (PyTorch: 1e-8). */
  readonly eps?: number;
  /** So many reports are averaged to one: optax's `accumulation_size`. Default 1. */
  readonly average?: number;
  /**
   * Whose counting. "lecture" (default) and "pytorch" reduce when more than `patience` reports in a row brought no
   * improvement; "keras", "optax" and "fastai" at `patience` of them: so lecture's 0 is their 1.
   */
  readonly like?: (typeof LIKES)[number];
};

/** What a checkpoint must keep; plain data. */
export type PlateauState = {
  /** Reductions so far. */
  readonly reductions: number;
  /** Best report so far, or null before the first. */
  readonly best: number | null;
  /** Reports in a row without improvement. */
  readonly bad: number;
  /** Reports left that do not count. */
  readonly cooldown: number;
  /** Where reports are averaged: those since the last mean. */
  readonly waiting?: readonly (number | null)[];
};

export type Plateau = Reaction<PlateauState> & { readonly options: Required<PlateauOptions> };

const none = { atol: 0, cooldown: 0, minRate: 0, minScale: 0, average: 1 } as const;

export const PLATEAU_DEFAULTS: Readonly<
  Record<(typeof LIKES)[number], Omit<Required<PlateauOptions>, "mode" | "watch" | "like">>
> = {
  lecture: { ...none, factor: 0.5, patience: 0, threshold: 0, thresholdMode: "relative", eps: 0 },
  pytorch: { ...none, factor: 0.1, patience: 10, threshold: 1e-4, thresholdMode: "relative", eps: 1e-8 },
  keras: { ...none, factor: 0.1, patience: 10, threshold: 1e-4, thresholdMode: "absolute", eps: 0 },
  optax: { ...none, factor: 0.1, patience: 10, threshold: 1e-4, thresholdMode: "relative", eps: 0 },
  fastai: { ...none, factor: 0.1, patience: 1, threshold: 0, thresholdMode: "absolute", eps: 0 },
};

export const PLATEAU_OPTIONS: Readonly<Record<string, string>> = {
  factor: "what the rate is multiplied by; default 0.5 (like all others: 0.1)",
  patience: "reports without improvement that are borne; default 0 (like pytorch, keras, optax: 10; fastai: 1)",
  threshold: "how much better a report must be; default 0 (like pytorch, keras, optax: 1e-4)",
  thresholdMode: '"relative" to the best (default), or "absolute" (like keras, fastai)',
  atol: "how much better besides, absolutely; default 0",
  cooldown: "reports after a reduction that do not count; default 0",
  minRate: "the rate is never reduced below this; default 0",
  minScale: "all reductions together are never below this; default 0",
  eps: "a reduction by no more than this is left out; default 0 (like pytorch: 1e-8)",
  average: "so many reports are averaged to one; default 1",
  like: `whose counting and defaults: ${LIKES.map((like) => `"${like}"`).join(", ")}; default "lecture"`,
  ...WATCH_OPTIONS,
};

/**
 * The decision behind `reduceOnPlateau`, pure: a state and a report give the next state. The lecture's rule: whenever the
 * validation error stops improving, multiply the rate by a constant.
 *
 * A report is better if it is below best (1 - threshold) - atol, or with `thresholdMode` "absolute" best - threshold - atol (for "max",
 * above the same with plus). Throws OptionError for a value out of range.
 *
 * Source: CS231n, "training neural networks, part 2"; torch.optim.lr_scheduler.ReduceLROnPlateau; keras.callbacks.ReduceLROnPlateau;
 * optax.contrib.reduce_on_plateau; fastai.callback.tracker.ReduceLROnPlateau.
 *
 * @example
 * const p = schedule.plateau({ factor: 0.5 });
 * [1, 0.8, 0.9, 0.7].reduce(p.observe, p.initial) // -> { reductions: 1, best: 0.7, bad: 0, cooldown: 0 }
 */
export function plateau(options: PlateauOptions = {}): Plateau {
  const owner = "plateau";
  checkNames(owner, options, Object.keys(PLATEAU_OPTIONS));
  const { like = "lecture" } = options;
  checkChoice(owner, "like", like, LIKES);
  const resolved = { ...PLATEAU_DEFAULTS[like], ...options, ...checkWatch(owner, options), like };
  const { factor, patience, threshold, thresholdMode, atol, cooldown, minRate, minScale, eps, average, mode } =
    resolved;
  checkNumber(owner, "factor", factor, { above: 0, below: 1 });
  checkNumber(owner, "patience", patience, { min: 0, integer: true });
  if (like === "optax" && patience === 0)
    throw new OptionError(
      `${owner}: got patience = 0 like optax, which would reduce at each improvement; expected an integer at least 1.`,
      `${owner}.patience`,
    );
  checkNumber(owner, "threshold", threshold, { min: 0 });
  checkChoice(owner, "thresholdMode", thresholdMode, ["relative", "absolute"]);
  checkNumber(owner, "atol", atol, { min: 0 });
  checkNumber(owner, "cooldown", cooldown, { min: 0, integer: true });
  checkNumber(owner, "minRate", minRate, { min: 0 });
  checkNumber(owner, "minScale", minScale, { min: 0, max: 1 });
  checkNumber(owner, "eps", eps, { min: 0 });
  checkNumber(owner, "average", average, { min: 1, integer: true });

  const sign = mode === "min" ? 1 : -1;
  const improves = (value: number, best: number | null): boolean => {
    if (best === null) return !Number.isNaN(value);
    const bound = thresholdMode === "relative" ? best * (1 - sign * threshold) : best - sign * threshold;
    return sign * value < sign * bound - atol;
  };
  const atPatience = like !== "lecture" && like !== "pytorch";
  // Keras counts the report that ends a cooldown, the others do not.
  const endsEarly = like === "keras";
  const decide = (state: PlateauState, value: number): PlateauState => {
    const better = improves(value, state.best);
    const best = better ? value : state.best;
    const left = Math.max(0, state.cooldown - 1);
    const cooling = endsEarly ? left > 0 : state.cooldown > 0;
    const bad = better || cooling ? 0 : state.bad + 1;
    const { reductions } = state;
    if (bad > 0 && (atPatience ? bad >= patience : bad > patience))
      return { reductions: reductions + 1, best, bad: 0, cooldown };
    return { reductions, best, bad, cooldown: left };
  };
  return {
    options: resolved,
    initial: { reductions: 0, best: null, bad: 0, cooldown: 0 },
    observe(state, report) {
      if (average === 1) return decide(state, report);
      const waiting = [...(state.waiting ?? []), Number.isNaN(report) ? null : report];
      if (waiting.length < average) return { ...state, waiting };
      const sum = waiting.reduce<number>((sum, value) => sum + (value ?? Number.NaN), 0);
      return { ...decide(state, sum / average), waiting: [] };
    },
    rate(base, { reductions }) {
      let [rate, scale] = [base, 1];
      for (let n = 0; n < reductions; n++) {
        const reduced = Math.max(scale * factor, minScale);
        const next = Math.max(base * reduced, minRate);
        if (rate - next <= eps) break;
        rate = next;
        scale = reduced;
      }
      return rate;
    },
    watched: watchedBy(owner, resolved.watch),
  };
}
