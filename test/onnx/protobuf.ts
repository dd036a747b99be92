/**
 * Reads the part of ONNX's protocol buffers that its operator cases use. Field numbers are those of onnx.proto3; fields that are
 * not named here are skipped. Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
 */

/** An element type by its name in `TensorProto.DataType`. */
export type ElementType = (typeof ELEMENT_TYPES)[number];

export const ELEMENT_TYPES = [
  "undefined",
  "float",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "double",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
] as const;

/** Values as doubles, row-major; of strings and complex numbers there is the type and the shape alone. */
export type OnnxTensor = {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly values: Float64Array;
};

export type Attribute = {
  readonly number?: number;
  readonly text?: string;
  readonly tensor?: OnnxTensor;
  readonly graph?: OnnxGraph;
  readonly numbers: readonly number[];
  readonly texts: readonly string[];
};

export type OnnxNode = {
  readonly operator: string;
  /** "" is the standard's own. */
  readonly domain: string;
  /** An optional input that is left out has the name "". */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
};

export type ValueInfo = {
  readonly name: string;
  readonly kind: "tensor" | "sequence" | "optional" | "other";
  /** Of a tensor. */
  readonly type: ElementType;
};

export type OnnxGraph = {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
};

export type OnnxModel = {
  readonly graph: OnnxGraph;
  /** Version of the operator set by domain. */
  readonly opsets: Readonly<Record<string, number>>;
};

/** One field as it lies in the bytes: a varint, or a view of 4, 8 or any number of bytes. */
type Field = { readonly number: number; readonly varint: bigint; readonly bytes: Uint8Array };

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("protobuf: the bytes end inside a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length)
      throw new RangeError(`protobuf: a field of ${length} bytes at ${at} of ${bytes.length}`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [number, wire] = [tag >>> 3, tag & 7];
    const none = bytes.subarray(at, at);
    if (wire === VARINT) yield { number, varint: varint(), bytes: none };
    else if (wire === FIXED_64) yield { number, varint: 0n, bytes: take(8) };
    else if (wire === FIXED_32) yield { number, varint: 0n, bytes: take(4) };
    else if (wire === LENGTH_DELIMITED) yield { number, varint: 0n, bytes: take(Number(varint())) };
    else throw new RangeError(`protobuf: wire type ${wire} of field ${number}`);
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const signed = (value: bigint): number => Number(BigInt.asIntN(64, value));

/** A repeated number: packed in one field or one field each. */
function varintsOf({ varint, bytes }: Field): number[] {
  if (bytes.length === 0) return [signed(varint)];
  const found: number[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    found.push(signed(value));
    value = 0n;
    shift = 0n;
  }
  return found;
}

function floatsOf({ bytes }: Field): number[] {
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

function doublesOf({ bytes }: Field): number[] {
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
}

function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function bfloatOf(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits * 0x10000);
  return view.getFloat32(0);
}

type RawReader = { readonly bytes: number; readonly at: (view: DataView, offset: number) => number };

const RAW: Partial<Readonly<Record<ElementType, RawReader>>> = {
  float: { bytes: 4, at: (view, i) => view.getFloat32(i, true) },
  double: { bytes: 8, at: (view, i) => view.getFloat64(i, true) },
  float16: { bytes: 2, at: (view, i) => halfOf(view.getUint16(i, true)) },
  bfloat16: { bytes: 2, at: (view, i) => bfloatOf(view.getUint16(i, true)) },
  int8: { bytes: 1, at: (view, i) => view.getInt8(i) },
  uint8: { bytes: 1, at: (view, i) => view.getUint8(i) },
  bool: { bytes: 1, at: (view, i) => view.getUint8(i) },
  int16: { bytes: 2, at: (view, i) => view.getInt16(i, true) },
  uint16: { bytes: 2, at: (view, i) => view.getUint16(i, true) },
  int32: { bytes: 4, at: (view, i) => view.getInt32(i, true) },
  uint32: { bytes: 4, at: (view, i) => view.getUint32(i, true) },
  int64: { bytes: 8, at: (view, i) => Number(view.getBigInt64(i, true)) },
  uint64: { bytes: 8, at: (view, i) => Number(view.getBigUint64(i, true)) },
};

export function readTensor(bytes: Uint8Array): OnnxTensor {
  const shape: number[] = [];
  const listed: number[] = [];
  let type: ElementType = "undefined";
  let name = "";
  let raw: Uint8Array | undefined;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) shape.push(...varintsOf(field));
    else if (field.number === 2) type = ELEMENT_TYPES[Number(field.varint)] ?? "undefined";
    else if (field.number === 4) listed.push(...floatsOf(field));
    else if (field.number === 5 || field.number === 7 || field.number === 11) listed.push(...varintsOf(field));
    else if (field.number === 8) name = textOf(field.bytes);
    else if (field.number === 9) raw = field.bytes;
    else if (field.number === 10) listed.push(...doublesOf(field));
  }
  const reader = RAW[type];
  const size = shape.reduce((n, k) => n * k, 1);
  // Halves stand in int32_data by their bits.
  if (reader === undefined) return { name, type, shape, values: new Float64Array(0) };
  const view = raw === undefined ? undefined : viewOf(raw);
  const ofBits = type === "float16" ? halfOf : type === "bfloat16" ? bfloatOf : Number;
  const values = Float64Array.from({ length: view ? view.byteLength / reader.bytes : listed.length }, (_, i) =>
    view ? reader.at(view, i * reader.bytes) : ofBits(listed[i] as number),
  );
  if (values.length !== size)
    throw new RangeError(`protobuf: tensor ${name} has ${values.length} values for shape [${shape}]`);
  return { name, type, shape, values };
}

