import type { Program } from "../../ir/program.ts";
import { verifyProgram } from "../../ir/verify.ts";
import { isPrimitive, primitiveOf } from "../../ops/table.ts";

/**
 * Verifies a program against the table of primitives, and returns it.
 *
 * Errors: InvalidProgramError names the equation at fault.
 */
export function checkProgram(program: Program): Program {
  return verifyProgram(program, ({ primitive, params, inputs }) =>
    isPrimitive(primitive) ? primitiveOf(primitive).shape(params, ...inputs.map((v) => v.aval)) : null,
  );
}
