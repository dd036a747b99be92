import { HostArray } from "../../core/host-array.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor } from "../../io/onnx.ts";
import type { GraphBuilder, Value } from "./graph.ts";

/**
 * The graph's nodes and constants, with several of ONNX's operators as the one that runtimes have a kernel for: a bias inside its
 * product, batch norm, clipping; without what nothing reads.
 */
export function tidy(
  graph: GraphBuilder,
  outputs: readonly Value[],
  names: readonly string[],
): Pick<OnnxGraph, "nodes" | "initializers"> {
  const ends = outputs.map(
    (value, i): OnnxNode => ({
      op: "Identity",
      inputs: [graph.nameOf(value)],
      outputs: [names[i] as string],
      attributes: {},
    }),
  );
  const nodes = named(new Fuser(graph, [...graph.nodesOutside, ...ends], names).run(), names);
  const reads = countReads(nodes, names);
  const kept = [...graph.tensors.values()].filter(({ name }) => reads.has(name));
  const own = ownNames(graph, kept);
  return {
    nodes: nodes.map((node) => renamed(node, own)),
    initializers: kept.map((tensor) => ({ ...tensor, name: own.get(tensor.name) ?? tensor.name })),
  };
}

/** A weight that is there in one shape alone has its name, whatever shapes it had on the way. */
function ownNames(graph: GraphBuilder, tensors: readonly OnnxTensor[]): ReadonlyMap<string, string> {
  const taken = new Set(tensors.map(({ name }) => name));
  const own = new Map<string, string>();
  for (const { name } of tensors) {
    const weight = graph.variants.get(name);
    if (weight === undefined || taken.has(weight)) continue;
    own.set(name, weight);
    taken.add(weight);
  }
  return own;
}

/** An output that is a node's result gets its name there, and not by a node of its own. */
function named(nodes: readonly OnnxNode[], names: readonly string[]): readonly OnnxNode[] {
  const made = new Set(nodes.flatMap((node) => (node.op === "Identity" ? [] : node.outputs)));
  const outputs = new Map<string, string>();
  const kept = nodes.filter(({ op, inputs: [from = ""], outputs: [to = ""] }) => {
    const takes = op === "Identity" && names.includes(to) && made.has(from) && !outputs.has(from);
    if (takes) outputs.set(from, to);
    return !takes;
  });
  return kept.map((node) => renamed(node, outputs));
}

/** The node with other names for its values, in inner graphs too. */
function renamed(node: OnnxNode, names: ReadonlyMap<string, string>): OnnxNode {
  if (names.size === 0) return node;
  const at = (name: string): string => names.get(name) ?? name;
  const inside = (graph: OnnxGraph): OnnxGraph => ({
    ...graph,
    nodes: graph.nodes.map((inner) => renamed(inner, names)),
  });
  return {
    ...node,
    inputs: node.inputs.map(at),
    outputs: node.outputs.map(at),
    attributes: mapGraphs(node.attributes, inside),
  };
}

type Attributes = OnnxNode["attributes"];

function mapGraphs(attributes: Attributes, f: (graph: OnnxGraph) => OnnxGraph): Attributes {
  const each = ([name, value]: [string, OnnxAttribute]): [string, OnnxAttribute] => [
    name,
    "graph" in value ? { graph: f(value.graph) } : value,
  ];
  return Object.fromEntries(Object.entries(attributes).map(each));
}

/** How often each value is read, in inner graphs too. */
function countReads(nodes: readonly OnnxNode[], outputs: readonly string[]): Map<string, number> {
  const reads = new Map<string, number>();
  const visit = (each: readonly OnnxNode[], ends: readonly string[]): void => {
    for (const name of [...ends, ...each.flatMap(({ inputs }) => inputs)]) reads.set(name, (reads.get(name) ?? 0) + 1);
    for (const { attributes } of each)
      for (const value of Object.values(attributes))
        if ("graph" in value)
          visit(
            value.graph.nodes,
            value.graph.outputs.map(({ name }) => name),
          );
  };
  visit(nodes, outputs);
  return reads;
}

class Fuser {
  private readonly graph: GraphBuilder;
  private readonly outputs: readonly string[];
  /** Nodes in order, by their first output. */
  private readonly nodes: Map<string, OnnxNode>;
  private readonly reads: Map<string, number>;

  constructor(
    graph: GraphBuilder,
    nodes: readonly OnnxNode[],
    outputs: readonly string[],
    outside?: Map<string, number>,
  ) {
    this.graph = graph;
    this.outputs = outputs;
    this.nodes = new Map(nodes.map((node) => [node.outputs[0] as string, node]));
    this.reads = outside ?? countReads(nodes, outputs);
  }

