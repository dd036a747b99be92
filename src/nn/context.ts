import { formatAval, sameShape } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { leavesOf } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import type { Key } from "../trace/random.ts";
import { inScope } from "../trace/trace.ts";
import {
  type AnyLayer,
  type AsideOptions,
  atLayer,
  type BuffersByPath,
  childOf,
  expectNonEmpty,
  type Layer,
  type LayerContext,
  labelOf,
} from "./layer.ts";

/** Sees every layer as it is applied: `enter` before, and what it returns after, with the output. */
export type Observer = (path: string, layer: AnyLayer) => (output: TensorTree) => void;

/** One forward pass: what its layers share. Buffers are keyed by full path, `sequential.1.running_mean`. */
export type ForwardPass = {
  readonly training: boolean;
  readonly key: Key | undefined;
  readonly buffers: Map<string, Tensor>;
  readonly observer?: Observer;
  readonly statisticsMomentum?: Tensor;
};

export class PassContext implements LayerContext {
  readonly training: boolean;
  readonly path: string;
  readonly pass: ForwardPass;
  private readonly use: number;
  private readonly uses = new Map<string, number>();

  /** `use` counts how often this layer was applied before in this pass, so that a shared dropout draws anew. */
  constructor(pass: ForwardPass, path: string, use = 0) {
    this.pass = pass;
    this.training = pass.training;
    this.path = path;
    this.use = use;
  }

  get statisticsMomentum(): Tensor | undefined {
    return this.pass.statisticsMomentum;
  }

  get observed(): boolean {
    return this.pass.observer !== undefined;
  }

  get key(): Key {
    if (this.pass.key === undefined)
      throw new OptionError(
        `${this.path}: got no random key; expected one in the forward pass. Hint: apply(..., { training, key }).`,
      );
    const own = this.pass.key.fold(this.path);
    return this.use === 0 ? own : own.fold(this.use);
  }

  buffer(name: string): Tensor {
    const value = this.pass.buffers.get(`${this.path}.${name}`);
    if (value === undefined)
      throw new OptionError(`${this.path}: got no buffer "${name}"; expected one that the layer's init made.`);
    return value;
  }

  setBuffer(name: string, value: Tensor): void {
    const old = this.buffer(name);
    if (old.dtype !== value.dtype || !sameShape(old.shape, value.shape))
      throw new ShapeError(`setBuffer: got ${formatAval(value.aval)} for "${name}"; expected ${formatAval(old.aval)}.`);
    this.pass.buffers.set(`${this.path}.${name}`, value);
  }

  aside<T>(f: (ctx: LayerContext) => T, { buffers = {}, fold }: AsideOptions = {}): readonly [T, BuffersByPath] {
    const before = new Map([...this.pass.buffers, ...Object.entries(buffers)]);
    const after = new Map(before);
    const key = fold && this.pass.key ? this.pass.key.fold(fold) : this.pass.key;
    const value = f(new PassContext({ ...this.pass, key, buffers: after }, this.path, this.use));
    return [value, Object.fromEntries([...after].filter(([path, tensor]) => before.get(path) !== tensor))];
  }

  takeBuffers(buffers: BuffersByPath): void {
    for (const [path, value] of Object.entries(buffers)) this.pass.buffers.set(path, value);
  }

  buffersWithin(name?: string): BuffersByPath {
    const prefix = name === undefined ? `${this.path}.` : `${this.path}.${name}.`;
    return Object.fromEntries([...this.pass.buffers].filter(([path]) => path.startsWith(prefix)));
  }

  apply<In extends TensorTree, Out extends TensorTree>(
    name: string,
    layer: Layer<In, Out>,
    params: TensorTree,
    x: In,
  ): Out {
    const use = this.uses.get(name) ?? 0;
    this.uses.set(name, use + 1);
    return applyLayer(this.pass, layer, childOf(params, name), x, `${this.path}.${name}`, this.use + use);
  }
}

/** `layer.apply` at `path`: its equations carry the path, and its errors name it. */
export function applyLayer<In extends TensorTree, Out extends TensorTree>(
  pass: ForwardPass,
  layer: Layer<In, Out>,
  params: TensorTree,
  x: In,
  path: string = layer.config.kind,
  use = 0,
): Out {
  const { kind } = layer.config;
  const run = (): Out => {
    const leave = pass.observer?.(path, layer);
    const output = layer.apply(params, x, new PassContext(pass, path, use));
    leave?.(output);
    return output;
  };
  const inputs = leavesOf<Tensor>(x).map(([, tensor]) => tensor);
  const [first] = inputs;
  if (first === undefined)
    throw new ShapeError(`${labelOf(path, kind)}: got no input; expected at least one tensor.`, path);
  return atLayer(path, layer.config, () => {
    expectNonEmpty(
      kind,
      inputs.map(({ aval }) => aval),
    );
    return inScope(first, labelOf(path, kind), run);
  });
}
