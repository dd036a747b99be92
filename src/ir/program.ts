import type { Aval } from "../core/dtype.ts";

/** The four parts of a training step; every equation belongs to one, so that time can be split over them. */
export type Phase = "sample" | "forward" | "backward" | "update";

/** In the order of a step. */
export const PHASES: readonly Phase[] = ["sample", "forward", "backward", "update"];

export type Var = { readonly id: number; readonly aval: Aval };

/** A program is data: no functions in it, so it can be posted, printed, stored. */
export type Equation = {
  readonly primitive: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: readonly Var[];
  readonly outputs: readonly Var[];
  /** Nested programs of `scan`, `while`, `cond` and `call`. */
  readonly programs?: readonly Program[];
  readonly phase: Phase;
  /** The user's call site, for errors. */
  readonly site: string;
};

/**
 * Where an input's value comes from: `state` lives in the store and may be replaced by an output of the same path,
 * `data` lives in the store and is only read, `feed` is given anew for each step by the host; changing it never recompiles.
 * `argument` is a nested program's input.
 */
export type InputRole = "state" | "data" | "feed" | "argument";
export type Input = { readonly path: string; readonly value: Var; readonly role: InputRole };

/** `state` replaces the store's value of that path when the step ends; `result` is handed back for every step. */
export type OutputRole = "state" | "result";
export type Output = { readonly path: string; readonly value: Var; readonly role: OutputRole };

export type Program = {
  readonly inputs: readonly Input[];
  readonly equations: readonly Equation[];
  readonly outputs: readonly Output[];
};
