import { bytesOf, sizeOf } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { HostArray, newData } from "../core/host-array.ts";
import { claimedBytes } from "./claimed-bytes.ts";
import { PickledCall, PickledId, PickledName, PickledTuple, pickle, unpickle } from "./pickle.ts";
import { STORED_TYPES, type StoredType } from "./stored-types.ts";
import { encodeZip, type ZipEntry, type ZipForm, zipContent, zipEntries } from "./zip.ts";

/** What a file of `torch.save` holds, without code: dictionaries are maps, lists and tuples arrays, None null, tensors host arrays. */
export type TorchValue =
  | HostArray
  | number
  | string
  | boolean
  | null
  | readonly TorchValue[]
  | ReadonlyMap<string | number, TorchValue>;

const FORM: ZipForm = { format: "torch", what: "entries", maxEntries: 1_000_000, said: "zip file of torch.save" };
/** As in PyTorch. */
const MAX_RANK = 64;
/** Bytes that tensors may take for each of the storages': views of one storage become copies. */
const MAX_SHARED = 16;
/** PyTorch's, for mapping files into memory. */
const ALIGNMENT = 64;

/** PyTorch's storages, and safetensors' names of their types. */
const STORAGES: ReadonlyMap<string, string> = new Map([
  ["torch.DoubleStorage", "F64"],
  ["torch.FloatStorage", "F32"],
  ["torch.HalfStorage", "F16"],
  ["torch.BFloat16Storage", "BF16"],
  ["torch.LongStorage", "I64"],
  ["torch.IntStorage", "I32"],
  ["torch.ShortStorage", "I16"],
  ["torch.CharStorage", "I8"],
  ["torch.ByteStorage", "U8"],
  ["torch.BoolStorage", "BOOL"],
]);
const REBUILD = "torch._utils._rebuild_tensor_v2";

/** Numbers of a file that tensors are views of. */
class Storage {
  readonly key: string;
  /** By safetensors' name. */
  readonly dtype: string;
  readonly type: StoredType;
  readonly bytes: Uint8Array;

