import { formatAval } from "../../core/dtype.ts";
import { DataError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import type { Column, Table } from "../../data/table/column.ts";
import { decodeNpy } from "../../io/npy.ts";
import { decodeNpz } from "../../io/npz.ts";
import { readBytes } from "./read-file.ts";

/** What arrays of samples and of targets are called. */
export const INPUTS: readonly string[] = ["x", "inputs", "data", "images", "features"];
export const TARGETS: readonly string[] = ["y", "targets", "target", "labels", "label"];
/** Wider samples are no rows of a table. */
const MAX_COLUMNS = 100_000;

export const isArrayFile = (path: string): boolean => /\.(npy|npz)$/i.test(path);

/** Samples and targets as a table with columns x0, x1, ... and y; from row `testFrom` on they are for the end. */
export type ArrayTable = { readonly table: Table; readonly testFrom?: number };

/** Samples, and their targets where these are wanted. */
export type ArrayPart = readonly [x: HostArray, y?: HostArray];

/**
 * A table from NumPy's arrays: a `.npz` with `x` and `y` (or x_train, y_train, x_test and y_test; inputs and targets, data and
 * labels too), or a `.npy` and another of the targets. x is [N, K] or [N], y is [N] or [N, 1]; NaN is missing.
 */
export async function readArrayTable(path: string, targets?: string, withTarget = true): Promise<ArrayTable> {
  const { train, test } = await readArrayParts(path, targets, withTarget);
  if (test === undefined) return { table: tableOf([train], path) };
  return { table: tableOf([train, test], path), testFrom: train[0].shape[0] as number };
}

/** The arrays of a file by what they are for, of any shape. Errors: DataError naming the file and what it lacks. */
export async function readArrayParts(
  path: string,
  targets?: string,
  withTarget = true,
): Promise<{ readonly train: ArrayPart; readonly test?: ArrayPart }> {
  if (/\.npy$/i.test(path)) {
    const x = decodeNpy(await readBytes(path), path);
    if (!withTarget) return { train: [x] };
    if (targets === undefined)
      throw new DataError(
        `table: got ${path} alone; expected its targets too. Hint: --target labels.npy, or both in a .npz.`,
        path,
      );
    return { train: [x, decodeNpy(await readBytes(targets), targets)] };
  }
  const arrays = await decodeNpz(await readBytes(path), path);
  const find = (names: readonly string[], part: string): HostArray | undefined => {
    const found = nameAmong(Object.keys(arrays), names, part);
    return found === undefined ? undefined : arrays[found];
  };
  const pair = (part: string): ArrayPart | undefined => {
    const [x, y] = [find(INPUTS, part), find(TARGETS, part)];
    if (x !== undefined && !withTarget) return [x];
    return x === undefined || y === undefined ? undefined : [x, y];
  };
  const train = withTarget ? (pair("_train") ?? pair("")) : (pair("") ?? pair("_test"));
  if (train === undefined)
    throw new DataError(
      `table: ${path} has the arrays ${Object.keys(arrays).join(", ") || "of nothing"}; expected x and y, or x_train, y_train, x_test and y_test.`,
      path,
    );
  const test = withTarget ? pair("_test") : undefined;
  return { train, ...(test === undefined ? {} : { test }) };
}

/** Which of the arrays' names is that of the inputs to train on. */
export function inputsAmong(names: readonly string[]): string | undefined {
  return nameAmong(names, INPUTS, "_train") ?? nameAmong(names, INPUTS, "");
}

const nameAmong = (names: readonly string[], wanted: readonly string[], part: string): string | undefined =>
  names.find((name) => wanted.some((each) => name.toLowerCase() === `${each}${part}`));

function tableOf(parts: readonly ArrayPart[], name: string): Table {
  const fail = (text: string): never => {
    throw new DataError(`table: ${name} has ${text}`, name);
  };
  const [[first]] = parts as [ArrayPart];
  const width = first.shape.length === 1 ? 1 : (first.shape[1] as number);
  for (const [x, y] of parts) {
    if (x.shape.length < 1 || x.shape.length > 2)
      fail(
        `inputs ${formatAval(x.aval)}; expected [N, K] or [N], rows of numbers. Hint: pictures are trained on by an image classifier, such as --model cnn.`,
      );
    if ((x.shape[1] ?? 1) !== width) fail(`inputs ${formatAval(x.aval)} for the end; expected ${width} in each row.`);
    if (y === undefined) continue;
    const plain = y.shape.length === 1 || (y.shape.length === 2 && y.shape[1] === 1);
    if (!plain || y.shape[0] !== x.shape[0])
      fail(`inputs ${formatAval(x.aval)} and targets ${formatAval(y.aval)}; expected one target for each row.`);
  }
  if (width > MAX_COLUMNS) fail(`${width} numbers in each row; expected at most ${MAX_COLUMNS}.`);
  const rows = parts.reduce((sum, [x]) => sum + (x.shape[0] as number), 0);
  if (rows === 0) fail("no rows; expected at least one.");
  /** The numbers at `place` of each row of all parts. */
  const column = (named: string, of: 0 | 1, place: number): Column & { kind: "number" } => {
    const values = new Float64Array(rows);
    let row = 0;
    let integer = true;
    for (const part of parts) {
      const { data, shape } = part[of] as HostArray;
      const step = shape[1] ?? 1;
      for (let i = place; i < data.length; i += step) {
        const value = data[i] as number;
        if (value === Infinity || value === -Infinity)
          fail(`${value} in row ${row + 1} of ${named}; expected finite numbers, or NaN for none.`);
        integer &&= Number.isInteger(value) || Number.isNaN(value);
        values[row++] = value;
      }
    }
    return { kind: "number", name: named, integer, values };
  };
  const columns: Column[] = Array.from({ length: width }, (_, k) => column(`x${k}`, 0, k));
  if (parts.some(([, y]) => y === undefined)) return { name, rows, columns, dropped: [], notes: [] };
  const target = column("y", 1, 0);
  const isBoolean = parts.every(([, y]) => y?.dtype === "bool");
  if (!isBoolean) columns.push(target);
  else columns.push({ kind: "boolean", name: "y", levels: ["false", "true"], values: target.values });
  return { name, rows, columns, dropped: [], notes: [] };
}
