import { basename } from "node:path";
import { OptionError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { parseColumns } from "../data/table/column.ts";
import { inputSizes, momentsOf, type TableEncoding } from "../data/table/encoding.ts";
import type { TableData, TableExamples } from "../data/table/table-data.ts";
import * as nn from "../nn/index.ts";
import { isArrayFile } from "../node/tables/arrays.ts";
import { readTestRows } from "../node/tables/rows.ts";
import { streamTable } from "../node/tables/stream-table.ts";
import { type TableFileOptions, table } from "../node/tables/table.ts";
import type { Transform } from "../optim/transform.ts";
import type { Metrics } from "../train/events.ts";
import type { Examples } from "../train/examples.ts";
import { atFlag } from "./assemble.ts";
import { finished, fitRun, type Tested, testRun } from "./fit-run.ts";
import { formatCount, formatNumber, formatPercent } from "./format.ts";
import { type Recipe, recipeOf } from "./recipe.ts";
import type { Screen } from "./screen.ts";
import type { Session } from "./session.ts";
import type { Given } from "./settings.ts";
import { formatValue } from "./table-format.ts";
import { TableProgress } from "./table-progress.ts";
import type { TableRecipe } from "./table-recipe.ts";

/** Updates that a run makes when nobody says for how many epochs. */
const UPDATES = 2_000;
const [MIN_EPOCHS, MAX_EPOCHS] = [5, 100];
/** Rows from which on a batch is larger when nobody says. */
const BATCHES: readonly (readonly [rows: number, batch: number])[] = [
  [100_000, 512],
  [10_000, 128],
  [0, 32],
];
/** Wider layers for more rows when nobody says. */
const HIDDEN: readonly (readonly [rows: number, hidden: readonly number[]])[] = [
  [10_000, [256, 128]],
  [1_000, [128, 64]],
  [0, [64, 32]],
];

type TableRun = Recipe & { readonly table: TableRecipe };

/** `downhill train` on the rows of a table: answers the exit code. */
export async function trainTable(
  screen: Screen,
  given: TableRun,
  optimizer: Transform,
  session: Session,
): Promise<number> {
  const data = await readTable(given);
  const recipe = decided(given, data.rows);
  describe(screen, recipe, data);
  const { encoding } = data;
  const { target } = encoding;
  const isClassification = target.task === "classification";
  const ended = await fitRun(screen, { recipe, session }, modelOf(recipe, encoding) as never, {
    train: data.train,
    validation: data.validation ?? 0,
    loss: isClassification ? nn.crossEntropy() : nn.meanSquaredError(),
    metrics: isClassification
      ? [nn.accuracy()]
      : [
          nn.metrics.meanAbsoluteError({ scale: target.std }),
          nn.metrics.rootMeanSquaredError({ scale: target.std }),
          nn.metrics.r2(),
        ],
    optimizer,
    name: `${basename(given.data)
      .replace(/\.\w+(\.gz)?$/, "")
      .replaceAll(/[^\w.-]+/g, "-")}-tabular`,
    before: [new TableProgress(screen, { recipe, verbose: session.verbose })],
  });
  if (ended.run === undefined) return ended.exitCode;
  const { run, sink } = ended;
  screen.line();
  let shown: Tested = { without: "No rows were held out for a test." };
  if (data.test !== undefined) {
    const { metrics, tested } = await testRun(run, data.test);
    shown = tested;
    screen.line(screen.bold(`Test: ${measured(metrics)} on ${formatCount(countOf(data.test))} rows`));
    screen.line(baseline(data.test, data.learned, encoding));
  }
  return finished(screen, { run, sink, session }, shown);
}

/** A table, whether its rows are in memory or read while training. */
type ReadTable = Omit<TableData, "train"> & {
  readonly train: Examples;
  /** That are trained on in an epoch. */
  readonly rows: number;
  /** Those of them in memory. */
  readonly learned: TableExamples;
};

/** The table of a recipe, split and encoded as its training did. */
export async function readTable({ data, validation, table: options }: TableRun): Promise<ReadTable> {
  const { target, columns, task, stream, testData } = options;
  for (const [flag, needless] of Object.entries({ stream: stream !== true, "test-data": testData === undefined }))
    if (!needless && isArrayFile(data))
      throw new OptionError(`--${flag}: got it with ${data}; expected it with CSV, JSON lines or Parquet.`, flag);
  const settings: TableFileOptions = {
    ...(target === undefined ? {} : { target }),
    ...(columns === undefined ? {} : { columns: atFlag("columns", () => parseColumns(columns)) }),
    ...(task === undefined ? {} : { task }),
    ...(validation === undefined ? {} : { validation }),
    ...(testData === undefined ? {} : { test: 0 }),
  };
  const read = stream === true ? await streamed(data, settings) : await inMemory(data, settings);
  return testData === undefined ? read : { ...read, test: await readTestRows(testData, read.encoding) };
}

async function inMemory(path: string, settings: TableFileOptions): Promise<ReadTable> {
  const read = await table(path, settings);
  return { ...read, rows: countOf(read.train), learned: read.train };
}

async function streamed(path: string, settings: TableFileOptions): Promise<ReadTable> {
  const read = await streamTable(path, settings);
  return { ...read, rows: read.train.stream.samplesPerEpoch };
}

/** What the number of rows decides. */
function decided(given: TableRun, rows: number): TableRun {
  const byRows = <T>(list: readonly (readonly [number, T])[]): T =>
    (list.find(([from]) => rows >= from) as readonly [number, T])[1];
  const { table: own } = given;
  const batchSize = own.batchSize ?? byRows(BATCHES);
  const perEpoch = Math.ceil(rows / batchSize);
  const epochs = own.epochs ?? Math.max(MIN_EPOCHS, Math.min(MAX_EPOCHS, Math.ceil(UPDATES / perEpoch)));
  const hidden = own.hidden ?? byRows(HIDDEN).join(", ");
  return { ...given, batchSize, epochs, table: { ...own, batchSize, epochs, hidden } };
}

function modelOf({ table: { hidden = "", dropout } }: TableRun, encoding: TableEncoding): nn.Layer<nn.TabularInputs> {
  const { levels } = inputSizes(encoding);
  const { target } = encoding;
  return nn.tabular({
    outputs: target.task === "classification" ? target.classes.length : 1,
    hidden: hidden.split(",").map(Number),
    dropout,
    ...(levels === 0 ? {} : { levels, width: Math.max(2, Math.min(32, Math.round(1.6 * levels ** 0.5))) }),
  });
}

export const countOf = ({ targets }: TableExamples): number => targets.shape[0] as number;

/** `accuracy 96.67%, loss 0.1` or `mean absolute error 3.2, ...`. */
export function measured({ loss, accuracy, meanAbsoluteError, rootMeanSquaredError, r2 }: Metrics): string {
  if (meanAbsoluteError === undefined) return `accuracy ${formatPercent(accuracy)} (loss ${formatNumber(loss)})`;
  return `mean absolute error ${formatValue(meanAbsoluteError)}, root mean square ${formatValue(rootMeanSquaredError)}, R² ${formatNumber(r2)}`;
}

/** What a guess reaches that does not look at the row. */
function baseline(test: TableExamples, train: TableExamples, { target }: TableEncoding): string {
  const rows = countOf(test);
  if (target.task === "classification") {
    const counts = countsOf(train.targets, target.classes.length);
    const most = counts.indexOf(Math.max(...counts));
    const right = countsOf(test.targets, target.classes.length)[most] as number;
    return `Always saying ${target.classes[most]} would be right for ${formatPercent(right / rows)}`;
  }
  const errors = Array.from(test.targets.data, (value) => Math.abs(value) * target.std);
  return `Always saying the mean, ${formatValue(target.mean)}, would be off by ${formatValue(momentsOf(errors).mean)}`;
}

function countsOf({ data }: HostArray, classes: number): readonly number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of data) counts[label] = (counts[label] as number) + 1;
  return counts;
}

