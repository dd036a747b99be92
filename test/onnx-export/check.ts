import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { expect } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { type Aval, sizeOf } from "../../src/core/dtype.ts";
import { HostArray, newData } from "../../src/core/host-array.ts";
import { keyOf, normalAt } from "../../src/core/prng.ts";
import { leavesOf, mapTree, type Tree } from "../../src/core/tree.ts";
import { integerOf, type ProtobufField, protobufFields, textOf } from "../../src/io/protobuf.ts";
import { type Layer, model } from "../../src/nn/index.ts";
import { type AnyLayer, avalLeaves, fillAvals } from "../../src/nn/layer.ts";
import type { HostTree, Preparation } from "../../src/train/examples.ts";
import { modelToOnnx, type OnnxParts } from "../../src/train/onnx/model-to-onnx.ts";
import { Predictor } from "../../src/train/predictor.ts";
import type { AnyModel, ModelState } from "../../src/train/task.ts";

const ORT_TYPES = { f32: "float32", i32: "int32", u8: "uint8", bool: "bool" } as const;

export type Checked = {
  readonly layer: AnyLayer;
  readonly sample: Tree<Aval>;
  /** Indices are below this. Default 5. */
  readonly indices?: number;
  readonly preparation?: Preparation;
  /** How far the weights are from first values. Default 0.1. */
  readonly busy?: number;
  /** Stays open. Default: the oracle. */
  readonly backend?: Backend;
  /** Given instead of normal numbers. */
  readonly inputs?: (batch: number) => HostTree;
  /** Relative to the largest output. */
  readonly tolerance?: number;
  /** Default 1, 2 and 5. The oracle fills others than powers of two up. */
  readonly batches?: readonly number[];
  readonly options?: Pick<OnnxParts, "batch" | "softmax">;
};

/** Weights and statistics that are all in use: not the zeros, ones and counts that training starts from. */
export function busyState(net: AnyModel, sample: Tree<Aval>, size = 0.1): ModelState {
  const batch = fillAvals<Aval>(
    sample,
    avalLeaves(sample).map(([, { dtype, shape }]) => ({
      dtype: dtype === "u8" ? "f32" : dtype,
      shape: [2, ...shape],
    })),
  );
  const { params, buffers } = net.init(7, batch as never);
  let seed = 100;
  const shaken = (array: HostArray, path: string): HostArray => {
    if (array.dtype !== "f32") return array;
    const key = keyOf(seed++);
    const data = Float32Array.from(array.data, (x, i) => x + size * normalAt(key, i));
    if (path.endsWith("running_var")) for (let i = 0; i < data.length; i++) data[i] = 0.5 + Math.abs(data[i] as number);
    return new HostArray("f32", array.shape, data);
  };
  return {
    params: mapTree<HostArray, HostArray>(params, shaken),
    buffers: mapTree<HostArray, HostArray>(buffers, shaken),
  };
}

/** Normal numbers, and indices. */
export function inputsFor(sample: Tree<Aval>, batch: number, indices: number): HostTree {
  const made = avalLeaves(sample).map(([, aval], leaf) => {
    const shape = [batch, ...aval.shape];
    const key = keyOf(31 * batch + leaf);
    const data = newData(aval.dtype, sizeOf(shape));
    for (let i = 0; i < data.length; i++) {
      const x = normalAt(key, i);
      data[i] =
        aval.dtype === "f32"
          ? x
          : aval.dtype === "bool"
            ? Number(x > -1)
            : aval.dtype === "u8"
              ? Math.abs(x) * 80
              : Math.abs(x * 1000) % indices;
    }
    return new HostArray(aval.dtype, shape, data);
  });
  return fillAvals<HostArray>(sample, made);
}

export const open = (bytes: Uint8Array): Promise<InferenceSession> =>
  InferenceSession.create(bytes, { logSeverityLevel: 3, intraOpNumThreads: 1 });

