import { type Aval, formatAval, sameShape, sizeOf } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { formFaults } from "../core/form-faults.ts";
import { HostArray, newData } from "../core/host-array.ts";
import { foldKey, keyOf } from "../core/prng.ts";
import { leavesOf, mapTree, type Tree, unflatten } from "../core/tree.ts";
import type { Program } from "../ir/program.ts";
import type { Tensor } from "../ops/tensor.ts";
import { Key } from "../trace/random.ts";
import { beginPhase, type InputSpec, inPhase, type OutputSpec, type Tracer, traceProgram } from "../trace/trace.ts";
import {
  type Examples,
  evaluationsOf,
  type HyperValue,
  type Objective,
  type ReadHyper,
  type RunLength,
  type UpdateContext,
} from "../trace/update-context.ts";
import type { Backend, Executable, Feeds, RunOptions, RunReport, Store } from "./backend.ts";
import { COMPLETED } from "./settle.ts";

type TensorTree = Tree<Tensor>;
type HostTree = Tree<HostArray>;
/** Tensors in the form of a tree of host arrays. */
export type Traced<T> = [HostTree] extends [T]
  ? TensorTree
  : T extends HostArray | Aval
    ? Tensor
    : { readonly [K in keyof T]: Traced<T[K]> };

type HyperFeed = {
  readonly feed: string;
  readonly name: string;
  readonly value: HyperValue;
  readonly map: ((value: number) => number) | undefined;
  readonly every: number;
};

/** What a step's function is given beside its state and batch. */
export interface StepContext {
  /** The key of this step; dropout and noise fold it with their layer's path. */
  readonly key: Key;
  /** Completed updates before this step, i32[]. */
  readonly step: Tensor;
  readonly hyper: ReadHyper;
  /**
   * What an update rule needs. What is traced after this counts as the update in printed programs and times. Rules that
   * evaluate the loss again (line searches, SAM, Hessian products) need the `objective`: this batch's loss at any parameters;
   * those that need each example's gradients, the `examples`.
   */
  forUpdate<P extends TensorTree>(
    params: P,
    loss: Tensor,
    objective?: Objective<P>,
    examples?: Examples<P>,
  ): UpdateContext<P>;
}

export type StepResult = {
  /** New state, of the form of the old; left out by an evaluation, which changes nothing. */
  readonly state?: TensorTree;
  /** Handed back for every step: scalars or arrays. */
  readonly metrics?: Readonly<Record<string, Tensor>>;
  /** bool[]: where false, the whole state stays as it was and the update does not count. */
  readonly commit?: Tensor;
};

export type StepOptions<S, B, D> = {
  readonly state: S;
  /** Types of what is fed for each step; arrays stand for their types. */
  readonly batch: B;
  /** Arrays that live beside the state and are only read: a resident data set. */
  readonly data?: D;
  readonly seed?: number;
  /** Shared with another step's: its state and data are used as they are. */
  readonly store?: Store;
  readonly run?: RunLength;
  /** Receives what `tensor.print(label)` marks, after each step; `step` counts from 1. Default: the console. */
  readonly onInspect?: Inspect;
  /** Told why a batch of another shape made the step compile again. Default: a warning on the console. */
  readonly onRecompile?: (reason: string) => void;
};

/** Updates that took place, of which bias corrections are made, and those attempted, which schedules count. */
export type StepCounts = { readonly completed: number; readonly attempted: number };

export type Inspect = (label: string, step: number, value: HostArray) => void;

const printToConsole: Inspect = (label, step, { data }) =>
  console.log(`step ${step} ${label}: ${data.length === 1 ? data[0] : data}`);

/** Before the labels of printed values, among the results. */
const PRINTED = "print.";

