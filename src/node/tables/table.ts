import { type TableData, type TableDataOptions, tableData } from "../../data/table/table-data.ts";
import type { TableOptions } from "../../data/table/table-reader.ts";
import { isArrayFile, readArrayTable } from "./arrays.ts";
import { readTableFile } from "./read-file.ts";

export type TableFileOptions = TableDataOptions & Pick<TableOptions, "columns">;

/**
 * Rows of a table in a file, split and encoded for `fit` with `nn.tabular`: CSV (tabs and semicolons too), JSON lines, Parquet,
 * or NumPy's `.npz` and `.npy` (then `target` names the file of targets).
 *
 * Columns are numbers, booleans, categories or dates by all their rows, unless `columns` says what they are; text and
 * identifiers are left out and listed in `card`. What standardises numbers, fills what is missing and numbers the categories is
 * learned from the training rows alone, and saved with the model.
 *
 * Errors: DataError naming the file, the row, the column and the value; OptionError for a target or column that is not there.
 *
 * @example
 * const { train, validation, test, encoding, card } = await table("cars.csv", { target: "price" });
 * card.task // -> "regression: price has numbers with decimals"
 */
export async function table(path: string, options: TableFileOptions = {}): Promise<TableData> {
  const { columns, target, ...rest } = options;
  if (isArrayFile(path)) {
    const isFile = target !== undefined && isArrayFile(target);
    const { table: read, testFrom } = await readArrayTable(path, isFile ? target : undefined);
    const own = target === undefined || isFile ? "y" : target;
    return tableData(read, { ...rest, target: own, ...(testFrom === undefined ? {} : { testFrom }) });
  }
  const read = await readTableFile(path, columns === undefined ? {} : { columns });
  return tableData(read, { ...rest, ...(target === undefined ? {} : { target }) });
}