  constructor(key: string, dtype: string, type: StoredType, bytes: Uint8Array) {
    this.key = key;
    this.dtype = dtype;
    this.type = type;
    this.bytes = bytes;
  }
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const areSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length <= MAX_RANK && value.every(isSize);

/**
 * What a file of `torch.save` holds: a state dict, an optimizer's, a checkpoint of both. Float64, float16 and bfloat16 become
 * f32, integers i32 (refused where a value does not fit), as in safetensors files.
 *
 * The file is taken as hostile: no code of it is ever run, names other than those of tensors and ordered dictionaries are
 * refused, sizes are held against the storages before anything is allocated. Throws DataError naming `name` and the byte.
 */
export async function decodeTorchFile(file: Uint8Array, name = "torch"): Promise<TorchValue> {
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const refuse = (text: string, at: number): never => {
    throw new DataError(`torch: ${name} ${text}`, `${name}, byte ${at}`);
  };
  if (bytes[0] === 0x80)
    refuse(
      "is a bare pickle, as torch.save wrote before PyTorch 1.6; expected a zip file. Hint: load and save it again.",
      0,
    );
  const entries = zipEntries(bytes, name, FORM);
  const described = entries.find((entry) => /^[^/]+\/data\.pkl$/.test(entry.name));
  if (described === undefined) return refuse("has no data.pkl; expected a file of torch.save.", 0);
  const prefix = described.name.slice(0, -"data.pkl".length);
  const contents = new Map<string, Uint8Array>();
  const read = (entry: ZipEntry): Promise<Uint8Array> => zipContent(bytes, entry, name, FORM);
  let stored = 0;
  for (const entry of entries)
    if (entry.name.startsWith(`${prefix}data/`)) {
      const content = await read(entry);
      stored += content.length;
      contents.set(entry.name.slice(prefix.length + "data/".length), content);
    }
  const order = entries.find((entry) => entry.name === `${prefix}byteorder`);
  if (order !== undefined && new TextDecoder().decode(await read(order)) !== "little")
    refuse("holds numbers of another byte order; expected little.", order.at);

  let at = described.at;
  const fail = (text: string, byte = 0): never => refuse(`has a data.pkl that ${text}`, at + byte);
  const storages = new Map<string, Storage>();
  const made = new Map<string, HostArray>();
  let left = MAX_SHARED * stored;
  const storageOf = (id: unknown): Storage => {
    const [kind, type, key, , count] = Array.isArray(id) ? (id as unknown[]) : [];
    const dtype = type instanceof PickledName ? STORAGES.get(type.name) : undefined;
    const as = dtype === undefined ? undefined : STORED_TYPES.get(dtype);
    if (kind !== "storage" || dtype === undefined || as === undefined || typeof key !== "string" || !isSize(count))
      return fail("refers to what is no storage.");
    const content = contents.get(key);
    if (content === undefined)
      return fail(`refers to the storage ${JSON.stringify(key)}, which the file does not hold.`);
    if (content.length !== count * as.bytes)
      fail(`claims ${count} numbers in the storage ${key}, which has ${content.length} bytes.`);
    const known = storages.get(key);
    if (known?.type === as) return known;
    const storage = new Storage(key, dtype, as, content);
    storages.set(key, storage);
    return storage;
  };
  const rebuild = ([storage, offset, shape, strides]: readonly unknown[]): HostArray => {
    if (!(storage instanceof Storage) || !isSize(offset) || !areSizes(shape) || !areSizes(strides))
      return fail("has a tensor without a storage, an offset, sizes or strides.");
    if (shape.length !== strides.length) fail(`has a tensor of ${shape.length} sizes and ${strides.length} strides.`);
    const { type, dtype, key } = storage;
    const place = `${key} ${dtype} ${offset} ${shape} ${strides}`;
    const known = made.get(place);
    if (known !== undefined) return known;
    const claimed = claimedBytes(shape, type.bytes) ?? Infinity;
    const last = shape.reduce((sum, size, i) => sum + (size - 1) * (strides[i] as number), offset);
    if (claimed > 0 && (last + 1) * type.bytes > storage.bytes.length)
      fail(`has a tensor [${shape}] that reaches past its storage ${key}.`);
    left -= claimed;
    if (left < 0) fail(`has tensors of more than ${MAX_SHARED} times the numbers that it holds.`);
    const array = readStrided(storage, offset, shape, strides, (i) =>
      fail(`has a tensor with a value at index ${i} that ${type.dtype} cannot hold.`),
    );
    made.set(place, array);
    return array;
  };
  const content = await read(described);
  const header = new DataView(bytes.buffer, bytes.byteOffset + described.at);
  at = described.at + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  return unpickle(content, {
    fail,
    persistent: storageOf,
    names: new Set(STORAGES.keys()),
    calls: new Map<string, (args: readonly unknown[]) => unknown>([
      ["collections.OrderedDict", () => new Map()],
      ["torch.Size", ([sizes]) => (areSizes(sizes) ? sizes : fail("has sizes that are none."))],
      [REBUILD, rebuild],
      [
        "torch._utils._rebuild_parameter",
        ([data]) => (data instanceof HostArray ? data : fail("has a parameter of no tensor.")),
      ],
    ]),
  }) as TorchValue;
}

/** A view's numbers in row-major order. */
function readStrided(
  { type, bytes }: Storage,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
  fail: (index: number) => never,
): HostArray {
  const count = sizeOf(shape);
  const data = newData(type.dtype, count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let dense = 1;
  let isDense = true;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size !== 1 && strides[axis] !== dense) isDense = false;
    dense *= size;
  }
  const begin = offset * type.bytes;
  if (isDense && (type === STORED_TYPES.get("F32") || type === STORED_TYPES.get("U8"))) {
    new Uint8Array(data.buffer).set(bytes.subarray(begin, begin + count * type.bytes));
    return new HostArray(type.dtype, shape, data);
  }
  const index = new Array<number>(shape.length).fill(0);
  let at = offset;
  for (let i = 0; i < count; i++) {
    const value = type.read(view, at * type.bytes);
    if (value === undefined) return fail(i);
    data[i] = value;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      at += strides[axis] as number;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        break;
      }
      at -= next * (strides[axis] as number);
      index[axis] = 0;
    }
  }
  return new HostArray(type.dtype, shape, data);
}