  run(): readonly OnnxNode[] {
    for (const node of [...this.nodes.values()].reverse()) {
      const inner = mapGraphs(node.attributes, (graph) => {
        const names = graph.outputs.map(({ name }) => name);
        return { ...graph, nodes: new Fuser(this.graph, graph.nodes, names, this.reads).run() };
      });
      const found = this.withBias(node) ?? this.batchNorm(node) ?? this.clip(node);
      if (found || node.attributes !== inner)
        this.nodes.set(
          node.outputs[0] as string,
          found ? { ...found, outputs: node.outputs } : { ...node, attributes: inner },
        );
    }
    return this.alive();
  }

  private alive(): readonly OnnxNode[] {
    const kept: OnnxNode[] = [];
    const read = new Set(this.outputs);
    for (const node of [...this.nodes.values()].reverse()) {
      if (!node.outputs.some((name) => read.has(name))) continue;
      kept.push(node);
      for (const name of countReads([node], []).keys()) read.add(name);
    }
    return kept.reverse();
  }

  private made(name: string | undefined, op: string): OnnxNode | undefined {
    const node = this.nodes.get(name ?? "");
    return node?.op === op ? node : undefined;
  }

  /** A constant's shape. */
  private shapeOf(name: string | undefined): readonly number[] | undefined {
    return this.graph.tensors.get(name ?? "")?.shape;
  }

  private once(name: string): boolean {
    return this.reads.get(name) === 1;
  }

  /** The two inputs in the order in which the second is a constant. */
  private withConstant({
    inputs: [a = "", b = ""],
  }: OnnxNode): readonly [string, string, readonly number[]] | undefined {
    const [first, second] = [this.shapeOf(a), this.shapeOf(b)];
    if (second) return [a, b, second];
    return first && [b, a, first];
  }

  private withBias(node: OnnxNode): Omit<OnnxNode, "outputs"> | undefined {
    const found = node.op === "Add" ? this.withConstant(node) : undefined;
    if (!found) return undefined;
    const [x, bias, shape] = found;
    const product = this.made(x, "Conv") ?? this.made(x, "ConvTranspose") ?? this.made(x, "Gemm");
    if (!product || product.inputs.length > 2 || !this.once(x)) return undefined;
    const dims = this.graph.dims.get(x) ?? [];
    const after = product.op === "Gemm" ? 0 : dims.length - 2;
    const channels = dims[dims.length - 1 - after];
    const fits = shape.length > after && shape.length <= dims.length && shape.at(-1 - after) === channels;
    if (!fits || shape.reduce((a, b) => a * b, 1) !== channels) return undefined;
    return { ...product, inputs: [...product.inputs, this.graph.renamedShape(bias, [channels])] };
  }

  /** (x - mean) scale + bias for each channel, in which the variance and its eps are part of the scale already. */
  private batchNorm(node: OnnxNode): Omit<OnnxNode, "outputs"> | undefined {
    const added = node.op === "Add" ? this.withConstant(node) : undefined;
    const scaling = added ? this.made(added[0], "Mul") : node.op === "Mul" ? node : undefined;
    const scaled = scaling && this.withConstant(scaling);
    const centring = scaled && this.made(scaled[0], "Sub");
    if (!scaling || !scaled || !centring) return undefined;
    const [x = "", mean = ""] = centring.inputs;
    const dims = this.graph.dims.get(x) ?? [];
    const channels = dims[1];
    const shape = [1, channels, ...dims.slice(2).map(() => 1)];
    const fits = [this.shapeOf(mean), scaled[2], ...(added ? [added[2]] : [])].every(
      (each) => `${each}` === `${shape}`,
    );
    const inside = [...(added ? [added[0]] : []), scaled[0]];
    if (dims.length < 3 || typeof channels !== "number" || !fits || !inside.every((name) => this.once(name)))
      return undefined;
    const vector = (name: string): string => this.graph.renamedShape(name, [channels]);
    const filled = (value: number): string =>
      this.graph.nameOf(this.graph.constant(new HostArray("f32", [channels], new Float32Array(channels).fill(value))));
    return {
      op: "BatchNormalization",
      inputs: [x, vector(scaled[1]), added ? vector(added[1]) : filled(0), vector(mean), filled(1)],
      attributes: { epsilon: { float: 0 } },
    };
  }

  /** low <= x <= high ? x : min(max(x, low), high) */
  private clip({ op, inputs: [condition, x, otherwise] }: OnnxNode): Omit<OnnxNode, "outputs"> | undefined {
    if (op !== "Where" || x === undefined) return undefined;
    const both = this.made(condition, "And");
    const above = this.made(both?.inputs[0], "GreaterOrEqual");
    const below = this.made(both?.inputs[1], "LessOrEqual");
    const min = this.made(otherwise, "Min");
    const max = this.made(min?.inputs[0], "Max");
    const [low, high] = [above?.inputs[1], below?.inputs[1]];
    const scalars = [low, high].every((name) => this.shapeOf(name)?.length === 0);
    const same = [above, below, max].every((each) => each?.inputs[0] === x);
    if (!scalars || !same || max?.inputs[1] !== low || min?.inputs[1] !== high) return undefined;
    return { op: "Clip", inputs: [x, low as string, high as string], attributes: {} };
  }
}