function trace<S extends HostTree, B extends Tree<HostArray | Aval>, D extends HostTree>(
  fn: (state: Traced<S>, batch: Traced<B>, ctx: StepContext, data: Traced<D>) => StepResult,
  options: StepOptions<S, B, D>,
  hypers: HyperFeed[],
): Program {
  const typeOf = (leaf: HostArray | Aval): Aval => (leaf instanceof HostArray ? leaf.aval : leaf);
  const state = leavesOf<HostArray>(options.state, "state");
  const data = leavesOf<HostArray>(options.data ?? [], "data");
  const batch = avalLeaves(options.batch, "batch");
  const inputs: InputSpec[] = [
    ...state.map(([path, leaf]): InputSpec => ({ path, aval: leaf.aval, role: "state" })),
    { path: COMPLETED, aval: { dtype: "i32", shape: [] }, role: "state" },
    ...data.map(([path, leaf]): InputSpec => ({ path, aval: leaf.aval, role: "data" })),
    ...batch.map(([path, leaf]): InputSpec => ({ path, aval: typeOf(leaf), role: "feed" })),
    { path: "key", aval: { dtype: "i32", shape: [2] }, role: "feed" },
  ];
  return traceProgram(inputs, (tensors, tracer) => {
    const at = new Map(inputs.map((input, i) => [input.path, tensors[i] as Tensor]));
    const pick = (form: unknown, prefix: string): TensorTree => unflattenAvals(form, at, prefix);
    const completed = at.get(COMPLETED) as Tensor;
    const hyper = hyperReader(tracer, hypers);
    const key = new Key(at.get("key") as Tensor);
    const ruleMetrics = new Map<string, Tensor>();
    const ctx: StepContext = {
      key,
      step: completed,
      hyper,
      forUpdate: (params, loss, objective, examples) => {
        beginPhase(completed, "update");
        return {
          params,
          loss,
          step: completed,
          key: key.fold("update"),
          hyper,
          metric: (name, value) => ruleMetrics.set(freeName(name, ruleMetrics), value),
          ...evaluationsOf(params, objective, examples),
        };
      },
    };
    const result = fn(
      pick(options.state, "state") as Traced<S>,
      pick(options.batch, "batch") as Traced<B>,
      ctx,
      pick(options.data ?? [], "data") as Traced<D>,
    );
    const outputs: OutputSpec[] = [];
    const { commit } = result;
    if (result.state !== undefined)
      inPhase(completed, "update", () => {
        const next = new Map(leavesOf<Tensor>(result.state as TensorTree, "state"));
        for (const [path, leaf] of state) {
          const value = next.get(path);
          next.delete(path);
          if (!value) throw new ShapeError(`step: the new state lacks ${path}; expected the form of the old one.`);
          if (value.dtype !== leaf.dtype || !sameShape(value.shape, leaf.shape))
            throw new ShapeError(
              `step: ${path} enters as ${formatAval(leaf.aval)} and leaves as ${formatAval(value.aval)}; expected the same type.`,
            );
          const old = at.get(path) as Tensor;
          if (value !== old) outputs.push({ path, value: commit ? commit.select(value, old) : value, role: "state" });
        }
        if (next.size > 0)
          throw new ShapeError(
            `step: the new state has ${[...next.keys()].join(", ")}; expected the form of the old one.`,
          );
        outputs.push({ path: COMPLETED, value: completed.add(commit ? commit.cast("i32") : 1), role: "state" });
      });
    for (const [name, value] of Object.entries({ ...Object.fromEntries(ruleMetrics), ...result.metrics }))
      outputs.push({ path: name, value, role: "result" });
    return outputs;
  });
}

/** A run's length in updates of so many steps. */
function paced(run: RunLength, every: number): RunLength {
  if (every === 1) return run;
  const { stepsPerEpoch, totalSteps } = run;
  return {
    ...(stepsPerEpoch === undefined ? {} : { stepsPerEpoch: stepsPerEpoch / every }),
    ...(totalSteps === undefined ? {} : { totalSteps: totalSteps / every }),
  };
}

/** The name, or the first of name.2, name.3, ... that is not taken. */
function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  let free = name;
  for (let i = 2; taken.has(free); i++) free = `${name}.${i}`;
  return free;
}

/** Leaves of a tree that may hold plain `{dtype, shape}` objects for types. */
function avalLeaves(tree: unknown, prefix: string): (readonly [string, HostArray | Aval])[] {
  return leavesOf(wrapAvals(tree) as Tree<Leaf>, prefix).map(([path, leaf]) => [path, leaf.type]);
}