function describe(screen: Screen, recipe: TableRun, data: ReadTable): void {
  const { card, encoding, learned, rows, validation, test } = data;
  const count = (part: TableExamples | undefined): string => formatCount(part === undefined ? 0 : countOf(part));
  screen.line(
    `${card.name}: ${formatCount(rows)} training${recipe.table.stream === true ? " (streamed)" : ""}, ${count(validation)} validation and ${count(test)} test rows; ${card.task}`,
  );
  const { target } = encoding;
  if (card.withoutTarget > 0)
    screen.line(`Left out: ${formatCount(card.withoutTarget)} rows that have no ${target.name}`);
  for (const { name, reason } of card.dropped) screen.line(`Left out: ${name} ${reason}`);
  for (const note of card.notes) screen.line(note);
  screen.line(columnLine(encoding));
  if (target.task === "classification") {
    const counts = countsOf(learned.targets, target.classes.length);
    const shown = target.classes.map((name, i) => `${name} ${formatCount(counts[i] ?? 0)}`);
    const of = rows === countOf(learned) ? "" : ` of the first ${formatCount(countOf(learned))}`;
    screen.line(`Classes${of}: ${shown.slice(0, 10).join(", ")}${shown.length > 10 ? ", ..." : ""}`);
  }
  const { table: own, lr, schedule, epochs } = recipe;
  const rate = lr === undefined ? "" : `, rate ${lr} (${schedule})`;
  const hypers = Object.entries({ ...recipe.hypers, ...recipe.processing }).map(
    ([name, value]) => `, ${name} ${[value].flat().join("; ")}`,
  );
  screen.line(`tabular, hidden ${own.hidden}, dropout ${own.dropout}; ${recipe.optimizer}${rate}${hypers.join("")}`);
  screen.line(`batch ${recipe.batchSize}, ${epochs} epoch${epochs === 1 ? "" : "s"}, seed ${recipe.seed}`);
}

