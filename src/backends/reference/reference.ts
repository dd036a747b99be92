import type { Backend, Executable, Feeds, Results, RunOptions, RunReport } from "../../compile/backend.ts";
import { countOf, SETTLE_MASK } from "../../compile/settle.ts";
import { type Aval, formatAval, type HostData, SMALLEST_NORMAL, sameShape, sizeOf } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import { printProgram } from "../../ir/print.ts";
import type { Program } from "../../ir/program.ts";
import { checkProgram } from "./check.ts";
import { interpret, type Times } from "./interpret.ts";
import { peakBytes } from "./plan.ts";
import { allocate, inPrecision, type Precision, ReferenceStore } from "./store.ts";

export type ReferenceOptions = {
  /** "f32" rounds each result to single; "f64" holds every f32 as a double, feeds and store included. Default "f32". */
  readonly precision?: Precision;
};

/**
 * The plain interpreter: one equation after another, each by its primitive's `evaluate`. Slow, and the oracle of all other
 * backends; with `precision: "f64"` also of derivatives. It verifies each program first.
 *
 * @example
 * const backend = referenceBackend({ precision: "f64" });
 */
export function referenceBackend(options: ReferenceOptions = {}): Backend {
  const precision = options.precision ?? "f32";
  return {
    name: precision === "f32" ? "reference" : "reference-f64",
    createStore: () => new ReferenceStore(precision),
    compile: async (program, store) => {
      if (!(store instanceof ReferenceStore) || store.precision !== precision)
        throw new OptionError(`compile: got a store of another backend; expected one of createStore() of this one.`);
      return new ReferenceExecutable(program, store);
    },
    close: async () => {},
  };
}

/** f32 state without denormal numbers, as the compiled backends keep it; doubles stay as they are. */
function settled(data: HostData): HostData {
  if (data instanceof Float32Array)
    for (let i = 0; i < data.length; i++) if (Math.abs(data[i] as number) < SMALLEST_NORMAL) data[i] = 0;
  return data;
}

class ReferenceExecutable implements Executable {
  readonly program: Program;
  readonly peakBytes: number;
  private readonly store: ReferenceStore;

  constructor(program: Program, store: ReferenceStore) {
    for (const { path, value, role } of program.inputs)
      if ((role === "state" || role === "data") && store.has(path)) expectType(path, store.avalOf(path), value.aval);
    this.program = checkProgram(program);
    this.store = store;
    this.peakBytes = peakBytes(program, store.precision);
  }

  async run(steps: number, feeds: Feeds, options: RunOptions = {}): Promise<RunReport> {
    const { program, store } = this;
    for (const { path, value, role } of program.inputs)
      if (role === "feed") checkFeed(path, feeds[path], value.aval, steps);
    const times: Times = { sample: 0, forward: 0, backward: 0, update: 0 };
    const collected: Record<string, HostData> = {};
    for (const { path, value, role } of program.outputs)
      if (role === "result")
        collected[path] = allocate(value.aval.dtype, steps * sizeOf(value.aval.shape), store.precision);

    const count = countOf(program);
    for (let step = 0; step < steps; step++) {
      const inputs = program.inputs.map(({ path, value, role }) => {
        if (role !== "feed") {
          const held = store.get(path);
          expectType(path, held.aval, value.aval);
          return held;
        }
        const { dtype, shape } = value.aval;
        const size = sizeOf(shape);
        const fed = (feeds[path] as HostData).subarray(step * size, (step + 1) * size);
        return inPrecision(new HostArray(dtype, shape, fed), store.precision);
      });
      const completed = inputs[program.inputs.findIndex(({ value }) => value === count)]?.data[0] ?? 0;
      const settles = (completed & SETTLE_MASK) === 0;
      const outputs = interpret(program, inputs, store.precision, options.timed && step === 0 ? times : undefined);
      const states = new Map<string, HostArray>();
      for (const [i, { path, role }] of program.outputs.entries()) {
        const { dtype, shape, data } = outputs[i] as HostArray;
        // A feed's buffer belongs to the caller, who may write to it again.
        if (role === "state")
          states.set(path, new HostArray(dtype, shape, settles ? settled(data.slice()) : data.slice()));
        else collected[path]?.set(data, step * data.length);
      }
      store.replace(states);
    }
    const results: Results = collected;
    return options.timed && steps > 0 ? { results, timeByPhase: times } : { results };
  }

  print(level: "kernels" | "target"): string {
    const what =
      level === "kernels"
        ? "# reference: nothing is fused; each equation is one kernel"
        : `# reference: no target code; each equation is evaluated in JavaScript, f32 as ${this.store.precision}`;
    return `${what}\n${printProgram(this.program)}`;
  }
}

function expectType(path: string, got: Aval, expected: Aval): void {
  if (got.dtype !== expected.dtype || !sameShape(got.shape, expected.shape))
    throw new ShapeError(
      `run: got ${formatAval(got)} in the store for ${path}; expected ${formatAval(expected)}.`,
      path,
    );
}

function checkFeed(path: string, data: HostData | undefined, aval: Aval, steps: number): void {
  const expected = steps * sizeOf(aval.shape);
  if (data?.length !== expected)
    throw new ShapeError(
      `run: got ${data ? `${data.length} values` : "nothing"} for feed ${path}; expected ${expected}, ${formatAval(aval)} for each of ${steps} steps.`,
      path,
    );
}
