import type { Program, Var } from "../ir/program.ts";

/**
 * State does not keep denormal numbers: a moment that fades (m = 0.9 m) would stop at the smallest ones instead of at 0, and
 * arithmetic on those took 15 to 60 times as long. Looking at every value that is stored made the update of 10 M parameters by
 * Adam a fifth slower, so it is done in each step whose count of completed updates is a multiple of this power of two.
 */
const EVERY = 8;

/** Keeps the low bits of the count that are 0 when state is to be settled. */
export const SETTLE_MASK: number = EVERY - 1;

/** Where the count of completed updates stands among the state. */
export const COMPLETED = "completed";

/** The count of completed updates among a program's state. Programs without one settle their state in each step. */
export function countOf(program: Program): Var | undefined {
  return program.inputs.find(
    ({ path, role, value }) =>
      path === COMPLETED && role === "state" && value.aval.dtype === "i32" && value.aval.shape.length === 0,
  )?.value;
}
