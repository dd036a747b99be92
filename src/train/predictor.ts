import type { Backend, Store } from "../compile/backend.ts";
import type { Step } from "../compile/step.ts";
import { type Aval, formatAval, sameShape, sizeOf } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { HostArray, newData } from "../core/host-array.ts";
import { leavesOf, mapTree, type Tree, unflatten } from "../core/tree.ts";
import { formatAvals } from "../nn/define-layer.ts";
import { avalLeaves, fillAvals } from "../nn/layer.ts";
import type { HostTree } from "./examples.ts";
import { compileOutputs } from "./programs.ts";
import type { ModelState, Task } from "./task.ts";
import { yieldToHost } from "./yield-to-host.ts";

/** What a classifier says of one sample. */
export type Prediction = {
  /** The class's name. */
  readonly label: string;
  /** The class's place among the classes. */
  readonly index: number;
  /** Softmax of the scores, at `index`. */
  readonly probability: number;
  /** Softmax of the scores, by class. */
  readonly probabilities: Float32Array;
};

export type PredictorOptions = {
  readonly backend: Backend;
  readonly store: Store;
  readonly task: Pick<Task, "model" | "preparation">;
  readonly state: ModelState;
  /** Types of one sample's inputs, without the batch axis. */
  readonly sample: Tree<Aval>;
};

const MAX_BATCH = 128;

/** Runs the model in evaluation mode on batches of any length; programs are kept for lengths that are powers of two. */
export class Predictor {
  private readonly options: PredictorOptions;
  private readonly programs = new Map<string, Promise<Step<HostTree>>>();

  constructor(options: PredictorOptions) {
    this.options = options;
  }

  /** The model's output for a batch, or for one sample without the batch axis (then the output has none either). */
  async outputs(inputs: HostTree): Promise<HostTree> {
    const { batch, count, single } = this.asBatch(inputs);
    const parts: HostTree[] = [];
    for (let at = 0; at < count; ) {
      const size = Math.min(MAX_BATCH, count - at);
      parts.push(await this.part(batch, at, size));
      at += size;
      await yieldToHost();
    }
    const joined = joinRows(parts);
    return single
      ? mapTree<HostArray, HostArray>(joined, (a) => new HostArray(a.dtype, a.shape.slice(1), a.data))
      : joined;
  }

  /** Pads to the program's length with zeros: in evaluation mode samples do not see each other. */
  private async part(batch: HostTree, at: number, size: number): Promise<HostTree> {
    const length = 2 ** Math.ceil(Math.log2(size));
    const step = await this.program(batch, length);
    const feeds = leavesOf<HostArray>({ inputs: batch }, "batch").map(([path, all]) => {
      const row = all.data.length / (all.shape[0] as number);
      const data = newData(all.dtype, length * row);
      data.set(all.data.subarray(at * row, (at + size) * row));
      return [path, data] as const;
    });
    const { results } = await step.run(Object.fromEntries(feeds));
    const outputs = step.program.outputs.filter(({ role }) => role === "result");
    const arrays = outputs.map(({ path, value: { aval } }) => {
      if (aval.shape[0] !== length)
        throw new ShapeError(
          `predict: got ${formatAval(aval)} from the model; expected the batch of ${length} as first axis.`,
          path,
        );
      const row = sizeOf(aval.shape.slice(1));
      return new HostArray(
        aval.dtype,
        [size, ...aval.shape.slice(1)],
        (results[path] as HostArray["data"]).slice(0, size * row),
      );
    });
    return fromPaths(
      outputs.map(({ path }) => path),
      arrays,
    );
  }

  private program(batch: HostTree, length: number): Promise<Step<HostTree>> {
    const key = [length, ...leavesOf<HostArray>(batch).map(([path, { dtype }]) => `${path} ${dtype}`)].join(",");
    const known = this.programs.get(key);
    if (known !== undefined) return known;
    const { backend, store, task, state } = this.options;
    const made = compileOutputs({ backend, store, task, state, inputs: batch, batchSize: length });
    this.programs.set(key, made);
    return made;
  }

