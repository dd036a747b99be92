import type {
  ClassificationEvaluation,
  ClassScores,
  Evaluation,
  RegressionEvaluation,
} from "../train/evaluation/evaluation.ts";
import type { Metrics } from "../train/events.ts";
import { formatCount, formatNumber, formatPercent } from "./format.ts";
import { formatValue } from "./table-format.ts";

const WIDTH = 80;
/** More classes than this have no matrix, and of many more the table shows the lowest scores alone. */
const MATRIX_CLASSES = 20;
const TABLE_CLASSES = 40;
const SHOWN_OF_MANY = 20;
const PAIRS = 5;

/** What an evaluation says, as lines at most 80 columns wide. `what` are its samples: "test images". */
export function evaluationLines(found: Evaluation, what: string): string[] {
  const first = `${metricsText(found.metrics)} on ${formatCount(found.samples)} ${what} of ${found.data}`;
  if (found.kind === "classification") return [first, ...classificationLines(found)];
  return found.kind === "regression" ? [first, ...regressionLines(found)] : [first];
}

const metricsText = (metrics: Metrics): string =>
  Object.entries(metrics)
    .map(([name, value]) => `${name} ${formatNumber(value)}`)
    .join(", ");

function classificationLines(found: ClassificationEvaluation): string[] {
  const { classes, confusion, confused, calibration, brier, samples, mistakes, worst, top5Accuracy } = found;
  const sure = calibration.bins.reduce((sum, { count, confidence }) => sum + count * confidence, 0) / samples;
  const name = (place: number): string => classes[place] as string;
  const pairs = confused.slice(0, PAIRS).map(({ truth, predicted, count, share }) => {
    const of = count / share;
    return `  ${name(truth)} taken for ${name(predicted)}: ${formatCount(count)} of ${formatCount(of)} (${formatPercent(share)})`;
  });
  const mistaken = worst.map(
    ({ index, file, truth, predicted, probability, loss }) =>
      `  ${file ?? `#${index}`}: ${name(truth)} taken for ${name(predicted)}, ${formatPercent(probability)} sure, loss ${formatNumber(loss)}`,
  );
  return [
    ...(top5Accuracy === undefined ? [] : [`top-5 accuracy ${formatNumber(top5Accuracy)}`]),
    "",
    ...tableLines(found),
    ...(classes.length <= MATRIX_CLASSES ? ["", ...matrixLines(classes, confusion)] : []),
    ...(pairs.length > 0 ? ["", "Most often confused", ...pairs] : []),
    "",
    `Calibration: ${formatPercent(sure)} sure and ${formatPercent(found.accuracy)} right on average;`,
    `  expected error ${formatPercent(calibration.expectedError)}, largest of a bin ${formatPercent(calibration.largestError)}, Brier score ${formatNumber(brier)}`,
    ...(mistaken.length > 0 ? ["", `Worst of ${formatCount(mistakes)} mistakes`, ...mistaken] : []),
  ].map((line) => cut(line, WIDTH));
}

function tableLines({ perClass, macro, weighted, samples }: ClassificationEvaluation): string[] {
  const many = perClass.length > TABLE_CLASSES;
  const shown = many ? [...perClass].sort((a, b) => a.f1 - b.f1).slice(0, SHOWN_OF_MANY) : perClass;
  const wide = Math.min(36, Math.max(13, ...shown.map(({ name }) => name.length)));
  const row = (name: string, cells: readonly string[]): string =>
    cut(name, wide).padEnd(wide) + cells.map((cell) => cell.padStart(11)).join("");
  const scores = (name: string, s: Pick<ClassScores, "precision" | "recall" | "f1">, support: number): string =>
    row(name, [...[s.precision, s.recall, s.f1].map(formatPercent), formatCount(support)]);
  return [
    row("class", ["precision", "recall", "F1", "samples"]),
    ...shown.map((each) => scores(each.name, each, each.support)),
    ...(many ? [`the ${SHOWN_OF_MANY} of ${formatCount(perClass.length)} classes with the lowest F1`] : []),
    scores("plain mean", macro, samples),
    scores("weighted mean", weighted, samples),
  ];
}

/** Counts where they fit, else percents of the class. */
function matrixLines(classes: readonly string[], confusion: readonly (readonly number[])[]): string[] {
  const digits = Math.max(...confusion.flat().map((count) => `${count}`.length), `${classes.length - 1}`.length);
  const longest = Math.min(16, Math.max(...classes.map((name, i) => `${i} ${name}`.length)));
  const fits = longest + classes.length * (digits + 1) <= WIDTH;
  const cell = fits ? digits + 1 : classes.length <= 16 ? 4 : 3;
  const labels = Math.min(longest, WIDTH - classes.length * cell);
  const rows = confusion.map((row, i) => {
    const support = row.reduce((sum, count) => sum + count, 0);
    const cells = row.map((count) => {
      if (count === 0) return "·";
      return fits ? `${count}` : `${Math.round((100 * count) / support)}`;
    });
    return cut(`${i} ${classes[i]}`, labels).padEnd(labels) + cells.map((text) => text.padStart(cell)).join("");
  });
  return [
    `Confusion${fits ? "" : " in percents of the class"}: class down, answer across`,
    " ".repeat(labels) + classes.map((_, j) => `${j}`.padStart(cell)).join(""),
    ...rows,
  ];
}

function regressionLines({ perOutput, scores, worst }: RegressionEvaluation): string[] {
  const row = (cells: readonly string[]): string =>
    cells.map((text, i) => (i === 0 ? text.padEnd(12) : text.padStart(14))).join("");
  const numbers = (name: string, s: (typeof perOutput)[number]): string =>
    row([name, ...[s.meanAbsoluteError, s.rootMeanSquaredError, s.r2, s.bias].map(formatValue)]);
  const list = (values: readonly number[]): string => values.map(formatValue).join(", ");
  return [
    "",
    row(["output", "MAE", "RMSE", "R²", "bias"]),
    ...(perOutput.length > 1 && perOutput.length <= TABLE_CLASSES
      ? perOutput.map((each, i) => numbers(`${i}`, each))
      : []),
    numbers("all", scores),
    ...(worst.length > 0 ? ["", "Furthest from their targets"] : []),
    ...worst.map(({ index, target, predicted }) => `  #${index}: ${list(predicted)} for ${list(target)}`),
  ].map((line) => cut(line, WIDTH));
}

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);
