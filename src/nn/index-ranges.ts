import { type HostArray, zeros } from "../core/host-array.ts";
import { leavesOf, type Tree, unflatten } from "../core/tree.ts";
import type { Program } from "../ir/program.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import { Key } from "../trace/random.ts";
import { traceProgram } from "../trace/trace.ts";
import { type AvalsOf, avalLeaves, fillAvals } from "./layer.ts";
import type { Model } from "./model.ts";

/** An input whose elements are rows of an embedding's table. */
export type IndexRange = {
  /** The input's path, "" of a single one. */
  readonly input: string;
  /** The embedding: its path and kind, as errors write it. */
  readonly layer: string;
  /** How many rows the table has. */
  readonly rows: number;
};

/** What moves elements about, but changes none. */
const MOVES: ReadonlySet<string> = new Set([
  "alias",
  "stopGradient",
  "reshape",
  "transpose",
  "broadcast",
  "slice",
  "flip",
]);

/**
 * Which embeddings take their indices from an input as it is, found by tracing the model: what lets data be checked before
 * training. Embeddings inside nested programs (`repeat`, `remat`) and of computed indices are not among them.
 */
export function indexRanges<In extends TensorTree, Out extends TensorTree>(
  model: Model<In, Out>,
  params: Tree<HostArray>,
  buffers: Tree<HostArray>,
  input: AvalsOf<In>,
): readonly IndexRange[] {
  const given = avalLeaves(input);
  const weights = leavesOf<HostArray>(params);
  const stored = leavesOf<HostArray>(buffers);
  const inputs = [
    ...given.map(([path, aval]) => ({ path: `x.${path}`, aval, role: "argument" as const })),
    ...weights.map(([path, { aval }]) => ({ path: `params.${path}`, aval, role: "argument" as const })),
    ...stored.map(([path, { aval }]) => ({ path: `buffers.${path}`, aval, role: "argument" as const })),
  ];
  const program = traceProgram(inputs, (tensors) => {
    const x = fillAvals(input, tensors) as In;
    const after = given.length + weights.length;
    const traced = unflatten<HostArray, Tensor>(params, tensors.slice(given.length, after));
    const statistics = unflatten<HostArray, Tensor>(buffers, tensors.slice(after));
    const key = new Key((tensors[0] as Tensor).constant(zeros([2], "i32")));
    const [output] = model.apply(traced, statistics, x, { key });
    return leavesOf<Tensor>(output).map(([path, value]) => ({ path: `y.${path}`, value, role: "result" as const }));
  });
  return rangesOf(
    program,
    given.map(([path]) => path),
  );
}

/** Whether a layer's label is that of an embedding: other gathers may mean to be clamped. */
const isTable = (site: string): boolean =>
  ["embedding", "embeddingBag"].some((kind) => site === kind || site.endsWith(` (${kind})`));

function rangesOf(program: Program, paths: readonly string[]): readonly IndexRange[] {
  const source = new Map(paths.map((path, i) => [program.inputs[i]?.value.id, path]));
  const found: IndexRange[] = [];
  for (const { primitive, inputs, outputs, params, site } of program.equations) {
    const [first, second] = inputs;
    if (MOVES.has(primitive) && first !== undefined) {
      const path = source.get(first.id);
      if (path !== undefined) source.set(outputs[0]?.id, path);
    }
    const input = primitive === "gather" ? source.get(second?.id) : undefined;
    if (input === undefined || !isTable(site)) continue;
    found.push({ input, layer: site, rows: first?.aval.shape[params.axis as number] as number });
  }
  return found;
}
