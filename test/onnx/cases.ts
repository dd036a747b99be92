import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type OnnxModel, type OnnxTensor, readModel, readTensor } from "./protobuf.ts";

/** Where Debian's libonnx-testdata puts the operator cases; `ONNX_TESTDATA` names another folder of that form. */
const FOLDER: string = process.env.ONNX_TESTDATA || "/usr/share/libonnx-testdata/data/node";

/** The folder of the operator cases, if it is there. */
export const casesFolder: string | undefined = existsSync(FOLDER) ? FOLDER : undefined;

export const caseNames: readonly string[] =
  casesFolder === undefined
    ? []
    : readdirSync(casesFolder)
        .filter((name) => existsSync(join(FOLDER, name, "model.onnx")))
        .sort();

export type Case = {
  readonly model: OnnxModel;
  readonly inputs: readonly OnnxTensor[];
  readonly outputs: readonly OnnxTensor[];
};

/** Attributes with which a case's values were made, where its model does not have them. */
const LEFT_OUT: Readonly<Record<string, Readonly<Record<string, number>>>> = { test_adam_multiple: { epsilon: 1e-2 } };

function completed(name: string, model: OnnxModel): OnnxModel {
  const given = Object.entries(LEFT_OUT[name] ?? {});
  const added = Object.fromEntries(given.map(([key, number]) => [key, { number, numbers: [], texts: [] }]));
  const nodes = model.graph.nodes.map((node) => ({ ...node, attributes: { ...added, ...node.attributes } }));
  return { ...model, graph: { ...model.graph, nodes } };
}

export function readCase(name: string): Case {
  const folder = join(FOLDER, name);
  const model = completed(name, readModel(readFileSync(join(folder, "model.onnx"))));
  const data = join(folder, "test_data_set_0");
  const read = (side: string, count: number): OnnxTensor[] =>
    Array.from({ length: count }, (_, i) => join(data, `${side}_${i}.pb`))
      .filter((file) => existsSync(file))
      .map((file) => readTensor(readFileSync(file)));
  // Sequences and optional values are messages of another form.
  const plain = [...model.graph.inputs, ...model.graph.outputs].every(({ kind }) => kind === "tensor");
  if (!plain) return { model, inputs: [], outputs: [] };
  return {
    model,
    inputs: read("input", model.graph.inputs.length),
    outputs: read("output", model.graph.outputs.length),
  };
}