function readAttribute(bytes: Uint8Array): readonly [string, Attribute] {
  let name = "";
  let found: Attribute = { numbers: [], texts: [] };
  const numbers: number[] = [];
  const texts: string[] = [];
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) name = textOf(field.bytes);
    else if (field.number === 2) found = { ...found, number: floatsOf(field)[0] as number };
    else if (field.number === 3) found = { ...found, number: signed(field.varint) };
    else if (field.number === 4) found = { ...found, text: textOf(field.bytes) };
    else if (field.number === 5) found = { ...found, tensor: readTensor(field.bytes) };
    else if (field.number === 6) found = { ...found, graph: readGraph(field.bytes) };
    else if (field.number === 7) numbers.push(...floatsOf(field));
    else if (field.number === 8) numbers.push(...varintsOf(field));
    else if (field.number === 9) texts.push(textOf(field.bytes));
  }
  return [name, { ...found, numbers, texts }];
}

function readNode(bytes: Uint8Array): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Record<string, Attribute> = {};
  let operator = "";
  let domain = "";
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) inputs.push(textOf(field.bytes));
    else if (field.number === 2) outputs.push(textOf(field.bytes));
    else if (field.number === 4) operator = textOf(field.bytes);
    else if (field.number === 5) {
      const [name, attribute] = readAttribute(field.bytes);
      attributes[name] = attribute;
    } else if (field.number === 7) domain = textOf(field.bytes);
  }
  return { operator, domain, inputs, outputs, attributes };
}

const KINDS: Readonly<Record<number, ValueInfo["kind"]>> = { 1: "tensor", 4: "sequence", 9: "optional" };

function readValueInfo(bytes: Uint8Array): ValueInfo {
  let name = "";
  let kind: ValueInfo["kind"] = "other";
  let type: ElementType = "undefined";
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) name = textOf(field.bytes);
    if (field.number !== 2) continue;
    for (const part of fieldsOf(field.bytes)) {
      kind = KINDS[part.number] ?? kind;
      if (part.number !== 1) continue;
      for (const { number, varint } of fieldsOf(part.bytes))
        if (number === 1) type = ELEMENT_TYPES[Number(varint)] ?? type;
    }
  }
  return { name, kind, type };
}

function readGraph(bytes: Uint8Array): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) nodes.push(readNode(field.bytes));
    else if (field.number === 5) initializers.push(readTensor(field.bytes));
    else if (field.number === 11) inputs.push(readValueInfo(field.bytes));
    else if (field.number === 12) outputs.push(readValueInfo(field.bytes));
  }
  return { nodes, initializers, inputs, outputs };
}

export function readModel(bytes: Uint8Array): OnnxModel {
  let graph: OnnxGraph = { nodes: [], initializers: [], inputs: [], outputs: [] };
  const opsets: Record<string, number> = {};
  for (const field of fieldsOf(bytes)) {
    if (field.number === 7) graph = readGraph(field.bytes);
    if (field.number !== 8) continue;
    let domain = "";
    let version = 0;
    for (const part of fieldsOf(field.bytes)) {
      if (part.number === 1) domain = textOf(part.bytes);
      else if (part.number === 2) version = signed(part.varint);
    }
    opsets[domain] = version;
  }
  return { graph, opsets };
}
