import { DataError, OptionError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import { zeros } from "../../core/host-array.ts";
import { dataset, takeRows } from "../dataset.ts";
import { splitDataset } from "../split.ts";
import type { Column, Dropped, Table } from "./column.ts";
import { encodeInputs, encodeTargets, rowsWith, type TableInputs } from "./encode.ts";
import { classesOf, type Fill, learnEncoding, learnTarget, type TableEncoding, type Task } from "./encoding.ts";
import { listOf } from "./table-reader.ts";

export type TableDataOptions = {
  /** The column that is predicted. Default: the one column called target, label, class or y. */
  readonly target?: string;
  /** Default: classification of texts, booleans and whole numbers of few different values, else regression. */
  readonly task?: Task;
  /** Rows held out to watch training by: a share, or a count. Default 0.1. */
  readonly validation?: number;
  /** Rows held out for the end. Default 0.2. */
  readonly test?: number;
  /** Chooses what is held out. Another seed than the run's, so that runs can be compared. Default 0. */
  readonly splitSeed?: number;
  /** What stands for missing numbers. Default "mean". */
  readonly fill?: Fill;
  /** The row from which on all are for the end, counted from 0; then `test` is not. Default: none. */
  readonly testFrom?: number;
};

/** Rows of a table, ready for `fit`, with what made them. */
export type TableExamples = {
  readonly name: string;
  readonly inputs: TableInputs;
  /** Classes i32[N], or standardised values f32[N, 1]. */
  readonly targets: HostArray;
  readonly classes?: readonly string[];
  readonly table: TableEncoding;
};

/** What a table became, and what there is to say of it. */
export type TableCard = {
  readonly name: string;
  readonly rows: number;
  readonly withoutTarget: number;
  /** How classes or numbers were chosen. */
  readonly task: string;
  readonly dropped: readonly Dropped[];
  readonly notes: readonly string[];
};

export type TableData = {
  readonly train: TableExamples;
  /** Absent where nothing is held out. */
  readonly validation?: TableExamples;
  readonly test?: TableExamples;
  readonly encoding: TableEncoding;
  readonly card: TableCard;
};

/** Whole numbers are classes if there are at most so many of them, each in five rows or more. */
const MAX_NUMBER_CLASSES = 20;
const ROWS_PER_NUMBER_CLASS = 5;
const TARGET_NAMES = ["target", "label", "class", "y"];

/**
 * A table as examples: split, encoded by what the training rows alone say, and told of. Errors: DataError and OptionError
 * naming the file and the column, where the target is not there, says nothing or is of another kind than the task.
 */
export function tableData(table: Table, options: TableDataOptions = {}): TableData {
  const { validation = 0.1, test = 0.2, splitSeed = 0, fill, testFrom } = options;
  const target = targetOf(table, options.target);
  const { task, why } = taskOf(table, target, options.task);
  const rows = rowsWith(table, target.name);
  if (rows.length === 0)
    throw new DataError(`table: ${table.name} has no value in the target ${target.name}.`, table.name);
  const classes = task === "classification" ? classesOf(target as Exclude<Column, { kind: "date" }>, rows) : undefined;
  if (classes !== undefined && classes.length < 2)
    throw new DataError(
      `table: ${table.name} has one class in the target ${target.name}, ${classes[0]}; expected two or more.`,
      table.name,
    );
  if (classes !== undefined && classes.length > MAX_NUMBER_CLASSES && 2 * classes.length > rows.length)
    throw new DataError(
      `table: ${table.name} has ${classes.length} classes in ${rows.length} rows of the target ${target.name}; expected classes that come again.`,
      table.name,
    );
  // All classes, so that none is unknown in what is held out.
  const everything = { columns: [], target: learnTarget(target, rows, task, table.name) };
  const labels = encodeTargets(table, everything, rows);
  const places = new Int32Array(table.rows);
  rows.forEach((row, i) => {
    places[row] = i;
  });
  const cut = (share: number, of: Int32Array, what: "test" | "validation"): readonly [Int32Array, Int32Array] => {
    if (share === 0) return [of, new Int32Array(0)];
    const indices = of.map((row) => places[row] as number);
    return parts(table, takeRows(labels, indices), classes, share, splitSeed, what).map((list) =>
      list.map((i) => of[i] as number),
    ) as [Int32Array, Int32Array];
  };
  const [rest, tested] =
    testFrom === undefined
      ? cut(test, rows, "test")
      : [rows.filter((row) => row < testFrom), rows.filter((row) => row >= testFrom)];
  const [trained, held] = cut(validation, rest, "validation");
  const learned = learnEncoding(table, trained, { target: target.name, task, ...(fill === undefined ? {} : { fill }) });
  const encoding: TableEncoding = task === "classification" ? { ...learned, target: everything.target } : learned;
  if (encoding.columns.length === 0)
    throw new DataError(
      `table: ${table.name} has nothing to predict ${target.name} from: ${table.dropped.map(({ name, reason }) => `${name} ${reason}`).join(", ") || "there is no other column"}.`,
      table.name,
    );
  const examples = (which: Int32Array): TableExamples => tableExamples(table, encoding, which);
  return {
    train: examples(trained),
    ...(held.length === 0 ? {} : { validation: examples(held) }),
    ...(tested.length === 0 ? {} : { test: examples(tested) }),
    encoding,
    card: {
      name: table.name,
      rows: table.rows,
      withoutTarget: table.rows - rows.length,
      task: why,
      dropped: table.dropped,
      notes: table.notes,
    },
  };
}

/** These rows of a table that was read as `kindsOf` says, with their targets. */
export function tableExamples(table: Table, encoding: TableEncoding, rows: Int32Array): TableExamples {
  const { target } = encoding;
  return {
    name: table.name,
    inputs: encodeInputs(table, encoding, rows),
    targets: encodeTargets(table, encoding, rows),
    ...(target.task === "classification" ? { classes: target.classes } : {}),
    table: encoding,
  };
}

function targetOf(table: Table, given: string | undefined): Column {
  const names = table.columns.map(({ name }) => name);
  const usual = names.filter((name) => TARGET_NAMES.includes(name.toLowerCase()));
  const target = given ?? (usual.length === 1 ? usual[0] : undefined);
  if (target === undefined)
    throw new OptionError(
      `target: got none for ${table.name}; expected the column to predict, one of ${listOf(names)}.`,
      "target",
    );
  const column = table.columns.find(({ name }) => name === target);
  if (column !== undefined) return column;
  const dropped = table.dropped.find(({ name }) => name === target);
  if (dropped !== undefined)
    throw new DataError(
      `target: ${table.name}: column ${target} ${dropped.reason}; expected classes, or different numbers.`,
      table.name,
    );
  throw new OptionError(
    `target: got ${JSON.stringify(target)}, which ${table.name} does not have; expected one of ${listOf(names)}.`,
    "target",
  );
}

function taskOf(table: Table, column: Column, given: Task | undefined): { readonly task: Task; readonly why: string } {
  if (given !== undefined) return { task: given, why: `${given} of ${column.name}, as said` };
  const { name } = column;
  if (column.kind === "category" || column.kind === "boolean")
    return {
      task: "classification",
      why: `classification: ${name} is ${column.kind === "boolean" ? "no or yes" : "text"}`,
    };
  if (column.kind === "date")
    throw new DataError(`target: ${table.name} has dates in ${name}; expected classes or numbers.`, name);
  const values = new Set(column.values.filter((value) => !Number.isNaN(value)));
  const count = values.size.toLocaleString("en-US");
  if (!column.integer) return { task: "regression", why: `regression: ${name} has numbers with decimals` };
  const few = values.size <= MAX_NUMBER_CLASSES && values.size * ROWS_PER_NUMBER_CLASS <= table.rows;
  return few
    ? { task: "classification", why: `classification: ${name} has ${count} different whole numbers` }
    : { task: "regression", why: `regression: ${name} has ${count} different whole numbers` };
}

/** Indices into the labels: what stays, and what is held out, of each class the same share. */
function parts(
  table: Table,
  labels: HostArray,
  classes: readonly string[] | undefined,
  share: number,
  seed: number,
  what: string,
): readonly [Int32Array, Int32Array] {
  const view = dataset(zeros([labels.shape[0] as number, 1], "u8"), labels, {
    name: table.name,
    ...(classes === undefined ? {} : { classes }),
  });
  try {
    const { train, validation } = splitDataset(view, { validation: share, seed, stratified: classes !== undefined });
    return [train, validation];
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new OptionError(error.message.replace(/^splitDataset: got validation/, `table: got ${what}`), what);
  }
}
