import { formatAval, sameShape } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { foldKey, type KeyWords } from "../core/prng.ts";
import type { Tree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import { traceProgram } from "../trace/trace.ts";
import { avalsOf } from "./define-layer.ts";
import {
  type AnyLayer,
  type AvalsOf,
  avalLeaves,
  checkName,
  configOf,
  fillAvals,
  initLayer,
  type Json,
  type Layer,
  type LayerConfig,
  type LayerContext,
} from "./layer.ts";

export type Children = { readonly [name: string]: AnyLayer };

/** Each inner layer as a function of its input. */
export type Calls<C extends Children> = {
  readonly [K in keyof C]: C[K] extends Layer<infer In, infer Out> ? (x: In) => Out : never;
};

/**
 * A layer from named inner layers and an ordinary function over them. Inner layers get their input's size from the first
 * call, and their parameters carry their name. A layer called twice shares its parameters.
 *
 * Records of tensors make layers of several inputs or outputs. For a model that is to be rebuilt from its configuration,
 * give a kind, and pass a function of that name to `layerFromConfig`.
 *
 * @example
 * const gated = nn.compose({ value: nn.linear(8), gate: nn.linear(8) }, (x: Tensor, { value, gate }) =>
 *   value(x).mul(gate(x).sigmoid()),
 * );
 */
export function compose<C extends Children, In extends TensorTree = Tensor, Out extends TensorTree = Tensor>(
  children: C,
  f: (x: In, children: Calls<C>, ctx: { readonly training: boolean }) => Out,
  config: { readonly kind: string; readonly [option: string]: Json } = { kind: "compose" },
): Layer<In, Out> {
  const { kind } = config;
  for (const name of Object.keys(children)) checkName(kind, name);
  const own: LayerConfig = configOf(kind, config);
  return {
    config: own,
    init: (key, input, path = kind) => {
      const collected = new ChildInits(key, path);
      let output: AvalsOf<Out> | undefined;
      traceProgram(
        avalLeaves(input, "x").map(([at, aval]) => ({ path: at, aval, role: "argument" })),
        (tensors) => {
          const first = tensors[0] as Tensor;
          const call: Call = (name, child) => (x) =>
            fillAvals<Tensor>(
              collected.init(name, child, avalsOf(x)),
              avalLeaves(collected.outputs.get(name)).map(([, aval]) => first.full(0, aval.shape, aval.dtype)),
            );
          output = avalsOf(f(fillAvals(input, tensors) as In, callsOf(children, call), { training: false }));
          return [];
        },
      );
      return { params: collected.params, buffers: collected.buffers, output: output as AvalsOf<Out> };
    },
    apply: (params, x, ctx: LayerContext) =>
      f(
        x,
        callsOf(children, (name, child) => (input) => ctx.apply(name, child, params, input)),
        ctx,
      ),
  };
}

type Call = (name: string, child: Layer<TensorTree, TensorTree>) => (x: TensorTree) => TensorTree;

function callsOf<C extends Children>(children: C, call: Call): Calls<C> {
  const each = Object.entries(children) as [string, Layer<TensorTree, TensorTree>][];
  return Object.fromEntries(each.map(([name, child]) => [name, call(name, child)])) as Calls<C>;
}

/** Collects what the inner layers of a container start from. Empty records are left out. */
export class ChildInits {
  readonly params: Record<string, Tree<HostArray>> = {};
  readonly buffers: Record<string, Tree<HostArray>> = {};
  readonly outputs: Map<string, unknown> = new Map();
  private readonly key: KeyWords;
  private readonly path: string;

  constructor(key: KeyWords, path: string) {
    this.key = key;
    this.path = path;
  }

  /** The output's type. A layer met again keeps its first parameters. */
  init<In extends TensorTree, Out extends TensorTree>(
    name: string,
    layer: Layer<In, Out>,
    input: AvalsOf<In>,
  ): AvalsOf<Out> {
    const made = initLayer(layer, foldKey(this.key, name), input, `${this.path}.${name}`);
    if (!this.outputs.has(name)) {
      if (!isEmpty(made.params)) this.params[name] = made.params;
      if (!isEmpty(made.buffers)) this.buffers[name] = made.buffers;
    }
    this.outputs.set(name, made.output);
    return made.output;
  }
}

const isEmpty = (tree: Tree<HostArray>): boolean => Object.keys(tree).length === 0;

/**
 * inner(x) + shortcut(x), for residual networks. The shortcut is the identity unless given, e.g. a 1x1 convolution where
 * the sizes change. Parameters are named `inner.` and `shortcut.`
 *
 * Errors: ShapeError when the two outputs have different shapes.
 *
 * Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015).
 *
 * @example
 * const block = nn.residual(nn.sequential(nn.conv2d(16, 3, { padding: 1 }), nn.batchNorm(), nn.relu()));
 */
export function residual(inner: Layer, shortcut?: Layer): Layer {
  const children: Record<string, Layer> = shortcut ? { inner, shortcut } : { inner };
  const add = (x: Tensor, calls: Calls<Record<string, Layer>>): Tensor => {
    const main = calls.inner?.(x) ?? x;
    const side = calls.shortcut?.(x) ?? x;
    if (!sameShape(main.shape, side.shape))
      throw new ShapeError(
        `residual: got ${formatAval(main.aval)} from the inner layer and ${formatAval(side.aval)} from the shortcut; expected equal shapes. ` +
          "Hint: give a shortcut such as nn.conv2d(channels, 1, { stride }).",
      );
    return main.add(side);
  };
  const config = { kind: "residual", inner: inner.config, ...(shortcut ? { shortcut: shortcut.config } : {}) };
  return compose(children, add, config);
}
