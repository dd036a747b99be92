import { callSite, markSite } from "../core/call-site.ts";
import { type Aval, formatAval } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import type { KeyWords } from "../core/prng.ts";
import type { Tree } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import type { Key } from "../trace/random.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** A layer as JSON data: its kind and what its factory was given. `layerFromConfig` rebuilds the layer from it. */
export type LayerConfig = { readonly kind: string; readonly [option: string]: Json };

/** The same tree with a type in each tensor's place: `{ image: Tensor }` gives `{ image: Aval }`. */
export type AvalsOf<T> = [TensorTree] extends [T]
  ? Tree<Aval>
  : T extends Tensor
    ? Aval
    : { readonly [K in keyof T]: AvalsOf<T[K]> };

/** The same tree with a traced tensor in each host array's place. */
export type TensorsOf<T> = [Tree<HostArray>] extends [T]
  ? TensorTree
  : T extends HostArray
    ? Tensor
    : { readonly [K in keyof T]: TensorsOf<T[K]> };

export type LayerInit<Out = Tensor> = {
  /** Names and layouts are PyTorch's. A layer without parameters has an empty record. */
  readonly params: Tree<HostArray>;
  /** Running statistics and the like: saved with the parameters, changed by the forward pass, never by an optimizer. */
  readonly buffers: Tree<HostArray>;
  readonly output: AvalsOf<Out>;
};

/**
 * A piece of a model as a pair of pure functions. `In` and `Out` are a tensor each unless said otherwise; records and lists
 * of tensors stand for several inputs or outputs. `defineLayer` and `compose` write one for you in a few lines.
 */
export interface Layer<In extends TensorTree = Tensor, Out extends TensorTree = Tensor> {
  readonly config: LayerConfig;
  /** What a container may use: a relu and a max pool after it commute. */
  readonly trait?: Trait;
  /** Parameters that are others of this layer and so are not stored, by path: `{ "lm_head.weight": "transformer.wte.weight" }`. */
  readonly ties?: { readonly [target: string]: string };
  /** First values for an input of this type (the batch axis included). `path` is the layer's place in the model, for errors. */
  init(key: KeyWords, input: AvalsOf<In>, path?: string): LayerInit<Out>;
  apply(params: TensorTree, x: In, ctx: LayerContext): Out;
}

export type Trait = "relu" | "maxPool";

/** A layer of whatever input and output: every `Layer` is one. */
export interface AnyLayer {
  readonly config: LayerConfig;
  init(
    key: KeyWords,
    input: never,
    path?: string,
  ): { readonly params: Tree<HostArray>; readonly buffers: Tree<HostArray>; readonly output: unknown };
  apply(params: TensorTree, x: never, ctx: LayerContext): TensorTree;
}

/** What a layer may ask of the forward pass it is applied in. */
export interface LayerContext {
  readonly training: boolean;
  /** The layer's place in the model, such as `sequential.3`. */
  readonly path: string;
  /** This pass's random key folded with the layer's path. Throws OptionError when the pass was given none. */
  readonly key: Key;
  /** Whether somebody watches layer by layer (a summary): containers then keep to the order they were given. */
  readonly observed: boolean;
  /** What part of the batch's statistics running ones take in, f32[], where it is not the layer's to say. */
  readonly statisticsMomentum: Tensor | undefined;
  /** The newest value of a buffer that this layer's `init` made. */
  buffer(name: string): Tensor;
  /** The buffer's value after the step. The type may not change. */
  setBuffer(name: string, value: Tensor): void;
  /**
   * Runs `f` in a context whose buffers are its own copies, for a part of the pass that becomes a nested program (a block, a
   * scan's body). Buffers it sets come back by full path and are taken over with `takeBuffers`.
   */
  aside<T>(f: (ctx: LayerContext) => T, options?: AsideOptions): readonly [value: T, buffers: BuffersByPath];
  takeBuffers(buffers: BuffersByPath): void;
  /** This layer's own buffers and those of layers inside it, by full path. */
  buffersWithin(name?: string): BuffersByPath;
  /** Applies an inner layer whose parameters are `params[name]`; its path is this one's and the name. */
  apply<In extends TensorTree, Out extends TensorTree>(
    name: string,
    layer: Layer<In, Out>,
    params: TensorTree,
    x: In,
  ): Out;
}

/** Buffers by full path, `sequential.1.running_mean`. */
export type BuffersByPath = Readonly<Record<string, Tensor>>;

export type AsideOptions = {
  /** Instead of the pass's own values. */
  readonly buffers?: BuffersByPath;
  /** Folded into the pass's key: what tells one repetition of a body from another. */
  readonly fold?: Tensor;
};