/** `13 columns (8 numbers, 5 one-hot categories; 2 with missing values) make 40 numbers`. */
function columnLine(encoding: TableEncoding): string {
  const { columns } = encoding;
  const { numbers, categories } = inputSizes(encoding);
  const kinds = columns.map((column) =>
    column.kind === "category" ? (column.as === "one-hot" ? "one-hot category" : "embedded category") : column.kind,
  );
  const counted = [...new Set(kinds)].map((kind) => plural(kind, kinds.filter((each) => each === kind).length));
  const missing = columns.filter((column) => column.missing).length;
  const incomplete = missing === 0 ? "" : `; ${formatCount(missing)} with missing values`;
  const parts = [
    ...(numbers > 0 ? [plural("number", numbers)] : []),
    ...(categories > 0 ? [plural("index", categories)] : []),
  ];
  return `${plural("column", columns.length)} (${counted.join(", ")}${incomplete}) make ${parts.join(" and ")} a row`;
}

function plural(word: string, n: number): string {
  if (n === 1) return `1 ${word}`;
  return `${formatCount(n)} ${word === "index" ? "indices" : `${word.replace(/y$/, "ie")}s`}`;
}

/**
 * The rows that a run is evaluated on: those of a file, or those that its own table holds out for the end. `settings` are the
 * run's.
 */
export async function tableToEvaluate(
  encoding: TableEncoding,
  file: string | undefined,
  settings: () => Given,
): Promise<TableExamples> {
  if (file !== undefined) return readTestRows(file, encoding);
  const { test } = await readTable(recipeOf({}, settings()) as TableRun);
  if (test === undefined)
    throw new OptionError("evaluate: the run held nothing out for the end; expected a table after the run.", "data");
  return test;
}
