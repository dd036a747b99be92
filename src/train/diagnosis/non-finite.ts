import { lastUses } from "../../backends/reference/plan.ts";
import { wasmBackend } from "../../backends/wasm/index.ts";
import type { Backend, Feeds } from "../../compile/backend.ts";
import { formatAval } from "../../core/dtype.ts";
import { HostArray } from "../../core/host-array.ts";
import type { Equation, Phase, Program, Var } from "../../ir/program.ts";

/** The first value of a step that is not finite, and what made it. */
export type NonFiniteOrigin = {
  /** The operation as printed programs and profiles name it, such as `log %57`; "parameter" or "data" where it came in so. */
  readonly operation: string;
  readonly layer: string;
  readonly phase: Phase;
  /** Type of the tensor, or the name of what came in. */
  readonly tensor: string;
  readonly nan: number;
  readonly infinite: number;
  /** Where the first of them is, by axis. */
  readonly index: readonly number[];
  /** All of it in a sentence. */
  readonly text: string;
};

export type Replay = {
  /** The step's program before the compiler's work. */
  readonly program: Program;
  /** The step's feeds. */
  readonly feeds: Feeds;
  /** State and data by their paths. */
  read(path: string): Promise<HostArray>;
};

/** Each operation is compiled by itself; memory of so many goes at a time. */
const OPERATIONS_A_BACKEND = 24;
const PARAMS = "state.params.";
const DATA = "data.";
const INDICES = "batch.indices";

type Counts = { readonly nan: number; readonly infinite: number; readonly first: number };

/**
 * Repeats a step one operation after another and finds the first that makes a NaN; where it does so of an infinity, the
 * operation that made that one of finite numbers. Infinities that are constants, such as masks before a softmax, are meant.
 * Undefined where nothing goes wrong in the repetition.
 */
export async function findNonFinite(replay: Replay): Promise<NonFiniteOrigin | undefined> {
  const { program, feeds } = replay;
  const values = new Map<number, HostArray>();
  for (const { path, value, role } of program.inputs) {
    const given = role === "feed" ? asArray(value, feeds[path] as Feeds[string]) : await replay.read(path);
    values.set(value.id, given);
    if (path.startsWith(PARAMS)) {
      const found = countsOf(given);
      if (found.nan + found.infinite > 0) return asInput("parameter", path.slice(PARAMS.length), given, found);
    }
  }
  const inData = dataOrigin(program, values);
  if (inData !== undefined) return inData;

  const made = new Map<number, { readonly eq: Equation; readonly counts: Counts; readonly cause: string }>();
  const ends = lastUses(program);
  let backend: Backend = wasmBackend();
  for (const [i, eq] of program.equations.entries()) {
    if (i % OPERATIONS_A_BACKEND === 0) backend = wasmBackend();
    const inputs = eq.inputs.map(({ id }) => values.get(id) as HostArray);
    const outputs = await runAlone(backend, eq, inputs);
    const cameIn = eq.inputs.some(({ id }) => (made.get(id)?.counts.nan ?? 0) > 0);
    for (const [at, output] of outputs.entries()) {
      const { id } = eq.outputs[at] as Var;
      values.set(id, output);
      const counts = countsOf(output);
      if (counts.nan + counts.infinite === 0) continue;
      made.set(id, { eq, counts, cause: causeOf(eq, inputs) });
      if (counts.nan > 0 && !cameIn) return originOf(overflowBehind(id, made) ?? id, made);
    }
    for (const id of ends[i] ?? []) values.delete(id);
  }
  const loss = program.outputs.find(({ path }) => path === "loss")?.value.id;
  const source = loss === undefined || !made.has(loss) ? undefined : (overflowBehind(loss, made) ?? loss);
  return source === undefined ? undefined : originOf(source, made);
}

type Made = ReadonlyMap<number, { readonly eq: Equation; readonly counts: Counts; readonly cause: string }>;

/** Back along infinite inputs to the operation that made an infinity of finite numbers; undefined where it is a constant. */
function overflowBehind(id: number, made: Made): number | undefined {
  const seen = new Set<number>();
  const walk = (at: number): number | undefined => {
    const found = made.get(at);
    if (found === undefined || seen.has(at)) return undefined;
    seen.add(at);
    const { eq } = found;
    const infinite = eq.inputs.filter((input) => made.has(input.id));
    if (infinite.length > 0) return infinite.map((input) => walk(input.id)).find((source) => source !== undefined);
    return eq.inputs.length === 0 ? undefined : at;
  };
  return walk(id);
}

function originOf(id: number, made: Made): NonFiniteOrigin {
  const { eq, counts, cause } = made.get(id) as NonNullable<ReturnType<Made["get"]>>;
  const value = eq.outputs.find((output) => output.id === id) as Var;
  const operation = `${eq.primitive} %${id}`;
  const layer = eq.site;
  const where = layer === "" ? `the ${eq.phase} phase` : `${layer}, ${eq.phase}`;
  const tensor = formatAval(value.aval);
  return {
    operation,
    layer,
    phase: eq.phase,
    tensor,
    nan: counts.nan,
    infinite: counts.infinite,
    index: indexOf(counts.first, value.aval.shape),
    text: `It began with ${operation} in ${where}: ${amount(counts)} in ${tensor}${cause}`,
  };
}

