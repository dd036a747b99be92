import { OptionError } from "../../core/errors.ts";
import { checkChoice, checkFlag, checkNames, checkNumber } from "../range.ts";
import { type StageForm, stageForm } from "./form.ts";
import * as phrase from "./phrases.ts";
import { fromEquation, type Schedule, type ScheduleData } from "./schedule.ts";
import { rise } from "./shape.ts";
import { readSpan, SPAN_NAMES, type SpanOptions, wholeSteps } from "./span.ts";

const LIKES = ["pytorch", "optax", "fastai"] as const;
const USUAL = {
  pytorch: { up: 0.3, finalDiv: 1e4 },
  optax: { up: 0.3, finalDiv: 1e4 },
  fastai: { up: 0.25, finalDiv: 1e5 },
} as const;

/** T is `steps`, `epochs` or `fraction` of the run; default the whole run (within `join`: the whole stage). */
export type OneCycleOptions = SpanOptions & {
  /** Whose nodes (table below) and defaults. Default "pytorch". */
  readonly like?: (typeof LIKES)[number];
  /** "cosine" (default) or "linear" between the nodes. */
  readonly shape?: "cosine" | "linear";
  /** The share of T on the way up. Default 0.3 (like fastai: 0.25). */
  readonly up?: number;
  /** The value at step 0 is the rate / div. Default 25. */
  readonly div?: number;
  /** The end is the start / finalDiv (like fastai: the rate / finalDiv). Default 1e4 (like fastai: 1e5). */
  readonly finalDiv?: number;
  /** The value at step 0 itself, instead of `div`. */
  readonly from?: number;
  /** The value at the end itself, instead of `finalDiv`. */
  readonly end?: number;
  /** Like pytorch: down to the start as fast as up, and then to the end. Default false. */
  readonly threePhase?: boolean;
  /** Like optax, linear: the share of T after which the value is at the start again. Default 0.85. */
  readonly back?: number;
};

type Node = readonly [step: number, value: number];

/**
 * Up to the rate and far down again within one run: half cosines or lines between the nodes of `like`, with p = up.
 *
 * | like | nodes (step: value), i = a0 / div, then the end |
 * |---|---|
 * | pytorch | 0: i, pT - 1: a0, T - 1: i / finalDiv |
 * | pytorch, threePhase | 0: i, pT - 1: a0, 2 pT - 2: i, T - 1: i / finalDiv |
 * | optax, cosine | 0: i, floor(pT): a0, T: i / finalDiv |
 * | optax, linear | 0: i, floor(pT): a0, floor(back T): i, T: i / finalDiv |
 * | fastai | 0: i, pT: a0, T: a0 / finalDiv |
 *
 * PyTorch raises past T, here the end stays. For the momentum, which moves the other way: `oneCycleMomentum`.
 *
 * Text form: `"onecycle"`, `"onecycle 20ep up 25% linear like fastai"`, `"onecycle div 10 finaldiv 1000 threephase"`. Throws OptionError
 * for values out of range; `at` throws it when the length of the run is needed and unknown.
 *
 * Source: Smith and Topin, "Super-Convergence", 2018; torch.optim.lr_scheduler.OneCycleLR; optax.cosine_onecycle_schedule.
 *
 * @example
 * const rate = schedule.oneCycle(1, { like: "optax", shape: "linear", div: 10, finalDiv: 10, back: 0.9 });
 * [0, 30, 60, 90, 100].map((step) => rate.at(step, { totalSteps: 100 }).toFixed(2)) // -> ["0.10", "1.00", "0.55", "0.10", "0.01"]
 */
