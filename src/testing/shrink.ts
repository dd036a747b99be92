import { interpret } from "../backends/reference/interpret.ts";
import type { HostData } from "../core/dtype.ts";
import { HostArray } from "../core/host-array.ts";
import type { Equation, Input, Output, Program } from "../ir/program.ts";
import type { RandomProgram } from "./random-program.ts";

/** The program without equations and inputs that its outputs do not need. */
function pruned(program: Program): Program {
  const needed = new Set(program.outputs.map((output) => output.value.id));
  const equations: Equation[] = [];
  for (const equation of program.equations.toReversed()) {
    if (!equation.outputs.some((v) => needed.has(v.id))) continue;
    for (const v of equation.inputs) needed.add(v.id);
    equations.unshift(equation);
  }
  const written = new Set(program.outputs.map((output) => (output.role === "state" ? output.path : undefined)));
  const inputs = program.inputs.filter(({ path, value }) => needed.has(value.id) || written.has(path));
  return { inputs, equations, outputs: program.outputs };
}

function withProgram(sample: RandomProgram, program: Program): RandomProgram {
  const small = pruned(program);
  const paths = new Set(small.inputs.map((input) => input.path));
  const kept = <T>(values: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(values).filter(([path]) => paths.has(path)));
  return { ...sample, program: small, stored: kept(sample.stored), feeds: kept(sample.feeds) };
}

/** Only the first step. */
function oneStep(sample: RandomProgram): RandomProgram {
  const feeds = Object.fromEntries(
    Object.entries(sample.feeds).map(([path, data]): [string, HostData] => [
      path,
      data.subarray(0, data.length / sample.steps),
    ]),
  );
  return { ...sample, steps: 1, feeds };
}

/** The equation's values become feeds of their own. */
function cut(sample: RandomProgram, equation: Equation): RandomProgram {
  const { program } = sample;
  const values = program.inputs.map(({ path, value }) => {
    const { dtype, shape } = value.aval;
    return sample.stored[path] ?? new HostArray(dtype, shape, sample.feeds[path] as HostData);
  });
  const outputs = equation.outputs.map((value, i): Output => ({ path: `${i}`, value, role: "result" }));
  const found = interpret({ ...program, outputs }, values, "f32");
  const inputs = equation.outputs.map((value): Input => ({ path: `cut.${value.id}`, value, role: "feed" }));
  const feeds = Object.fromEntries(inputs.map(({ path }, i) => [path, (found[i] as HostArray).data]));
  return withProgram(
    { ...sample, feeds: { ...sample.feeds, ...feeds } },
    {
      ...program,
      inputs: [...program.inputs, ...inputs],
      equations: program.equations.filter((other) => other !== equation),
    },
  );
}

/**
 * Makes a program that fails as small as it gets while it still fails: fewer steps and outputs, what follows from the first
 * wrong value left out, and equations before it replaced by their values as feeds.
 *
 * @example
 * const small = await shrinkProgram(sample, async (s) => (await compareWithReference(backend, s)).mismatches.length > 0);
 * printProgram(small.program)
 */
export async function shrinkProgram(
  sample: RandomProgram,
  fails: (candidate: RandomProgram) => Promise<boolean>,
): Promise<RandomProgram> {
  let smallest = sample;
  const attempt = async (candidate: RandomProgram): Promise<boolean> => {
    const failed = await fails(candidate);
    if (failed) smallest = candidate;
    return failed;
  };
  if (sample.steps > 1) await attempt(oneStep(sample));
  for (const output of smallest.program.outputs) {
    const outputs = smallest.program.outputs.filter((other) => other !== output);
    if (outputs.length > 0) await attempt(withProgram(smallest, { ...smallest.program, outputs }));
  }
  // The first equation that is wrong is handed out instead of what follows from it.
  for (const equation of smallest.program.equations) {
    const outputs = equation.outputs.map((value, i): Output => ({ path: `y${i}`, value, role: "result" }));
    if (await attempt(withProgram(smallest, { ...smallest.program, outputs }))) break;
  }
  for (let shrinking = smallest.steps === 1; shrinking; ) {
    shrinking = false;
    for (const equation of smallest.program.equations)
      if (await attempt(cut(smallest, equation))) {
        shrinking = true;
        break;
      }
  }
  return smallest;
}
