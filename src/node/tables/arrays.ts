import { formatAval } from "../../core/dtype.ts";
import { DataError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import type { Column, Table } from "../../data/table/column.ts";
import { decodeNpy } from "../../io/npy.ts";
import { decodeNpz } from "../../io/npz.ts";
import { readBytes } from "./read-file.ts";

const INPUTS = ["x", "inputs", "data", "features"];
const TARGETS = ["y", "targets", "target", "labels", "label"];
/** Wider samples are no rows of a table. */
const MAX_COLUMNS = 100_000;

export const isArrayFile = (path: string): boolean => /\.(npy|npz)$/i.test(path);

/** Samples and targets as a table with columns x0, x1, ... and y; from row `testFrom` on they are for the end. */
export type ArrayTable = { readonly table: Table; readonly testFrom?: number };

/**
 * A table from NumPy's arrays: a `.npz` with `x` and `y` (or x_train, y_train, x_test and y_test; inputs and targets, data and
 * labels too), or a `.npy` and another of the targets. x is [N, K] or [N], y is [N] or [N, 1]; NaN is missing.
 */
export async function readArrayTable(path: string, targets?: string, withTarget = true): Promise<ArrayTable> {
  if (/\.npy$/i.test(path)) {
    const x = decodeNpy(await readBytes(path), path);
    if (!withTarget) return { table: tableOf([[x]], path) };
    if (targets === undefined)
      throw new DataError(
        `table: got ${path} alone; expected its targets too. Hint: --target labels.npy, or both in a .npz.`,
        path,
      );
    return { table: tableOf([[x, decodeNpy(await readBytes(targets), targets)]], path) };
  }
  const arrays = await decodeNpz(await readBytes(path), path);
  const find = (names: readonly string[], part: string): HostArray | undefined => {
    const found = Object.keys(arrays).find((name) => names.some((each) => name.toLowerCase() === `${each}${part}`));
    return found === undefined ? undefined : arrays[found];
  };
  const pair = (part: string): Part | undefined => {
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
  if (test === undefined) return { table: tableOf([train], path) };
  return { table: tableOf([train, test], path), testFrom: train[0].shape[0] as number };
}

/** Samples, and their targets where these are wanted. */
type Part = readonly [x: HostArray, y?: HostArray];

function tableOf(parts: readonly Part[], name: string): Table {
  const fail = (text: string): never => {
    throw new DataError(`table: ${name} has ${text}`, name);
  };
  const [[first]] = parts as [Part];
  const width = first.shape.length === 1 ? 1 : (first.shape[1] as number);
  for (const [x, y] of parts) {
    if (x.shape.length < 1 || x.shape.length > 2)
      fail(
        `inputs ${formatAval(x.aval)}; expected [N, K] or [N], rows of numbers. Hint: pictures are a folder, or go through dataset() of the library.`,
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