/** How errors and printed programs call the layer at `path`: `sequential.3 (linear)`. */
export function labelOf(path: string, kind: string): string {
  return path === kind ? path : `${path} (${kind})`;
}

/**
 * Runs `f` on behalf of the layer at `path`: a shape error from inside names the innermost such layer, and where it was made, once. Errors of the
 * trace's own carry the label already, since the layer runs in a scope of that name.
 */
export function atLayer<T>(path: string, config: LayerConfig, f: () => T): T {
  const { kind } = config;
  try {
    return f();
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const label = labelOf(path, kind);
    const { where } = error;
    if (where !== label && where !== undefined && (where.startsWith(`${path}.`) || where.startsWith(label)))
      throw error;
    if (where === label && error.cause instanceof ShapeError) throw error;
    let text = error.message;
    for (const known of [`${label}: `, `${kind}: `]) if (text.startsWith(known)) text = text.slice(known.length);
    const mark = sites.get(config);
    const site = mark && callSite(mark);
    const named = new ShapeError(`${label}: ${text}${site ? ` (layer made at ${site})` : ""}`, label);
    named.cause = error;
    throw named;
  }
}

/** `layer.init`, with errors that name the layer's path. */
export function initLayer<In extends TensorTree, Out extends TensorTree>(
  layer: Layer<In, Out>,
  key: KeyWords,
  input: AvalsOf<In>,
  path: string = layer.config.kind,
): LayerInit<Out> {
  return atLayer(path, layer.config, () => {
    expectNonEmpty(
      layer.config.kind,
      avalLeaves(input).map(([, aval]) => aval),
    );
    return layer.init(key, input, path);
  });
}

/** The child of a tree under a name; layers without parameters are left out of their parent's tree. */
export function childOf<T>(tree: Tree<T>, name: string): Tree<T> {
  return (tree as { readonly [name: string]: Tree<T> })[name] ?? {};
}

/** Names become parts of parameter paths, so they must be non-empty and free of dots. */
export function checkName(kind: string, name: string): void {
  if (name === "" || name.includes("."))
    throw new OptionError(`${kind}: got the child name "${name}"; expected text without dots.`);
}

/** A configuration without the options that were left out. */
export function configOf(kind: string, options: { readonly [option: string]: Json | undefined }): LayerConfig {
  const config: { kind: string; [option: string]: Json } = { kind };
  for (const [name, value] of Object.entries(options)) if (value !== undefined) config[name] = value;
  sites.set(config, markSite());
  return config;
}

/** Where the layer of a configuration was made. */
const sites = new WeakMap<LayerConfig, Error>();

/** Throws ShapeError unless `input` is f32 of one of these ranks. */
export function expectF32(kind: string, input: Aval, ranks: readonly number[] | undefined, expected: string): void {
  if (input.dtype !== "f32" || (ranks !== undefined && !ranks.includes(input.shape.length)))
    throw new ShapeError(`${kind}: got ${formatAval(input)}; expected ${expected}.`);
}

/** Throws ShapeError where an axis has no elements: means over none are NaN, and a layer without inputs learns nothing. */
export function expectNonEmpty(kind: string, inputs: readonly Aval[]): void {
  const empty = inputs.find(({ shape }) => shape.includes(0));
  if (empty)
    throw new ShapeError(
      `${kind}: got ${formatAval(empty)}; expected at least 1 on each axis. Hint: leave empty batches out.`,
    );
}

/** Throws OptionError unless `value` is a positive integer. */
export function expectCount(kind: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new OptionError(`${kind}: got ${name} ${value}; expected a positive integer.`);
}

const isAval = (node: unknown): node is Aval =>
  typeof node === "object" &&
  node !== null &&
  typeof (node as Aval).dtype === "string" &&
  Array.isArray((node as Aval).shape);

/** Types of a tree with their dotted paths, in insertion order. */
export function avalLeaves(tree: unknown, prefix = ""): (readonly [path: string, aval: Aval])[] {
  if (isAval(tree)) return [[prefix, tree]];
  return Object.entries(tree as Record<string, unknown>).flatMap(([name, child]) =>
    avalLeaves(child, prefix === "" ? name : `${prefix}.${name}`),
  );
}

/** A tree of the form of `tree`, a tree of types, with leaves taken from `leaves` in order. */
export function fillAvals<T>(tree: unknown, leaves: readonly T[]): Tree<T> {
  let next = 0;
  const walk = (node: unknown): Tree<T> => {
    if (isAval(node)) return leaves[next++] as T;
    if (Array.isArray(node)) return node.map(walk);
    return Object.fromEntries(
      Object.entries(node as Record<string, unknown>).map(([name, child]) => [name, walk(child)]),
    );
  };
  return walk(tree);
}