const WRITTEN_AS = { f32: "Float", i32: "Int", u8: "Byte", bool: "Bool" } as const;

export type EncodeTorchOptions = {
  /** Keys whose i32 arrays are written as int64, PyTorch's type for integers. Default `num_batches_tracked`, also after a dot. */
  readonly isLong?: (key: string) => boolean;
};

const isBatchCount = (key: string): boolean => key.split(".").at(-1) === "num_batches_tracked";

/**
 * Plain data and host arrays as `torch.save` writes them, for `torch.load(file, weights_only=True)`: maps and records as
 * dictionaries, arrays as lists, whole numbers as integers. Each array is one tensor with a storage of its own, or the same
 * where it stands twice.
 */
export function encodeTorchFile(
  value: TorchValue | Readonly<Record<string, TorchValue>>,
  { isLong = isBatchCount }: EncodeTorchOptions = {},
): Uint8Array<ArrayBuffer> {
  const fail = (text: string): never => {
    throw new DataError(`torch: ${text}; expected arrays and plain data.`);
  };
  const contents: Uint8Array[] = [];
  const keys = new Map<HostArray, string>();
  const tensor = (array: HostArray, long: boolean): PickledCall => {
    const { dtype, shape, data } = array;
    const known = keys.get(array);
    const key = known ?? String(contents.length);
    if (known === undefined) {
      contents.push(long ? asInt64(array) : littleEndian(array));
      keys.set(array, key);
    }
    const kind = new PickledName(`torch.${long ? "Long" : WRITTEN_AS[dtype]}Storage`);
    const id = new PickledId(new PickledTuple(["storage", kind, key, "cpu", data.length]));
    const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
    return new PickledCall(REBUILD, [
      id,
      0,
      new PickledTuple(shape),
      new PickledTuple(strides),
      false,
      new PickledCall("collections.OrderedDict", []),
    ]);
  };
  const plain = (node: unknown, key: string | number): unknown => {
    if (node instanceof HostArray) return tensor(node, node.dtype === "i32" && isLong(String(key)));
    if (node instanceof Map) return new Map([...node].map(([name, child]) => [name, plain(child, name)]));
    if (Array.isArray(node)) return node.map((child, i) => plain(child, i));
    const prototype: unknown = typeof node === "object" && node !== null ? Object.getPrototypeOf(node) : undefined;
    if (prototype !== Object.prototype && prototype !== null) return node;
    return new Map(Object.entries(node as object).map(([name, child]) => [name, plain(child, name)]));
  };
  const described = pickle(plain(value, ""), fail);
  const text = (words: string): Uint8Array => new TextEncoder().encode(words);
  return encodeZip(
    [
      ["archive/data.pkl", described],
      ["archive/byteorder", text("little")],
      ...contents.map((bytes, i): [string, Uint8Array] => [`archive/data/${i}`, bytes]),
      ["archive/version", text("3\n")],
    ],
    ALIGNMENT,
  );
}

/** Typed arrays are little-endian on every processor that a JavaScript engine with WebAssembly runs on. */
function littleEndian({ dtype, data }: HostArray): Uint8Array {
  const exact = dtype === "f32" && data instanceof Float64Array ? Float32Array.from(data) : data;
  return new Uint8Array(exact.buffer, exact.byteOffset, exact.length * bytesOf(dtype));
}

function asInt64({ data }: HostArray): Uint8Array {
  return new Uint8Array(BigInt64Array.from(data as Int32Array, BigInt).buffer);
}
