import type { Backend } from "../../src/compile/backend.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { Call, hostOf, Unsupported, type Value } from "./call.ts";
import { operators } from "./operators.ts";
import type { ElementType, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from "./protobuf.ts";

type Values = Map<string, Value>;

const ANCHOR: HostArray = array([0]);
const ELEMENT_TYPES: Readonly<Record<HostArray["dtype"], ElementType>> = {
  f32: "float",
  i32: "int64",
  u8: "uint8",
  bool: "bool",
};

function applyNode(node: OnnxNode, opset: number, values: Values, anchor: Tensor): readonly (Tensor | undefined)[] {
  const name = node.domain === "" ? node.operator : `${node.domain}.${node.operator}`;
  const operator = Object.hasOwn(operators, name) ? operators[name] : undefined;
  if (operator === undefined) throw new Unsupported(`no operator ${name}`);
  const inputs = node.inputs.map((input) => (input === "" ? undefined : lookUp(values, input)));
  const outputs = operator(
    new Call(node, opset, inputs, anchor, (graph, args) => {
      const inner = new Map(values);
      for (const [i, { name: input }] of graph.inputs.entries()) inner.set(input, { tensor: args[i] as Tensor });
      return applyGraph(graph, opset, inner, args[0] ?? anchor);
    }),
  );
  return Array.isArray(outputs) ? outputs : [outputs as Tensor];
}

function lookUp(values: Values, name: string): Value {
  const value = values.get(name);
  if (value === undefined) throw new Error(`there is no value ${name}`);
  return value;
}

const constantValue = (tensor: OnnxTensor, anchor: Tensor): Value => ({
  tensor: tensorOr(() => anchor.constant(hostOf(tensor, false))),
  known: tensor,
});

/** A value, or why there is none. */
function tensorOr(make: () => Tensor): Tensor | string {
  try {
    return make();
  } catch (error) {
    if (error instanceof Unsupported) return error.message;
    throw error;
  }
}

function applyGraph(graph: OnnxGraph, opset: number, values: Values, anchor: Tensor, known?: Known): Tensor[] {
  for (const tensor of graph.initializers) values.set(tensor.name, constantValue(tensor, anchor));
  for (const node of graph.nodes)
    applyNode(node, opset, values, anchor).forEach((tensor, i) => {
      const name = node.outputs[i] ?? "";
      const value = known?.get(name);
      if (tensor !== undefined && name !== "") values.set(name, value ? { tensor, known: value } : { tensor });
    });
  return graph.outputs.map(({ name }) => {
    const { tensor } = lookUp(values, name);
    if (typeof tensor === "string") throw new Unsupported(tensor);
    return tensor;
  });
}

type Known = ReadonlyMap<string, OnnxTensor>;

/** A case that can be run: its inputs, and every value between them as operators see it that ask for a shape or an axis. */
export type Plan = {
  readonly model: OnnxModel;
  readonly inputs: readonly OnnxTensor[];
  readonly known: Known;
};

/** Only values of types that exist here are fed; the others may still be read while tracing. */
function feedsOf(inputs: readonly OnnxTensor[], double: boolean): (HostArray | undefined)[] {
  return inputs.map((input) => {
    try {
      return hostOf(input, double);
    } catch (error) {
      if (error instanceof Unsupported) return undefined;
      throw error;
    }
  });
}

/** Runs `f` on the inputs of a graph, as feeds of one compiled program. */
function runTraced(
  backend: Backend,
  inputs: readonly OnnxTensor[],
  double: boolean,
  f: (values: Values, anchor: Tensor) => readonly Tensor[],
): Promise<HostArray[]> {
  const feeds = feedsOf(inputs, double);
  return runFunction(
    backend,
    (anchor, ...fed) => {
      const values: Values = new Map();
      inputs.forEach((known, i) => {
        const tensor = feeds[i]
          ? (fed.shift() as Tensor)
          : tensorOr(() => (anchor as Tensor).constant(hostOf(known, double)));
        values.set(known.name, { tensor, known });
      });
      return f(values, anchor as Tensor);
    },
    [ANCHOR, ...feeds.filter((feed) => feed !== undefined)],
  );
}

/**
 * Runs the nodes one after the other, so that each value is known when the graph is traced as a whole: what is a shape there is a
 * number here. Throws Unsupported with the reason for a case that asks for what does not exist here.
 */
export async function plan(
  backend: Backend,
  model: OnnxModel,
  given: readonly OnnxTensor[],
  double: boolean,
): Promise<Plan> {
  const { graph } = model;
  const other = [...graph.inputs, ...graph.outputs].find(({ kind }) => kind !== "tensor");
  if (other) throw new Unsupported(`${other.kind} values`);
  const fedNames = graph.inputs.map(({ name }) => name);
  const inputs = given.map((tensor, i) => ({ ...tensor, name: tensor.name || (fedNames[i] ?? "") }));
  const known = new Map([...graph.initializers, ...inputs].map((tensor) => [tensor.name, tensor]));
  for (const node of graph.nodes) {
    const used = [...new Set(node.inputs.filter((name) => name !== ""))];
    const present = bodyNeedsAll(node) ? [...known.values()] : used.map((name) => knownOf(known, name));
    const outputs = node.outputs.flatMap((name, i) => (name === "" ? [] : [{ name, i }]));
    let made: boolean[] = [];
    const results = await runTraced(backend, present, double, (values, anchor) => {
      const all = applyNode(node, opsetOf(model), values, anchor);
      made = outputs.map(({ i }) => all[i] !== undefined);
      return outputs.flatMap(({ i }) => all[i] ?? []);
    });
    outputs
      .filter((_, i) => made[i])
      .forEach(({ name }, i) => {
        const { dtype, shape, data } = results[i] as HostArray;
        known.set(name, { name, type: ELEMENT_TYPES[dtype], shape, values: Float64Array.from(data) });
      });
  }
  for (const { name } of graph.outputs) knownOf(known, name);
  return { model, inputs, known };
}

const bodyNeedsAll = (node: OnnxNode): boolean =>
  Object.values(node.attributes).some(({ graph }) => graph !== undefined);
const opsetOf = ({ opsets }: OnnxModel): number => opsets[""] ?? 0;

function knownOf(known: Known, name: string): OnnxTensor {
  const tensor = known.get(name);
  if (tensor === undefined) throw new Error(`there is no value ${name}`);
  return tensor;
}

/** The graph's outputs, from one program. */
export function run(backend: Backend, { model, inputs, known }: Plan, double: boolean): Promise<HostArray[]> {
  return runTraced(backend, inputs, double, (values, anchor) =>
    applyGraph(model.graph, opsetOf(model), values, anchor, known),
  );
}
