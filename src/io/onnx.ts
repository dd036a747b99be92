import { joinBytes } from "../core/bytes.ts";
import { bytesField, floatField, integerField, messageParts } from "./protobuf.ts";

/** Numbers of `TensorProto.DataType`. */
export const ELEMENT_TYPES: {
  readonly f32: 1;
  readonly u8: 2;
  readonly i32: 6;
  readonly i64: 7;
  readonly bool: 9;
  readonly u32: 12;
} = {
  f32: 1,
  u8: 2,
  i32: 6,
  i64: 7,
  bool: 9,
  u32: 12,
};

export type OnnxType = keyof typeof ELEMENT_TYPES;

/** A constant: `bytes` are its elements, little-endian. */
export type OnnxTensor = {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
};

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly graph: OnnxGraph };

/** Values are known by name; an input "" is one left out. */
export type OnnxNode = {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
};

/** An input or output; a size that is a text is any number, the same wherever the text is. */
export type OnnxValueInfo = {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly (number | string)[];
  readonly description?: string;
};

export type OnnxGraph = {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
};

export type OnnxModel = {
  readonly graph: OnnxGraph;
  /** Version of the operators of ONNX's own domain. */
  readonly opset: number;
  readonly irVersion: number;
  readonly producer: string;
  readonly metadata: Readonly<Record<string, string>>;
};

type Fields = readonly Uint8Array[];

const message = (field: number, fields: Fields): Uint8Array[] => messageParts(field, ...fields);

/**
 * A model as the bytes of an `.onnx` file, constants included. Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 *
 * @example
 * encodeOnnx({ graph, opset: 18, irVersion: 8, producer: "downhill", metadata: {} })
 */
export function encodeOnnx(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const { graph, opset, irVersion, producer, metadata } = model;
  return joinBytes([
    integerField(1, irVersion),
    bytesField(2, producer),
    ...message(7, graphFields(graph)),
    bytesField(8, bytesField(1, ""), integerField(2, opset)),
    ...Object.entries(metadata).map(([key, value]) => bytesField(14, bytesField(1, key), bytesField(2, value))),
  ]);
}

function graphFields({ name, nodes, initializers, inputs, outputs }: OnnxGraph): Fields {
  return [
    ...nodes.flatMap((node) => message(1, nodeFields(node))),
    bytesField(2, name),
    ...initializers.flatMap((tensor) => message(5, tensorFields(tensor))),
    ...inputs.map((info) => bytesField(11, ...infoFields(info))),
    ...outputs.map((info) => bytesField(12, ...infoFields(info))),
  ];
}

function nodeFields({ op, inputs, outputs, attributes }: OnnxNode): Fields {
  return [
    ...inputs.map((name) => bytesField(1, name)),
    ...outputs.map((name) => bytesField(2, name)),
    bytesField(3, outputs.find((name) => name !== "") ?? op),
    bytesField(4, op),
    ...Object.entries(attributes).flatMap(([name, value]) => message(5, [bytesField(1, name), ...valueFields(value)])),
  ];
}

/** The value, and its number in `AttributeProto.AttributeType`. */
function valueFields(value: OnnxAttribute): Fields {
  if ("int" in value) return [integerField(3, value.int), integerField(20, 2)];
  if ("ints" in value) return [...value.ints.map((each) => integerField(8, each)), integerField(20, 7)];
  if ("float" in value) return [floatField(2, value.float), integerField(20, 1)];
  if ("text" in value) return [bytesField(4, value.text), integerField(20, 3)];
  return [...message(6, graphFields(value.graph)), integerField(20, 5)];
}

function tensorFields({ name, type, shape, bytes }: OnnxTensor): Fields {
  return [
    ...shape.map((size) => integerField(1, size)),
    integerField(2, ELEMENT_TYPES[type]),
    bytesField(8, name),
    ...messageParts(9, bytes),
  ];
}

function infoFields({ name, type, shape, description }: OnnxValueInfo): Fields {
  const sizes = shape.map((size) =>
    bytesField(1, typeof size === "number" ? integerField(1, size) : bytesField(2, size)),
  );
  const tensor = bytesField(1, integerField(1, ELEMENT_TYPES[type]), bytesField(2, ...sizes));
  return [
    bytesField(1, name),
    bytesField(2, tensor),
    ...(description === undefined ? [] : [bytesField(3, description)]),
  ];
}