  private asBatch(inputs: HostTree): { batch: HostTree; count: number; single: boolean } {
    const given = leavesOf<HostArray>(inputs);
    const wanted = avalLeaves(this.options.sample);
    const fail = (): never => {
      const types = formatAvals(
        fillAvals(
          this.options.sample,
          wanted.map(([, a]) => ({ ...a, shape: ["N", ...a.shape] })),
        ),
      );
      throw new ShapeError(
        `predict: got ${given.map(([path, leaf]) => (leaf instanceof HostArray ? `${path}${path === "" ? "" : ": "}${formatAval(leaf.aval)}` : typeof leaf)).join(", ")}; expected ${types}, or one sample without the first axis.`,
        "inputs",
      );
    };
    if (given.length !== wanted.length) fail();
    const ranks = given.map(([path, leaf], i) => {
      const [name, aval] = wanted[i] as readonly [string, Aval];
      if (!(leaf instanceof HostArray) || path !== name) return fail();
      if (sameShape(leaf.shape, aval.shape)) return "sample";
      return sameShape(leaf.shape.slice(1), aval.shape) ? "batch" : fail();
    });
    const single = ranks[0] === "sample";
    if (ranks.some((rank) => rank !== ranks[0])) fail();
    const batch = single
      ? mapTree<HostArray, HostArray>(inputs, (a) => new HostArray(a.dtype, [1, ...a.shape], a.data))
      : inputs;
    const counts = leavesOf<HostArray>(batch).map(([, leaf]) => leaf.shape[0] as number);
    const count = counts[0] ?? 0;
    if (counts.some((n) => n !== count)) fail();
    if (count === 0) throw new OptionError("predict: got no samples; expected at least one.", "inputs");
    return { batch, count, single };
  }
}

/** A tree from `output`, or from `output.a`, `output.b.c`. */
function fromPaths(paths: readonly string[], arrays: readonly HostArray[]): HostTree {
  if (paths.length === 1 && paths[0] === "output") return arrays[0] as HostArray;
  const root: Record<string, unknown> = {};
  paths.forEach((path, i) => {
    const names = path.split(".").slice(1);
    let at = root;
    for (const name of names.slice(0, -1)) {
      at[name] ??= {};
      at = at[name] as Record<string, unknown>;
    }
    at[names.at(-1) as string] = arrays[i];
  });
  return root as HostTree;
}

/** The same arrays one below the other. */
function joinRows(parts: readonly HostTree[]): HostTree {
  const first = parts[0] as HostTree;
  if (parts.length === 1) return first;
  const lists = parts.map((part) => leavesOf<HostArray>(part).map(([, leaf]) => leaf));
  const joined = (lists[0] as HostArray[]).map(({ dtype, shape }, i) => {
    const pieces = lists.map((list) => list[i] as HostArray);
    const data = newData(
      dtype,
      pieces.reduce((n, piece) => n + piece.data.length, 0),
    );
    let at = 0;
    for (const piece of pieces) {
      data.set(piece.data, at);
      at += piece.data.length;
    }
    return new HostArray(
      dtype,
      [pieces.reduce((n, piece) => n + (piece.shape[0] as number), 0), ...shape.slice(1)],
      data,
    );
  });
  return unflatten<HostArray, HostArray>(first, joined);
}

/** Class predictions from scores f32[N, C]. */
export function classify(scores: HostTree, classes: readonly string[] | undefined): readonly Prediction[] {
  if (!(scores instanceof HostArray) || scores.dtype !== "f32" || scores.shape.length < 1 || scores.shape.length > 2)
    throw new ShapeError(
      `predict: got ${scores instanceof HostArray ? formatAval(scores.aval) : "several outputs"} from the model; expected scores f32[N,C]. Use outputs(inputs) for other models.`,
    );
  const count = scores.shape.at(-1) as number;
  const rows = scores.shape.length === 2 ? (scores.shape[0] as number) : 1;
  return Array.from({ length: rows }, (_, row) => {
    const values = scores.data.subarray(row * count, (row + 1) * count);
    let index = 0;
    for (let i = 1; i < count; i++) if ((values[i] as number) > (values[index] as number)) index = i;
    const largest = values[index] as number;
    const exponentials = Float64Array.from(values, (z) => Math.exp(z - largest));
    const sum = exponentials.reduce((a, b) => a + b, 0);
    const probabilities = Float32Array.from(exponentials, (e) => e / sum);
    return { label: classes?.[index] ?? `${index}`, index, probability: probabilities[index] as number, probabilities };
  });
}