class Leaf {
  readonly type: HostArray | Aval;
  constructor(type: HostArray | Aval) {
    this.type = type;
  }
}

const isAval = (node: unknown): node is Aval =>
  typeof node === "object" &&
  node !== null &&
  typeof (node as Partial<Aval>).dtype === "string" &&
  Array.isArray((node as Partial<Aval>).shape);

function wrapAvals(node: unknown): unknown {
  if (node instanceof HostArray || isAval(node)) return new Leaf(node);
  if (Array.isArray(node)) return node.map(wrapAvals);
  return Object.fromEntries(Object.entries(node as object).map(([name, child]) => [name, wrapAvals(child)]));
}

function unflattenAvals(form: unknown, at: ReadonlyMap<string, Tensor>, prefix: string): TensorTree {
  return mapTree(wrapAvals(form) as Tree<Leaf>, (_, path) => at.get(path) as Tensor, prefix);
}

function hyperReader(tracer: Tracer, hypers: HyperFeed[]): ReadHyper {
  const made = new Map<string, Tensor>();
  return (name, value, map, every = 1) => {
    const known = hypers.find((h) => h.name === name && h.value === value && h.map === map && h.every === every);
    if (known) return made.get(known.feed) as Tensor;
    const feed = `hyper.${name}${hypers.some((h) => h.feed === `hyper.${name}`) ? `.${hypers.length}` : ""}`;
    hypers.push({ feed, name, value, map, every });
    const tensor = tracer.input(feed, { dtype: "f32", shape: [] }, "feed");
    made.set(feed, tensor);
    return tensor;
  };
}

/** The step compiled for one type of batch. */
type Variant = { readonly executable: Executable; readonly hypers: readonly HyperFeed[]; readonly batch: string };

/** A compiled step with its state. No device handle is visible; the state is read and loaded as host arrays. */
export class Step<S extends HostTree = HostTree> {
  readonly program: Program;
  readonly executable: Executable;
  readonly store: Store;
  /** Updates attempted so far: the argument of every schedule. */
  attempted = 0;
  private readonly form: S;
  private readonly seed: number;
  private readonly runLength: RunLength;
  private readonly onInspect: Inspect;
  private readonly onRecompile: (reason: string) => void;
  private readonly first: Variant;
  private readonly variants: Map<string, Variant>;
  private readonly compileFor: (batch: unknown) => Promise<Variant>;
  private readonly overrides = new Map<string, number>();
  private readonly factors = new Map<string, number>();

  constructor(
    first: Variant,
    store: Store,
    compileFor: (batch: unknown) => Promise<Variant>,
    options: StepOptions<S, unknown, unknown>,
  ) {
    this.first = first;
    this.variants = new Map([[first.batch, first]]);
    this.executable = first.executable;
    this.program = first.executable.program;
    this.store = store;
    this.compileFor = compileFor;
    this.form = options.state;
    this.seed = options.seed ?? 0;
    this.runLength = options.run ?? {};
    this.onInspect = options.onInspect ?? printToConsole;
    this.onRecompile = options.onRecompile ?? ((reason) => console.warn(reason));
  }

  get hyperNames(): readonly string[] {
    return [...new Set(this.first.hypers.map((h) => h.name))];
  }

  /** Fixes a hyperparameter from the next call on; null hands it back to its schedule. Throws OptionError if it is not in the program. */
  setHyper(name: string, value: number | null): void {
    this.expectHyper(name);
    if (value === null) this.overrides.delete(name);
    else this.overrides.set(name, value);
  }

  /** Multiplies a hyperparameter from the next call on, e.g. the rate by a plateau's factor. */
  setFactor(name: string, factor: number): void {
    this.expectHyper(name);
    this.factors.set(name, factor);
  }

  private expectHyper(name: string): void {
    if (!this.hyperNames.includes(name))
      throw new OptionError(
        `hyperparameter: got "${name}"; expected one of ${this.hyperNames.join(", ") || "(this step has none)"}. One left out of the optimizer is not in the program.`,
        name,
      );
  }