/** The file's outputs by name. */
export async function runOnnx(session: InferenceSession, inputs: HostTree): Promise<Map<string, HostArray>> {
  const feeds = leavesOf<HostArray>(inputs).map(([path, { dtype, shape, data }]) => [
    path === "" ? "input" : path,
    new OrtTensor(ORT_TYPES[dtype], data as never, [...shape]),
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  return new Map(
    Object.entries(results).map(([name, { data, dims, type }]) => {
      const dtype = type === "float32" ? "f32" : type === "int32" ? "i32" : "bool";
      return [name, new HostArray(dtype, dims, data as HostArray["data"])];
    }),
  );
}

export function expectClose(found: HostArray | undefined, wanted: HostArray, tolerance: number, what: string): void {
  expect(found?.shape, what).toEqual(wanted.shape);
  const largest = Array.from(wanted.data).reduce(
    (most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most),
    0,
  );
  const worst = Array.from(wanted.data).reduce((most, x, i) => {
    const y = found?.data[i] as number;
    const error = Object.is(x, y) || (Number.isNaN(x) && Number.isNaN(y)) ? 0 : Math.abs(x - y);
    return Math.max(most, Number.isNaN(error) ? Infinity : error);
  }, 0);
  expect(worst / Math.max(largest, 1e-3), `${what}: relative to the largest output, ${largest}`).toBeLessThanOrEqual(
    tolerance,
  );
}

/** Exports a layer and compares onnxruntime's outputs with the oracle's, at several batch sizes through one file. */
export async function checkExport(checked: Checked): Promise<Uint8Array> {
  const { layer, sample, indices = 5, preparation = {}, tolerance = 2e-6, options = {} } = checked;
  const net = model(layer as Layer) as unknown as AnyModel;
  const state = busyState(net, sample, checked.busy);
  const bytes = modelToOnnx({ model: net, state, preparation, sample, name: "test", metadata: {}, ...options });
  const session = await open(bytes);
  const backend = checked.backend ?? referenceBackend();
  const store = backend.createStore();
  for (const [path, value] of leavesOf<HostArray>(state as HostTree, "state")) store.write(path, value);
  const predictor = new Predictor({ backend, store, task: { model: net, preparation }, state, sample });
  for (const batch of checked.batches ?? [1, 2, 5]) {
    const inputs = checked.inputs?.(batch) ?? inputsFor(sample, batch, indices);
    const found = await runOnnx(session, inputs);
    const wanted = leavesOf<HostArray>(await predictor.outputs(inputs), "output");
    for (const [name, value] of wanted) expectClose(found.get(name), value, tolerance, `${name} at batch ${batch}`);
  }
  await session.release();
  if (checked.backend === undefined) await backend.close();
  return bytes;
}

/** What a file has in it. */
export type Contents = {
  readonly producer: string;
  readonly opset: number;
  /** How often each operator stands in the outermost graph. */
  readonly operators: Readonly<Record<string, number>>;
  /** Names of constants. */
  readonly constants: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
};

const inside = (field: ProtobufField): ProtobufField[] => [...protobufFields(field.bytes, "onnx")];
const fieldsOf = (fields: readonly ProtobufField[], number: number): ProtobufField[] =>
  fields.filter((field) => field.number === number);
const textAt = (fields: readonly ProtobufField[], number: number): string =>
  fieldsOf(fields, number).map(textOf).join(" ");

export function contentsOf(bytes: Uint8Array): Contents {
  const file = [...protobufFields(bytes, "onnx")];
  const graph = fieldsOf(file, 7).flatMap(inside);
  const operators: Record<string, number> = {};
  for (const node of fieldsOf(graph, 1)) {
    const op = textAt(inside(node), 4);
    operators[op] = (operators[op] ?? 0) + 1;
  }
  const entries = fieldsOf(file, 14).map((each): [string, string] => [
    textAt(inside(each), 1),
    textAt(inside(each), 2),
  ]);
  const [opset] = fieldsOf(file, 8).flatMap((each) => fieldsOf(inside(each), 2));
  return {
    producer: textAt(file, 2),
    opset: opset ? integerOf(opset) : 0,
    operators,
    constants: fieldsOf(graph, 5).map((each) => textAt(inside(each), 8)),
    metadata: Object.fromEntries(entries),
  };
}