function asInput(operation: string, tensor: string, { shape }: HostArray, found: Counts): NonFiniteOrigin {
  return {
    operation,
    layer: "",
    phase: operation === "data" ? "sample" : "update",
    tensor,
    nan: found.nan,
    infinite: found.infinite,
    index: indexOf(found.first, shape),
    text: `It began with the ${operation} ${tensor}, ${amount(found)} before this step`,
  };
}

/** Arrays of the data set that are not finite in the samples of this batch. */
function dataOrigin(program: Program, values: ReadonlyMap<number, HostArray>): NonFiniteOrigin | undefined {
  const rows = program.inputs.find(({ path }) => path === INDICES);
  const indices = rows === undefined ? [] : (values.get(rows.value.id)?.data ?? []);
  for (const { path, value } of program.inputs) {
    const array = values.get(value.id);
    if (!path.startsWith(DATA) || array?.dtype !== "f32") continue;
    const width = array.data.length / (array.shape[0] ?? 1);
    for (const row of indices) {
      const found = countsOf(new HostArray("f32", [width], array.data.subarray(row * width, (row + 1) * width)));
      if (found.nan + found.infinite === 0) continue;
      const sample = asInput("data", path.slice(DATA.length), array, { ...found, first: row * width + found.first });
      return { ...sample, text: `It began with sample ${row} of the data, ${amount(found)} in its ${sample.tensor}` };
    }
  }
  return undefined;
}

async function runAlone(backend: Backend, eq: Equation, inputs: readonly HostArray[]): Promise<HostArray[]> {
  const store = backend.createStore();
  const paths = inputs.map((_, i) => `data.x${i}`);
  inputs.forEach((input, i) => {
    store.write(paths[i] as string, input);
  });
  const outputs = eq.outputs.map((value, i) => ({ path: `y${i}`, value, role: "result" as const }));
  // One value may be read twice.
  const values = eq.inputs.map((value, i) => ({ ...value, id: -1 - i }));
  const program: Program = {
    inputs: values.map((value, i) => ({ path: paths[i] as string, value, role: "data" })),
    equations: [{ ...eq, inputs: values }],
    outputs,
  };
  const executable = await backend.compile(program, store);
  const { results } = await executable.run(1, {});
  return eq.outputs.map((value, i) => asArray(value, results[`y${i}`] as Feeds[string]));
}

function asArray({ aval: { dtype, shape } }: Var, data: Feeds[string]): HostArray {
  return new HostArray(dtype, shape, dtype === "f32" && data instanceof Float64Array ? Float32Array.from(data) : data);
}

function countsOf({ dtype, data }: HostArray): Counts {
  let nan = 0;
  let infinite = 0;
  let first = -1;
  if (dtype === "f32")
    for (let i = 0; i < data.length; i++) {
      const x = data[i] as number;
      if (Number.isFinite(x)) continue;
      if (first < 0) first = i;
      if (Number.isNaN(x)) nan++;
      else infinite++;
    }
  return { nan, infinite, first };
}

function amount({ nan, infinite }: Counts): string {
  return [nan > 0 ? `${nan} NaN` : "", infinite > 0 ? `${infinite} infinite` : ""]
    .filter((part) => part !== "")
    .join(" and ");
}

function indexOf(place: number, shape: readonly number[]): number[] {
  let rest = place;
  return shape
    .toReversed()
    .map((size) => {
      const at = rest % size;
      rest = Math.floor(rest / size);
      return at;
    })
    .reverse();
}

/** In words why, where that can be seen from the inputs. */
function causeOf({ primitive }: Equation, inputs: readonly HostArray[]): string {
  const ranges = inputs.map(({ dtype, data }) => {
    let [least, most, zeros] = [Infinity, -Infinity, 0];
    if (dtype === "f32")
      for (let i = 0; i < data.length; i++) {
        const x = data[i] as number;
        if (x < least) least = x;
        if (x > most) most = x;
        if (x === 0) zeros++;
      }
    return { least, most, zeros };
  });
  const [a, b] = ranges;
  const show = (x: number): string => x.toPrecision(3);
  if (a === undefined) return "";
  if (primitive === "log" && a.least < 0) return `, the logarithm of ${show(a.least)}`;
  if (primitive === "log" && a.zeros > 0) return ", the logarithm of 0";
  if (primitive === "sqrt" && a.least < 0) return `, the root of ${show(a.least)}`;
  if (primitive === "div" && b !== undefined && b.zeros > 0) return ", a division by 0";
  if (primitive === "exp" && a.most > 88) return `, the exponential of ${show(a.most)}`;
  const largest = Math.max(
    ...ranges.flatMap(({ least, most }) => (least > most ? [] : [Math.abs(least), Math.abs(most)])),
  );
  return Number.isFinite(largest) ? `, its inputs reach ${show(largest)}` : "";
}
