import { checkNames, checkNumber } from "../range.ts";
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

export type TrendOptions = WatchOptions & {
  /** What the rate is multiplied by. Default 0.5. */
  readonly factor?: number;
  /** How many of the last reports are looked at. Default 10, at least 8. */
  readonly window?: number;
  /** The fall over the window, in median steps, below which it is a plateau. Default 4. */
  readonly falls?: number;
  /** The fall over the window, as a share of its median report, below which it is a plateau. Default 1e-4. */
  readonly threshold?: number;
  /** The rate is never reduced below this. Default 0. */
  readonly minRate?: number;
};

/** What a checkpoint must keep; plain data. */
export type TrendState = {
  readonly reductions: number;
  /** The reports since the last reduction, at most a window of them. */
  readonly recent: readonly number[];
};

export type ReduceOnTrend = Reactive<"reduceOnTrend", TrendState>;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half - 1)] as number) + (sorted[Math.floor(half)] as number)) / 2;
}

/** No report is further from the one before than so many median steps: a spike counts as a large step, not more. */
const CLAMP = 2;

/** How far the reports fell: each step clamped to twice the median step, their sum, also in units of that median. */
function fallOf(reports: readonly number[]): { readonly fall: number; readonly steps: number } {
  const moves = reports.slice(1).map((report, i) => (reports[i] as number) - report);
  const sizes = moves.map(Math.abs).filter((size) => size > 0);
  if (sizes.length === 0) return { fall: 0, steps: 0 };
  const usual = median(sizes);
  const fall = moves.reduce((sum, move) => sum + Math.max(-CLAMP * usual, Math.min(CLAMP * usual, move)), 0);
  return { fall, steps: fall / usual };
}

/**
 * Multiplies the rate by `factor` when the last reports show no fall any more. A factor on the rate or schedule given; see
 * `reduceOnPlateau` for who reports.
 *
 * A plateau by the best report misfires after a spike: while the metric falls steadily from there, nothing is better than the best.
 * This one looks at the steps between the last `window` reports r since a reduction. m is the median size of the steps that are not 0,
 * F = sum of (r_i-1 - r_i), each clamped to +-2 m: a spike is no more than one large step. It is a plateau when F < `falls` m or
 * F < `threshold` times the median |r|. A fall of equal steps has F = (window - 1) m, with a spike in it at least (window - 4) m;
 * noise around a level has F near 0, with a standard deviation below 2 m. Noise larger than the steps hides
 * a fall: where reports scatter by twice the fall between two of them or more, it is taken for a plateau; a longer window helps. After
 * a reduction the window fills anew. A report that is not
 * finite is left out.
 *
 * Text form: `"trend 0.5"`, `"cosine * trend 0.3 window 12 watch error"`. Throws OptionError for a value out of range, and for a schedule
 * that itself depends on reports.
 *
 * @example
 * const { reaction } = schedule.reduceOnTrend(0.1, { window: 8 });
 * const after = (reports) => reaction.rate(0.1, reports.reduce(reaction.observe, reaction.initial));
 * [after([1, 0.9, 0.8, 5, 4.9, 4.8, 4.7, 4.6]), after([1, 1.1, 1, 0.9, 1, 1.1, 0.9, 1])] // -> [0.1, 0.05]
 */
export function reduceOnTrend(rate: Hyper, options: TrendOptions = {}): ReduceOnTrend {
  const owner = "reduceOnTrend";
  checkNames(owner, options, Object.keys(reduceOnTrendForm.options));
  const resolved = {
    factor: 0.5,
    window: 10,
    falls: 4,
    threshold: 1e-4,
    minRate: 0,
    ...options,
    ...checkWatch(owner, options),
  };
  const { factor, window, falls, threshold, minRate } = resolved;
  checkNumber(owner, "factor", factor, { above: 0, below: 1 });
  checkNumber(owner, "window", window, { min: 8, integer: true });
  checkNumber(owner, "falls", falls, { above: 0, max: window - 4 });
  checkNumber(owner, "threshold", threshold, { min: 0 });
  checkNumber(owner, "minRate", minRate, { min: 0 });
  const sign = resolved.mode === "min" ? 1 : -1;
  // A steady fall with a spike in it may be short of its steps by rounding.
  const enough = falls * (1 - 1e-9);
  const flat = (reports: readonly number[]): boolean => {
    const { fall, steps } = fallOf(reports.map((report) => sign * report));
    return steps < enough || fall < threshold * median(reports.map(Math.abs));
  };
  const initial: TrendState = { reductions: 0, recent: [] };
  return reactive(owner, rate, {
    options: resolved,
    initial,
    observe({ reductions, recent: before }, report) {
      if (!Number.isFinite(report)) return { reductions, recent: before };
      const recent = [...before, report].slice(-window);
      return recent.length === window && flat(recent)
        ? { reductions: reductions + 1, recent: [] }
        : { reductions, recent };
    },
    rate(base, { reductions }) {
      let scale = 1;
      for (let n = 0; n < reductions; n++) scale *= factor;
      return Math.max(base * scale, Math.min(base, minRate));
    },
    watched: watchedBy(owner, resolved.watch),
  });
}

export const reduceOnTrendForm: ReactiveForm = reactiveForm({
  kind: "reduceOnTrend",
  equation: "a = a(t) factor^n, n = times that the validation metric showed no fall over a window of reports",
  source: "of this library; a plateau by the best report misfires in a steady fall after a spike",
  options: {
    factor: "what the rate is multiplied by; default 0.5",
    window: "how many of the last reports are looked at; default 10, at least 8",
    falls: "the fall over the window, in median steps, below which it is a plateau; default 4",
    threshold: "the same as a share of the median report; default 1e-4",
    minRate: "the rate is never reduced below this; default 0",
    ...WATCH_OPTIONS,
  },
  word: "trend",
  text: "trend 0.5",
  phrases: [
    FACTOR_PHRASE,
    phrase.number("window", "window", 10),
    phrase.number("falls", "falls", 4),
    phrase.number("threshold", "threshold", 1e-4),
    phrase.number("min", "minRate", 0),
    ...WATCH_PHRASES,
  ],
  build: (base, options) => reduceOnTrend(base, options),
});
