import { formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { array, type HostArray } from "../core/host-array.ts";
import type { KeyWords } from "../core/prng.ts";
import { leavesOf, type Tree, unflatten } from "../core/tree.ts";
import type { Equation } from "../ir/program.ts";
import { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import { Key } from "../trace/random.ts";
import { traceProgram } from "../trace/trace.ts";
import { applyLayer, type Observer } from "./context.ts";
import {
  type AvalsOf,
  avalLeaves,
  checkName,
  configOf,
  fillAvals,
  type Json,
  type Layer,
  type LayerContext,
  type TensorsOf,
  type Trait,
} from "./layer.ts";

export type LayerDefinition<P extends Tree<HostArray>, In extends TensorTree, Out extends TensorTree> = {
  /** The layer's name in errors, tables and configurations. */
  readonly kind: string;
  /** What the factory was given, as JSON, so that a saved model can be rebuilt. Default: nothing. */
  readonly config?: { readonly [option: string]: Json | undefined };
  /** What `sequential` may use: a relu and a max pool after it commute. Default: nothing. */
  readonly trait?: Trait;
  /** The first values of the parameters. Draw each from `foldKey(key, itsName)`. Default: no parameters. */
  init?(key: KeyWords, input: AvalsOf<In>): P;
  /** The first values of the buffers. Default: no buffers. */
  buffers?(input: AvalsOf<In>): Readonly<Record<string, HostArray>>;
  apply(params: TensorsOf<P>, x: In, ctx: LayerContext): Out;
};

/**
 * A layer from a typed record: parameters by name, and a function over tensors. The output's type is found by tracing it.
 *
 * Errors: ShapeError, with the layer's path, when `apply` does not fit its input.
 *
 * @example
 * const scale = (start: number) =>
 *   nn.defineLayer({
 *     kind: "scale",
 *     config: { start },
 *     init: (_key, input: Aval) => ({ gain: nn.init.constant(start).sample([0, 0], [input.shape[1] ?? 1]) }),
 *     apply: ({ gain }, x: Tensor) => x.mul(gain),
 *   });
 */
export function defineLayer<
  P extends Tree<HostArray> = Record<string, never>,
  In extends TensorTree = Tensor,
  Out extends TensorTree = Tensor,
>(definition: LayerDefinition<P, In, Out>): Layer<In, Out> {
  const { kind } = definition;
  const layer: Layer<In, Out> = {
    config: configOf(kind, definition.config ?? {}),
    ...(definition.trait ? { trait: definition.trait } : {}),
    init(key, input, path = kind) {
      const params: Tree<HostArray> = definition.init?.(key, input) ?? {};
      const buffers = definition.buffers?.(input) ?? {};
      for (const name of Object.keys(buffers)) checkName(kind, name);
      return { params, buffers, output: outputOf(layer, params, buffers, input, path) };
    },
    apply: (params, x, ctx) => definition.apply(params as TensorsOf<P>, x, ctx),
  };
  return layer;
}

/**
 * The type of a layer's output, found by tracing its evaluation on inputs of these types. `observe` makes a witness from the list
 * of equations that grows with the trace.
 */
export function outputOf<In extends TensorTree, Out extends TensorTree>(
  layer: Layer<In, Out>,
  params: Tree<HostArray>,
  buffers: Tree<HostArray>,
  input: AvalsOf<In>,
  path: string = layer.config.kind,
  observe?: (equations: readonly Equation[]) => Observer,
): AvalsOf<Out> {
  const ins = avalLeaves(input, "x");
  if (ins.length === 0) throw new ShapeError(`${layer.config.kind}: got no input; expected at least one tensor.`);
  const weights = leavesOf(params, "params");
  const stored = leavesOf(buffers, path);
  const specs = [...ins, ...[...weights, ...stored].map(([at, value]) => [at, value.aval] as const)];
  let output: AvalsOf<Out> | undefined;
  traceProgram(
    specs.map(([at, aval]) => ({ path: at, aval, role: "argument" })),
    (tensors, { equations }) => {
      const x = fillAvals(input, tensors) as In;
      const traced = unflatten<HostArray, Tensor>(params, tensors.slice(ins.length));
      const first = tensors[0] as Tensor;
      const pass = {
        training: false,
        key: new Key(first.constant(array([0, 0], [2], "i32"))),
        buffers: new Map(stored.map(([at], i) => [at, tensors[ins.length + weights.length + i] as Tensor])),
        ...(observe ? { observer: observe(equations) } : {}),
      };
      output = avalsOf(applyLayer(pass, layer, traced, x, path));
      return [];
    },
  );
  return output as AvalsOf<Out>;
}

/** The types of a tree of tensors. */
export function avalsOf<T extends TensorTree>(tree: T): AvalsOf<T> {
  const walk = (node: unknown): unknown => {
    if (node instanceof Tensor) return node.aval;
    if (Array.isArray(node)) return node.map(walk);
    if (typeof node !== "object" || node === null)
      throw new OptionError(`layer: got ${typeof node} as output; expected a Tensor, or a list or record of them.`);
    return Object.fromEntries(Object.entries(node).map(([name, child]) => [name, walk(child)]));
  };
  return walk(tree) as AvalsOf<T>;
}

/** Types of a tree in one line: `f32[32,784]`, `{ a: f32[2], b: i32[] }`. */
export function formatAvals(tree: unknown): string {
  const leaves = avalLeaves(tree);
  const [only] = leaves;
  if (leaves.length === 1 && only && only[0] === "") return formatAval(only[1]);
  return `{ ${leaves.map(([path, aval]) => `${path}: ${formatAval(aval)}`).join(", ")} }`;
}