  /** The value of a hyperparameter at an attempted update. */
  hyperAt(name: string, step: number): number {
    const hyper = this.first.hypers.find((h) => h.name === name);
    if (!hyper)
      throw new OptionError(`hyperparameter: got "${name}"; expected one of ${this.hyperNames.join(", ")}.`, name);
    return this.valueOf(hyper, step);
  }

  private valueOf({ name, value, every }: HyperFeed, step: number): number {
    const scheduled = (): number =>
      typeof value === "number" ? value : value.at(Math.floor(step / every), paced(this.runLength, every));
    return (this.overrides.get(name) ?? scheduled()) * (this.factors.get(name) ?? 1);
  }

  /**
   * Runs `steps` steps; `batch` holds, for each path, steps x elements. One step on arrays of other shapes than before compiles
   * the step again for them, says so, and keeps both programs.
   */
  async run(batch: Tree<HostArray> | Feeds, steps = 1, options: RunOptions = {}): Promise<RunReport> {
    const variant = await this.variantFor(batch, steps);
    const { executable } = variant;
    const report = await executable.run(steps, this.feedsOf(variant, batch, steps), options);
    this.inspect(executable.program, report, steps);
    this.attempted += steps;
    return report;
  }

  /** What the first program is fed for a step, `attempted` being its number. */
  feedsFor(batch: Feeds): Feeds {
    return this.feedsOf(this.first, batch, 1);
  }

  private feedsOf({ executable, hypers }: Variant, batch: Tree<HostArray> | Feeds, steps: number): Feeds {
    const { program } = executable;
    const feeds: Record<string, Feeds[string]> = {};
    for (const { path, value, role } of program.inputs) {
      if (role !== "feed") continue;
      const hyper = hypers.find((h) => h.feed === path);
      if (hyper) {
        feeds[path] = Float64Array.from({ length: steps }, (_, i) => {
          const v = this.valueOf(hyper, this.attempted + i);
          return hyper.map ? hyper.map(v) : v;
        });
      } else if (path === "key") {
        const words = new Int32Array(2 * steps);
        for (let i = 0; i < steps; i++)
          words.set(
            foldKey(keyOf(this.seed), this.attempted + i).map((w) => w | 0),
            2 * i,
          );
        feeds[path] = words;
      } else {
        feeds[path] = batchFeed(batch, path, value.aval, steps);
      }
    }
    return feeds;
  }

  private async variantFor(batch: Tree<HostArray> | Feeds, steps: number): Promise<Variant> {
    const leaves = steps === 1 ? leavesOf<unknown>(batch as Tree<unknown>, "batch") : [];
    if (leaves.length === 0 || !leaves.every(([, leaf]) => leaf instanceof HostArray)) return this.first;
    const type = batchType(batch);
    const known = this.variants.get(type);
    if (known || sameNames(type, this.first.batch) === false) return known ?? this.first;
    const start = performance.now();
    const made = await this.compileFor(batch);
    this.variants.set(type, made);
    this.onRecompile(
      `step: compiled again in ${Math.round(performance.now() - start)} ms for a batch of ${type}; the first was ${this.first.batch}. Both programs are kept.`,
    );
    return made;
  }

  /** Hands out what the function marked with `print`. */
  private inspect(program: Program, { results }: RunReport, steps: number): void {
    for (const { path, value, role } of program.outputs) {
      if (role !== "result" || !path.startsWith(PRINTED)) continue;
      const { dtype, shape } = value.aval;
      const size = sizeOf(shape);
      const data = results[path] as Feeds[string];
      for (let i = 0; i < steps; i++)
        this.onInspect(
          path.slice(PRINTED.length),
          this.attempted + i + 1,
          new HostArray(dtype, shape, data.slice(i * size, (i + 1) * size)),
        );
    }
  }

  /** The state as host arrays, in PyTorch's layouts. */
  async read(): Promise<S> {
    const paths = leavesOf<HostArray>(this.form, "state").map(([path]) => path);
    const values = await Promise.all(paths.map((path) => this.store.read(path)));
    return unflatten(this.form as HostTree, values) as S;
  }

  /** How many updates there were: what a state goes on from, beside its arrays. */
  async counts(): Promise<StepCounts> {
    const { data } = await this.store.read(COMPLETED);
    return { completed: data[0] as number, attempted: this.attempted };
  }

