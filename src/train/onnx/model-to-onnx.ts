import type { Aval } from "../../core/dtype.ts";
import { OptionError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import { leavesOf, type Tree, unflatten } from "../../core/tree.ts";
import { encodeOnnx } from "../../io/onnx.ts";
import type { Program } from "../../ir/program.ts";
import { avalLeaves, fillAvals } from "../../nn/layer.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { type InputSpec, traceProgram } from "../../trace/trace.ts";
import { type Preparation, prepare } from "../examples.ts";
import type { AnyModel, ModelState, TensorTree } from "../task.ts";
import { type AnyProgram, forAnyBatch } from "./any-batch.ts";
import { dimName } from "./dims.ts";
import { emitProgram } from "./emit.ts";
import { GraphBuilder, type Value } from "./graph.ts";
import { tidy } from "./tidy.ts";

/** Version of ONNX's operators that is written, and of the file's form that goes with it. */
export const OPSET = 18;
const IR_VERSION = 8;

export type OnnxParts = {
  readonly model: AnyModel;
  readonly state: ModelState;
  readonly preparation: Preparation;
  /** Types of one sample's inputs, without the batch axis. */
  readonly sample: Tree<Aval>;
  /** Samples of a batch. Default: any number. */
  readonly batch?: number | undefined;
  /** Probabilities instead of scores. */
  readonly softmax?: boolean | undefined;
  /** Of the graph. */
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
};

/** The model in evaluation mode, with its preprocessing, as the bytes of an `.onnx` file. */
export function modelToOnnx(parts: OnnxParts): Uint8Array<ArrayBuffer> {
  const { batch, state, sample, name, metadata } = parts;
  const sizes = batch === undefined ? threeSizes(state, sample) : [batch];
  const program = forAnyBatch(
    sizes.map((size) => traceModel(parts, size)),
    sizes,
  );
  const graph = new GraphBuilder(program.outputs.map(({ path }) => path));
  const feeds = program.inputs.filter(({ role }) => role === "feed");
  const inputs = new Map<number, Value>();
  for (const { path, value } of feeds) inputs.set(value.id, graph.input(path, value.aval.dtype, value.aval.shape));
  const weights = new Map([
    ...leavesOf<HostArray>(state.params, "params"),
    ...leavesOf<HostArray>(state.buffers, "buffers"),
  ]);
  for (const { path, value, role } of program.inputs)
    if (role === "state")
      inputs.set(value.id, graph.weight(path.slice(path.indexOf(".") + 1), weights.get(path) as HostArray));
  const outputs = emitProgram(
    graph,
    program,
    program.inputs.map(({ value }) => inputs.get(value.id) as Value),
  );
  return encodeOnnx({
    graph: {
      name,
      ...tidy(
        graph,
        outputs,
        program.outputs.map(({ path }) => path),
      ),
      inputs: infos(program, "inputs").filter((_, i) => program.inputs[i]?.role === "feed"),
      outputs: infos(program, "outputs"),
    },
    opset: OPSET,
    irVersion: IR_VERSION,
    producer: "downhill",
    metadata,
  });
}

/** Sizes that nothing else here has, so that no size of a batch is taken for another one. */
function threeSizes(state: ModelState, sample: Tree<Aval>): readonly number[] {
  const shapes = [
    ...leavesOf<HostArray>(state.params).map(([, { shape }]) => shape),
    ...leavesOf<HostArray>(state.buffers).map(([, { shape }]) => shape),
    ...avalLeaves(sample).map(([, { shape }]) => shape),
  ];
  const taken = new Set(shapes.flat());
  const sizes: number[] = [];
  for (let size = 2; sizes.length < 3; size++) if (!taken.has(size)) sizes.push(size);
  return sizes;
}

const infos = (program: AnyProgram, which: "inputs" | "outputs") =>
  program[which].map(({ path, value: { aval } }) => ({
    name: path,
    type: aval.dtype,
    shape: aval.shape.map(dimName),
  }));

function traceModel({ model, state, preparation, sample, softmax }: OnnxParts, batch: number): Program {
  const role = "state";
  const states = [...leavesOf<HostArray>(state.params, "params"), ...leavesOf<HostArray>(state.buffers, "buffers")];
  const leaves = avalLeaves(sample);
  const inputs: InputSpec[] = [
    ...leaves.map(
      ([path, { dtype, shape }]): InputSpec => ({
        path: path === "" ? "input" : path,
        aval: { dtype, shape: [batch, ...shape] },
        role: "feed",
      }),
    ),
    ...states.map(([path, { aval }]): InputSpec => ({ path, aval, role })),
  ];
  return traceProgram(inputs, (tensors) => {
    const own = tensors.slice(leaves.length);
    const count = leavesOf<HostArray>(state.params).length;
    const params = unflatten<HostArray, Tensor>(state.params, own.slice(0, count));
    const buffers = unflatten<HostArray, Tensor>(state.buffers, own.slice(count));
    const x = prepare(fillAvals<Tensor>(sample, tensors.slice(0, leaves.length)), preparation);
    const [output] = model.apply(params, buffers, x);
    return leavesOf<Tensor>(softmax ? probabilities(output) : output, "output").map(([path, value]) => ({
      path,
      value,
      role: "result",
    }));
  });
}

function probabilities(output: TensorTree): TensorTree {
  const [[, scores], ...others] = leavesOf<Tensor>(output) as [[string, Tensor], ...[string, Tensor][]];
  if (others.length > 0 || scores.dtype !== "f32" || scores.rank !== 2)
    throw new OptionError(
      "exportOnnx: got softmax for a model that gives no scores f32[N,C]; expected a classifier.",
      "softmax",
    );
  return scores.softmax(-1);
}
