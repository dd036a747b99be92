import { expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import type { Backend } from "../compile/backend.ts";
import type { Equation, Program } from "../ir/program.ts";
import { compareWithReference } from "./compare.ts";
import { type RandomProgram, randomProgram } from "./random-program.ts";
import { shrinkProgram } from "./shrink.ts";

/** The reference, but for programs changed before they are compiled. */
function crooked(change: (equation: Equation) => Equation): Backend {
  const honest = referenceBackend();
  const bend = (program: Program): Program => ({
    ...program,
    equations: program.equations.map((eq) => change(eq.programs ? { ...eq, programs: eq.programs.map(bend) } : eq)),
  });
  return { ...honest, compile: (program, store) => honest.compile(bend(program), store) };
}

const renamed =
  (from: string, to: string) =>
  (eq: Equation): Equation =>
    eq.primitive === from ? { ...eq, primitive: to } : eq;

/** Programs among the first 120 that show the fault. */
async function caught(backend: Backend): Promise<number> {
  let count = 0;
  for (let seed = 0; seed < 120; seed++)
    if ((await compareWithReference(backend, randomProgram(seed))).mismatches.length > 0) count++;
  return count;
}

test("an honest backend shows no fault", async () => {
  expect(await caught(crooked((eq) => eq))).toBe(0);
});

test.each([
  ["sin", "tanh"],
  ["reduceMax", "reduceMin"],
  ["le", "lt"],
  ["floor", "round"],
])("a backend that takes %s for %s is caught", async (from, to) => {
  const count = await caught(crooked(renamed(from, to)));

  expect(count).toBeGreaterThan(0);
});

test("parameters and inputs that are mixed up are caught", async () => {
  const unflipped = crooked((eq) => (eq.primitive === "flip" ? { ...eq, params: { axes: [] } } : eq));
  expect(await caught(unflipped)).toBeGreaterThan(0);
  const exchanged = crooked((eq) => (eq.primitive === "sub" ? { ...eq, inputs: eq.inputs.toReversed() } : eq));
  expect(await caught(exchanged)).toBeGreaterThan(0);
  const forward = crooked((eq) => (eq.primitive === "scan" ? { ...eq, params: { ...eq.params, reverse: false } } : eq));
  expect(await caught(forward)).toBeGreaterThan(0);
});

test("a program that shows a fault shrinks to the primitive at fault", async () => {
  const backend = crooked(renamed("sin", "tanh"));
  const fails = async (sample: RandomProgram): Promise<boolean> =>
    (await compareWithReference(backend, sample)).mismatches.length > 0;
  let shrunk = 0;
  for (let seed = 0; seed < 60; seed++) {
    const sample = randomProgram(seed, { control: false });
    if (!(await fails(sample))) continue;
    const { program } = await shrinkProgram(sample, fails);
    expect(program.equations.map((eq) => eq.primitive)).toEqual(["sin"]);
    shrunk++;
  }
  expect(shrunk).toBeGreaterThan(0);
});