export function oneCycle(rate: number, options: OneCycleOptions = {}): Schedule {
  const owner = "oneCycle";
  checkNumber(owner, "rate", rate, { min: 0 });
  const names = ["like", "shape", "up", "div", "finalDiv", "from", "end", "threePhase", "back"];
  checkNames(owner, options, [...names, ...SPAN_NAMES]);
  const { like = "pytorch", shape = "cosine", threePhase = false, div = 25, from, end } = options;
  checkChoice(owner, "like", like, LIKES);
  checkChoice(owner, "shape", shape, ["cosine", "linear"]);
  checkFlag(owner, "threePhase", threePhase);
  for (const [one, other] of [
    ["from", "div"],
    ["end", "finalDiv"],
  ] as const)
    if (options[one] !== undefined && options[other] !== undefined)
      throw new OptionError(`${owner}: got ${one} and ${other}; expected one of them.`, owner);
  const three = like === "optax" && shape === "linear";
  if (threePhase && like !== "pytorch")
    throw new OptionError(
      `${owner}: got threePhase with like = "${like}"; expected like "pytorch".`,
      `${owner}.threePhase`,
    );
  if (options.back !== undefined && !three)
    throw new OptionError(
      `${owner}: got back; expected it only with like "optax" and shape "linear".`,
      `${owner}.back`,
    );
  const { up, finalDiv, back } = { ...USUAL[like], back: 0.85, ...options };
  checkNumber(owner, "up", up, { above: 0, below: 1 });
  checkNumber(owner, "back", back, { min: three ? up : 0, max: 1 });
  checkNumber(owner, "div", div, { above: 0 });
  checkNumber(owner, "finalDiv", finalDiv, { above: 0 });
  if (from !== undefined) checkNumber(owner, "from", from, { min: 0 });
  if (end !== undefined) checkNumber(owner, "end", end, { min: 0 });
  if (threePhase) checkNumber(owner, "up", up, { above: 0, max: 0.5 });
  const span = readSpan(owner, options);
  const first = from ?? rate / div;
  const last = end ?? (like === "fastai" ? rate : first) / finalDiv;
  const nodes = (T: number): readonly Node[] => {
    if (like === "fastai")
      return [
        [0, first],
        [up * T, rate],
        [T, last],
      ];
    if (like === "pytorch") {
      const middle: readonly Node[] = threePhase ? [[2 * up * T - 2, first]] : [];
      return [[0, first], [up * T - 1, rate], ...middle, [T - 1, last]];
    }
    const middle: readonly Node[] = three ? [[Math.floor(back * T), first]] : [];
    return [[0, first], [Math.floor(up * T), rate], ...middle, [T, last]];
  };
  const data = {
    rate,
    like,
    ...(shape !== "cosine" && { shape }),
    up,
    ...(from === undefined ? { div } : { from }),
    ...(end === undefined ? { finalDiv } : { end }),
    ...(threePhase && { threePhase }),
    ...(three && { back }),
    ...span,
  };
  return fromEquation(owner, data, (step, run) => {
    let before: Node = [0, first];
    for (const node of nodes(wholeSteps(owner, span, run))) {
      const [start, from] = before;
      const [stop, to] = node;
      if (step < stop) return from + (to - from) * rise(shape, (step - start) / (stop - start));
      before = node;
    }
    return last;
  });
}

/**
 * The momentum beside `oneCycle`: from `high` (default 0.95) down to `low` (default 0.85) while the rate rises, and back. The other
 * options are those of the rate's `oneCycle`. It is `oneCycle(low, { ...options, from: high, end: high })`.
 *
 * Text form: `"onecycle from 0.95 to 0.95"` at the momentum 0.85. Throws OptionError as `oneCycle` does.
 *
 * @example
 * const momentum = schedule.oneCycleMomentum({ like: "fastai" });
 * [0, 25, 100].map((step) => momentum.at(step, { totalSteps: 100 })) // -> [0.95, 0.85, 0.95]
 */
export function oneCycleMomentum(
  options: Omit<OneCycleOptions, "div" | "finalDiv" | "from" | "end"> & {
    readonly low?: number;
    readonly high?: number;
  } = {},
): Schedule {
  const { low = 0.85, high = 0.95, ...others } = options;
  return oneCycle(low, { ...others, from: high, end: high });
}

const usual = (key: "up" | "finalDiv") => (data: ScheduleData) =>
  USUAL[(data as OneCycleOptions).like ?? "pytorch"][key];

export const oneCycleForm: StageForm = stageForm({
  kind: "oneCycle",
  equation: "a = half cosines or lines from a0 / div up to a0 at a share of T, and down to the end at T",
  source: 'Smith and Topin, "Super-Convergence", 2018; torch.optim.lr_scheduler.OneCycleLR',
  options: {
    steps: "T in steps",
    epochs: "T in epochs",
    fraction: "T as a fraction of the run; default 1",
    like: 'whose peak, end and defaults: "pytorch" (default), "optax", "fastai"',
    shape: '"cosine" (default) or "linear"',
    up: "the share of T on the way up; default 0.3 (like fastai: 0.25)",
    div: "the value at step 0 is a0 / div; default 25",
    finalDiv: "the end is the start / finalDiv; default 1e4 (like fastai: a0 / 1e5)",
    from: "the value at step 0 itself",
    end: "the value at the end itself",
    threePhase: "like pytorch: back to the start, as fast as up, before the end; default false",
    back: "like optax, linear: the share of T at which it is back at the start; default 0.85",
  },
  conventions:
    "of T = 100 steps PyTorch peaks at 29 and ends at 99, optax peaks at 30 and ends at 100, fastai peaks at 25 and ends at 100; the momentum moves the other way: `oneCycleMomentum`",
  word: "onecycle",
  text: "onecycle",
  lasts: true,
  phrases: [
    phrase.length("20ep"),
    phrase.share("up", "up", usual("up")),
    phrase.share("back", "back", 0.85),
    phrase.choice(["linear", "cosine"], "shape", "cosine"),
    phrase.flag("threephase", "threePhase"),
    phrase.number("div", "div", 25),
    phrase.number("finaldiv", "finalDiv", usual("finalDiv")),
    phrase.number("from", "from", undefined),
    phrase.number("to", "end", undefined),
    phrase.choice(LIKES, "like", "pytorch", "like"),
  ],
  build: (rate, options) => oneCycle(rate, options),
});