  /**
   * Replaces the state, and where given the counts of updates. Throws ShapeError that names all paths that are missing, too much
   * or of another type; then nothing is replaced.
   */
  load(state: S, counts: Partial<StepCounts> = {}): void {
    const given = leavesOf<HostArray>(state, "state");
    const avals = (leaves: readonly (readonly [string, HostArray])[]): [string, Aval][] =>
      leaves.map(([path, leaf]) => [path, leaf.aval]);
    const faults = formFaults(avals(leavesOf<HostArray>(this.form, "state")), avals(given));
    if (faults !== undefined)
      throw new ShapeError(
        `load: got a state ${faults}; expected the form of this step's state. Hint: was it saved with another model, optimizer or other groups?`,
        "state",
      );
    for (const [path, value] of given) this.store.write(path, value);
    const { completed, attempted } = counts;
    if (completed !== undefined) this.store.write(COMPLETED, new HostArray("i32", [], Int32Array.of(completed)));
    if (attempted !== undefined) this.attempted = attempted;
  }
}

/** A batch's type as text, e.g. `batch.x f32[32,784], batch.y i32[32]`. */
function batchType(batch: unknown): string {
  return avalLeaves(batch, "batch")
    .map(([path, leaf]) => `${path} ${formatAval(leaf instanceof HostArray ? leaf.aval : leaf)}`)
    .join(", ");
}

/** Only shapes and dtypes differ, not what there is. */
function sameNames(a: string, b: string): boolean {
  const names = (type: string): string => type.replace(/ \w+\[[^\]]*\]/g, "");
  return names(a) === names(b);
}

function batchFeed(batch: Tree<HostArray> | Feeds, path: string, aval: Aval, steps: number): Feeds[string] {
  const direct = (batch as Feeds)[path];
  const found = direct ?? leavesOf(batch as Tree<HostArray>, "batch").find(([p]) => p === path)?.[1];
  const data = found instanceof HostArray ? found.data : found;
  const expected = steps * sizeOf(aval.shape);
  if (!data || !ArrayBuffer.isView(data) || data.length !== expected)
    throw new ShapeError(
      `step: got ${data && ArrayBuffer.isView(data) ? `${data.length} values` : "nothing"} for ${path}; expected ${steps} x ${formatAval(aval)}.`,
      path,
    );
  return data;
}

/**
 * Traces, compiles and binds a training step: the function runs once, then the compiled program repeats it.
 *
 * @example
 * const step = await compileStep(backend, (state, batch) => {
 *   const [loss, g] = valueAndGrad((w: Tensor) => w.mul(batch.x).sub(batch.y).square().mean())(state.w);
 *   return { state: { w: state.w.sub(g.mul(0.1)) }, metrics: { loss } };
 * }, { state: { w: array([0]) }, batch: { x: aval("f32", [1]), y: aval("f32", [1]) } });
 * (await step.run({ x: array([1]), y: array([2]) })).results.loss // -> Float32Array [ 4 ]
 */
export async function compileStep<S extends HostTree, B extends Tree<HostArray | Aval>, D extends HostTree = []>(
  backend: Backend,
  fn: (state: Traced<S>, batch: Traced<B>, ctx: StepContext, data: Traced<D>) => StepResult,
  options: StepOptions<S, B, D>,
): Promise<Step<S>> {
  const store = options.store ?? backend.createStore();
  const put = (path: string, value: HostArray): void => {
    if (!store.has(path)) store.write(path, value);
  };
  for (const [path, value] of leavesOf<HostArray>(options.state, "state")) put(path, value);
  for (const [path, value] of leavesOf<HostArray>(options.data ?? [], "data")) put(path, value);
  put(COMPLETED, new HostArray("i32", [], newData("i32", 1)));
  const compileFor = async (batch: unknown): Promise<Variant> => {
    const hypers: HyperFeed[] = [];
    const program = trace(fn, { ...options, batch: batch as B }, hypers);
    return { executable: await backend.compile(program, store), hypers, batch: batchType(batch) };
  };
  return new Step(await compileFor(options.batch), store, compileFor, options);
}
