import { referenceBackend } from "../backends/reference/index.ts";
import type { Backend, Executable, Feeds } from "../compile/backend.ts";
import { type HostData, sizeOf } from "../core/dtype.ts";
import { HostArray } from "../core/host-array.ts";
import type { Equation, Program, Var } from "../ir/program.ts";
import { isPrimitive } from "../ops/table.ts";
import { Random } from "./random.ts";
import type { RandomProgram } from "./random-program.ts";
import { samplePrimitives } from "./samples/table.ts";

export type Mismatch = {
  /** The result's or state's path. */
  readonly path: string;
  /** The element that is furthest off. */
  readonly index: number;
  readonly got: number;
  readonly expected: number;
  readonly allowed: number;
};

export type Comparison = {
  readonly compared: number;
  readonly mismatches: readonly Mismatch[];
  /** Paths left out: rounding alone moves them too far, or across a jump. */
  readonly unstable: readonly string[];
};

type Values = ReadonlyMap<string, HostData>;

/** Runs a program on its values; results and then the state, by path. */
export async function runProgram(backend: Backend, sample: RandomProgram): Promise<Values> {
  const store = backend.createStore();
  for (const [path, value] of Object.entries(sample.stored)) store.write(path, value);
  const executable: Executable = await backend.compile(sample.program, store);
  const { results } = await executable.run(sample.steps, sample.feeds);
  const values = new Map<string, HostData>();
  for (const { path, role } of sample.program.outputs)
    values.set(`${role} ${path}`, role === "state" ? (await store.read(path)).data : (results[path] as HostData));
  return values;
}

/** Two units in the last place of single precision. */
const NOISE = 2 ** -22;

/** The same program with f32 inputs, and results that single precision does not give exactly, each off by some rounding. */
function disturbed(sample: RandomProgram, seed: number): RandomProgram {
  const random = new Random(seed);
  const factor = (): number => 1 + random.uniform(-NOISE, NOISE);
  const move = (data: HostData): HostData =>
    data instanceof Float32Array ? Float64Array.from(data, (x) => x * factor()) : data;
  const feeds: Feeds = Object.fromEntries(Object.entries(sample.feeds).map(([path, data]) => [path, move(data)]));
  const stored = Object.fromEntries(
    Object.entries(sample.stored).map(([path, { dtype, shape, data }]) => [
      path,
      new HostArray(dtype, shape, move(data)),
    ]),
  );
  return { ...sample, program: noisy(sample.program, factor), feeds, stored };
}

/** Each inexact f32 result times its own factors. Sums, products and the like of single elements are exact everywhere. */
function noisy(program: Program, factor: () => number): Program {
  let nextId = 0;
  const count = (p: Program): void => {
    for (const { value } of p.inputs) nextId = Math.max(nextId, value.id + 1);
    for (const { outputs, programs } of p.equations) {
      for (const { id } of outputs) nextId = Math.max(nextId, id + 1);
      programs?.forEach(count);
    }
  };
  count(program);
  const visit = (p: Program): Program => ({ ...p, equations: p.equations.flatMap(rewrite) });
  const rewrite = (eq: Equation): Equation[] => {
    if (eq.programs) return [{ ...eq, programs: eq.programs.map(visit) }];
    const [out] = eq.outputs;
    if (out?.aval.dtype !== "f32" || !isPrimitive(eq.primitive) || samplePrimitives[eq.primitive].ulps === 0)
      return [eq];
    const plain: Var = { id: nextId++, aval: out.aval };
    const factors: Var = { id: nextId++, aval: out.aval };
    const data = Float64Array.from({ length: sizeOf(out.aval.shape) }, factor);
    const value = new HostArray("f32", out.aval.shape, data);
    return [
      { ...eq, outputs: [plain, ...eq.outputs.slice(1)] },
      { ...eq, primitive: "array", params: { value }, inputs: [], outputs: [factors] },
      { ...eq, primitive: "mul", params: {}, inputs: [plain, factors], outputs: [out] },
    ];
  };
  return visit(program);
}

const scaleOf = (data: HostData): number => {
  let most = 0;
  for (const x of data) if (Number.isFinite(x)) most = Math.max(most, Math.abs(x));
  return most;
};

/** Distance of two values; equal infinities and NaNs are none apart. */
function apart(a: number, b: number): number {
  return Object.is(a, b) || a === b ? 0 : Number.isNaN(a - b) ? Infinity : Math.abs(a - b);
}

function farthest(a: HostData, b: HostData): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, apart(a[i] as number, b[i] as number));
  return most;
}

/**
 * Compares a backend with the reference on a program. Integers must be equal. For f32 the error allowed comes from the
 * program itself: 8 times what single precision costs the reference, plus 4 times what two units in the last place in the
 * inputs and in every inexact result cost, plus 32 units in the last place of the largest element. What moves by more than
 * 1 % that way, or across a jump, is left out.
 */
export async function compareWithReference(backend: Backend, sample: RandomProgram): Promise<Comparison> {
  const double = referenceBackend({ precision: "f64" });
  const exact = await runProgram(double, sample);
  const single = await runProgram(referenceBackend(), sample);
  const nearby: Values[] = [];
  for (const seed of [1, 2, 3]) nearby.push(await runProgram(double, disturbed(sample, seed)));
  const got = await runProgram(backend, sample);

  let compared = 0;
  const mismatches: Mismatch[] = [];
  const unstable: string[] = [];
  for (const [path, expected] of exact) {
    const rounding = farthest(expected, single.get(path) as HostData);
    const motion = Math.max(...nearby.map((values) => farthest(expected, values.get(path) as HostData)));
    const scale = scaleOf(expected);
    const isFloat = expected instanceof Float64Array;
    const allowed = isFloat ? 8 * rounding + 4 * motion + 32 * 2 ** -24 * scale + 2 ** -126 : 0;
    if (isFloat ? !(allowed <= 0.01 * Math.max(scale, 1e-3)) : rounding + motion > 0) {
      unstable.push(path);
      continue;
    }
    compared++;
    const actual = got.get(path) as HostData;
    let worst = -1;
    let distance = allowed;
    for (let i = 0; i < expected.length; i++) {
      const d = apart(actual[i] as number, expected[i] as number);
      if (d > distance) [worst, distance] = [i, d];
    }
    if (actual.length !== expected.length) worst = Math.min(actual.length, expected.length);
    if (worst >= 0)
      mismatches.push({
        path,
        index: worst,
        got: actual[worst] as number,
        expected: expected[worst] as number,
        allowed,
      });
  }
  return { compared, mismatches, unstable };
}
