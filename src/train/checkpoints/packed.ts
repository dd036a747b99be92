import { DataError, OptionError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";

/** Plain data with arrays in it, as text and named arrays. */
export type Packed = { readonly text: string; readonly arrays: Readonly<Record<string, HostArray>> };

/** The key that no plain data may begin an object with: `{ "$": "array", name }` stands for an array. */
const MARK = "$";
const MAX_DEPTH = 100;

/**
 * Takes the arrays out of plain data: numbers (NaN, the infinities and -0 too), texts, truth values, null, lists, records,
 * `HostArray` and `Float64Array`. Arrays are named by their path below `prefix`; doubles become bytes.
 *
 * Throws OptionError naming the path of anything else.
 */
export function pack(value: unknown, prefix: string): Packed {
  const arrays: [string, HostArray][] = [];
  const put = (path: string, array: HostArray): string => {
    arrays.push([path, array]);
    return path;
  };
  const walk = (node: unknown, path: string, depth: number): unknown => {
    if (depth > MAX_DEPTH) throw new OptionError(`checkpoint: ${path} is nested more than ${MAX_DEPTH} deep.`, path);
    if (node === null || typeof node === "string" || typeof node === "boolean") return node;
    if (typeof node === "number")
      return Number.isFinite(node) && !Object.is(node, -0)
        ? node
        : { [MARK]: "number", value: Object.is(node, -0) ? "-0" : String(node) };
    if (node instanceof HostArray) {
      if (node.dtype !== "f32" || !(node.data instanceof Float64Array))
        return { [MARK]: "array", name: put(path, node) };
      return { [MARK]: "doubles", name: put(path, bytesOf(node.data)), shape: node.shape };
    }
    if (node instanceof Float64Array) return { [MARK]: "doubles", name: put(path, bytesOf(node)) };
    if (Array.isArray(node)) return node.map((child, i) => walk(child, `${path}.${i}`, depth + 1));
    const prototype: unknown = typeof node === "object" ? Object.getPrototypeOf(node) : undefined;
    if (prototype !== Object.prototype && prototype !== null)
      throw new OptionError(
        `checkpoint: got ${typeof node === "object" ? "an object of a class" : `a ${typeof node}`} at ${path}; expected plain data and arrays.`,
        path,
      );
    const entries = Object.entries(node as object)
      .filter(([, child]) => child !== undefined)
      .map(([key, child]): [string, unknown] => [key, walk(child, `${path}.${key}`, depth + 1)]);
    return Object.hasOwn(node as object, MARK) ? { [MARK]: "record", entries } : Object.fromEntries(entries);
  };
  const text = JSON.stringify(walk(value, prefix, 0));
  return { text, arrays: Object.fromEntries(arrays) };
}

/** What `pack` took apart. Throws DataError naming `file` where the text is no such data or an array is missing. */
export function unpack({ text, arrays }: Packed, file: string): unknown {
  const fail = (what: string): never => {
    throw new DataError(`checkpoint: ${file} has ${what} in its notes.`, file);
  };
  const arrayOf = (name: unknown): HostArray => {
    if (typeof name === "string" && Object.hasOwn(arrays, name)) return arrays[name] as HostArray;
    return fail(`the array ${JSON.stringify(name)}, which it does not hold,`);
  };
  const walk = (node: unknown, depth: number): unknown => {
    if (depth > 2 * MAX_DEPTH) fail("data nested too deep");
    if (typeof node !== "object" || node === null) return node;
    if (Array.isArray(node)) return node.map((child) => walk(child, depth + 1));
    const record = node as Readonly<Record<string, unknown>>;
    switch (Object.hasOwn(record, MARK) ? record[MARK] : undefined) {
      case undefined:
        return Object.fromEntries(Object.entries(record).map(([key, child]) => [key, walk(child, depth + 1)]));
      case "number":
        return Number(record.value);
      case "array":
        return arrayOf(record.name);
      case "doubles": {
        const data = doublesOf(arrayOf(record.name)) ?? fail("damaged doubles");
        const { shape } = record;
        if (shape === undefined) return data;
        if (!Array.isArray(shape) || shape.reduce((product, n) => product * n, 1) !== data.length)
          return fail("doubles of a shape that does not fit");
        return new HostArray("f32", shape as number[], data);
      }
      case "record": {
        const { entries } = record;
        if (!Array.isArray(entries) || !entries.every((pair) => Array.isArray(pair) && typeof pair[0] === "string"))
          return fail("a damaged record");
        return Object.fromEntries(entries.map(([key, child]: [string, unknown]) => [key, walk(child, depth + 1)]));
      }
      default:
        return fail("an unknown mark");
    }
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    fail("text that is no JSON");
  }
  return walk(json, 0);
}

function bytesOf(data: Float64Array): HostArray {
  return new HostArray("u8", [8 * data.length], new Uint8Array(data.slice().buffer));
}

function doublesOf({ dtype, data }: HostArray): Float64Array | undefined {
  return dtype === "u8" && data.length % 8 === 0 ? new Float64Array(Uint8Array.from(data).buffer) : undefined;
}
