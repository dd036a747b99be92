import { OptionError } from "../../core/errors.ts";
import { checkNames, checkNumber } from "../range.ts";
import type { RunLength } from "./schedule.ts";

/** A length of training: optimizer steps, epochs, or a fraction of the steps that the schedule sees. */
export type Span = { readonly steps: number } | { readonly epochs: number } | { readonly fraction: number };

/** The same as optional fields of a schedule's options; at most one may be given. */
export type SpanOptions = { readonly steps?: number; readonly epochs?: number; readonly fraction?: number };

export type TimeUnit = "epoch" | "step";

export const SPAN_NAMES: readonly string[] = ["steps", "epochs", "fraction"];

/** The one span among the options, checked, or undefined when there is none. */
export function readSpan(owner: string, options: SpanOptions): Span | undefined {
  const given = SPAN_NAMES.filter((name) => options[name as keyof SpanOptions] !== undefined);
  if (given.length > 1)
    throw new OptionError(`${owner}: got ${given.join(" and ")}; expected one of ${SPAN_NAMES.join(", ")}.`, owner);
  const { steps, epochs, fraction } = options;
  if (steps !== undefined) {
    checkNumber(owner, "steps", steps, { min: 1, integer: true });
    return { steps };
  }
  if (epochs !== undefined) {
    checkNumber(owner, "epochs", epochs, { above: 0 });
    return { epochs };
  }
  if (fraction !== undefined) {
    checkNumber(owner, "fraction", fraction, { above: 0, max: 1 });
    return { fraction };
  }
  return undefined;
}

export function stepsPerEpoch(owner: string, run: RunLength): number {
  if (run.stepsPerEpoch === undefined)
    throw new OptionError(
      `${owner}: got no stepsPerEpoch; expected one. Hint: count in steps instead of epochs.`,
      owner,
    );
  return run.stepsPerEpoch;
}

export function totalSteps(owner: string, run: RunLength): number {
  if (run.totalSteps === undefined)
    throw new OptionError(`${owner}: got no totalSteps; expected one. Hint: give a length in steps or epochs.`, owner);
  return run.totalSteps;
}

/** The span in whole steps, rounded. */
export function stepsOf(owner: string, span: Span, run: RunLength): number {
  if ("steps" in span) return span.steps;
  if ("epochs" in span) return Math.round(span.epochs * stepsPerEpoch(owner, run));
  return Math.round(span.fraction * totalSteps(owner, run));
}

/** The span in steps, the whole run where there is none, without rounding: for shapes that need not begin at a step. Above 0. */
export function lengthOf(owner: string, span: Span | undefined, run: RunLength): number {
  if (span === undefined) return totalSteps(owner, run);
  if ("fraction" in span) return span.fraction * totalSteps(owner, run);
  return "steps" in span ? span.steps : span.epochs * stepsPerEpoch(owner, run);
}

/** A span that an option holds, checked. */
export function checkSpan(owner: string, name: string, value: unknown): Span {
  checkNames(`${owner}: ${name}`, value, SPAN_NAMES);
  const span = readSpan(`${owner}: ${name}`, value as SpanOptions);
  if (span === undefined)
    throw new OptionError(`${owner}: got no length for ${name}; expected one of ${SPAN_NAMES.join(", ")}.`, owner);
  return span;
}

/** Whole steps of the span, or of the run where there is none. */
export function wholeSteps(owner: string, span: Span | undefined, run: RunLength): number {
  return span === undefined ? totalSteps(owner, run) : stepsOf(owner, span, run);
}

/** t of e^(-kt) and 1/(1 + kt): steps or epochs since the start, whole ones only when `staircase`. */
export function timeAt(owner: string, step: number, run: RunLength, per: TimeUnit, staircase: boolean): number {
  const t = per === "step" ? step : step / stepsPerEpoch(owner, run);
  return staircase ? Math.floor(t) : t;
}
