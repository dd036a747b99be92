import { OptionError } from "../core/errors.ts";
import { isPictureArrays } from "../node/tables/is-table.ts";
import { type BaseSettings, type Given, kebab } from "./settings.ts";

export type TableRecipe = {
  readonly target: string | undefined;
  readonly columns: string | undefined;
  readonly stream: boolean | undefined;
  /** A file of rows to test on. */
  readonly testData: string | undefined;
  readonly task: "classification" | "regression" | undefined;
  readonly dropout: number;
  /** Undefined here and below: what the number of rows decides. */
  readonly hidden: string | undefined;
  readonly batchSize: number | undefined;
  readonly epochs: number | undefined;
};

const TABLE_NAMES = ["target", "columns", "stream", "testData", "task", "hidden"];
/** In place of `DEFAULTS` where a table is trained on. */
export const TABLE_TRAINING = { optimizer: "adamw", schedule: "warmup 5% | cosine" } as const;
export const TABLE_RATES: Readonly<Record<string, number>> = { adamw: 2e-3, adam: 2e-3 };
/** Small tables are learned by heart without. */
export const TABLE_CARE = { earlyStopping: 20, weightDecay: 0.1, dropout: 0.1 } as const;

/** Throws OptionError for what belongs to a table where none is trained on, and for another model on one. */
export function tableRecipeOf(
  merged: BaseSettings & Given,
  model: string,
  isRows: boolean,
  flags: Given,
): TableRecipe | undefined {
  const {
    data,
    target,
    columns,
    stream,
    testData,
    task,
    hidden,
    dropout = TABLE_CARE.dropout,
    batchSize,
    epochs,
  } = merged;
  if (isRows && model !== "tabular")
    throw new OptionError(`--model: got ${model} for the table ${data}; expected tabular.`, "model");
  if (model === "tabular" && !isRows)
    throw new OptionError(`--model: got tabular for ${data}; expected a table, such as cars.csv.`, "model");
  if (isRows) return { target, columns, stream, testData, task, hidden, dropout, batchSize, epochs };
  const labels = data !== undefined && isPictureArrays(data) ? "target" : "";
  const given = TABLE_NAMES.find((name) => merged[name] !== undefined && name !== labels);
  if (given === undefined) return undefined;
  const shown = flags[given] === undefined ? given : `--${kebab(given)}`;
  throw new OptionError(`${shown}: got it with the model ${model}; expected it with a table only.`, shown);
}
