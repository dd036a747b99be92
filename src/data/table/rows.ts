import { OptionError } from "../../core/errors.ts";
import type { RowPrediction } from "./decode.ts";
import type { TableEncoding } from "./encoding.ts";
import type { TableData, TableDataOptions } from "./table-data.ts";
import type { TableOptions } from "./table-reader.ts";
import type { RowText } from "./text-tables.ts";

/** A model that was trained on rows of a table. */
export type TableModel = {
  readonly table: TableEncoding | undefined;
  outputs(inputs: never): Promise<unknown>;
};

/**
 * Rows of a table from CSV or JSON lines in memory, split and encoded for `fit` with `nn.tabular`. In Node `table` reads files
 * too; columns, splits and errors are as there.
 *
 * @example
 * const { train, validation, test, encoding } = await tableFromCsv(await file.text(), { target: "price" });
 */
export async function tableFromCsv(
  file: string | Uint8Array,
  options: TableDataOptions & TableOptions = {},
): Promise<TableData> {
  const { readTextTable, tableData } = await import("./text-tables.ts");
  const { name, columns, ...rest } = options;
  const own = { ...(name === undefined ? {} : { name }), ...(columns === undefined ? {} : { columns }) };
  return tableData(readTextTable(file, own), rest);
}

/** The encoding of a model that was trained on a table. Throws OptionError for another one. */
export function encodingOf({ table }: Pick<TableModel, "table">): TableEncoding {
  if (table !== undefined) return table;
  throw new OptionError(
    "predictRows: got a model that was not trained on a table; expected one with `table`.",
    "model",
  );
}

/**
 * What a model says of rows in CSV or JSON lines: a class with its probabilities, or a number in the target's own units, for
 * each. Columns are found by their names; the target need not be there, and a category that training never saw counts as another.
 *
 * Errors: DataError naming a column that is missing, or the row and value of one that is of another type; OptionError for a model
 * of no table.
 *
 * @example
 * await predictRows(model, { text: "area,city\n85,Ulm\n" }) // -> [{ value: 312400 }]
 */
export async function predictRows(model: TableModel, rows: RowText): Promise<readonly RowPrediction[]> {
  const { allRows, decodeRows, readEncodedText } = await import("./text-tables.ts");
  const encoding = encodingOf(model);
  const { inputs } = allRows(readEncodedText(rows, encoding, false), encoding);
  return decodeRows(await model.outputs(inputs as never), encoding);
}
