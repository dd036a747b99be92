import { type Aval, sizeOf } from "../../core/dtype.ts";
import { DataError, OptionError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import type { TableEncoding } from "../../data/table/encoding.ts";
import type { AvalsOf } from "../../nn/layer.ts";
import { defineMetric } from "../../nn/metrics/metric.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { checkIndices } from "../check-indices.ts";
import { Evaluator } from "../evaluator.ts";
import { batchAvals, countOf, type Examples, type HostTree, nameOf } from "../examples.ts";
import type { Task, TensorTree } from "../task.ts";
import type { TrainedModel, TrainedParts } from "../trained-model.ts";
import { classificationOf, classificationRows } from "./classification.ts";
import type { Evaluation } from "./evaluation.ts";
import { regressionOf } from "./regression.ts";

export type EvaluateFullyOptions = {
  /** How many of the worst samples to name. Default 20. */
  readonly worst?: number;
  /** Bins of the calibration. Default 15, as Guo et al. (2017). */
  readonly bins?: number;
};

/** Models of more numbers a sample are no regressions of a few values, but make pictures and the like. */
const MAX_OUTPUTS = 256;
const GATHERED = "evaluateFully.rows";
/** Losses of targets f32 that are no values to come close to. */
const NO_REGRESSION = /cross|binary|nll|focal|divergence|hinge|margin|embedding|ctc/i;

/**
 * All there is to say about a trained model on a data set, in one pass. Of a classifier, scores f32[N, C] with labels: accuracy,
 * precision, recall and F1 of each class (as scikit-learn with `zero_division=0`), the confusion matrix, calibration, the worst
 * mistakes. Of a regression: MAE, RMSE, R² and the worst residuals. Of any other model its own loss and metrics.
 *
 * Where the data's classes stand in another order than the model's, or are only some of them, labels are matched by name.
 *
 * Errors: DataError where the data has a class that the model does not know; OptionError for a bad number.
 *
 * @example
 * const found = await evaluateFully(run, test);
 * if (found.kind === "classification") console.log(found.accuracy, found.perClass[3]?.recall); // -> 0.991 0.987
 */
export function evaluateFully<X extends HostTree, Y extends HostTree>(
  model: Pick<TrainedModel<X, Y>, "evaluate" | "withParts">,
  examples: Examples<X, Y>,
  options: EvaluateFullyOptions = {},
): Promise<Evaluation> {
  const { worst = 20, bins = 15 } = options;
  for (const [name, value, low] of [
    ["worst", worst, 0],
    ["bins", bins, 1],
  ] as const)
    if (!Number.isSafeInteger(value) || value < low)
      throw new OptionError(`evaluateFully: got ${name} ${value}; expected a whole number of at least ${low}.`, name);
  return model.withParts(async (parts) => {
    const { task, state, backend, store, maxBatch = 128 } = parts;
    const matched = matchClasses(examples, parts.classes);
    checkIndices(task.model, state, matched);
    const form = formOf(parts, matched);
    const evaluator = new Evaluator({ backend, store, task: gathering(task, form), state, maxBatch });
    const totals = await evaluator.totals(matched);
    const { [GATHERED]: _, ...metrics } = totals.values() as Record<string, number>;
    const common = { data: nameOf(matched), metrics, worst };
    if (form.kind === "metrics") return { ...form, data: common.data, samples: countOf(matched), metrics };
    const rows = totals.metrics()[GATHERED] as ArrayLike<number>;
    const targets = (matched.targets as HostArray).data;
    if (form.kind === "regression") {
      const units = inUnits(parts.table);
      return regressionOf(units(rows), units(targets), form.outputs, common);
    }
    const names = parts.classes ?? matched.classes;
    const classes = Array.from({ length: form.classes }, (_, i) => names?.[i] ?? `${i}`);
    const found = classificationOf(rows, targets, { ...common, classes, bins });
    const { files } = matched;
    if (files === undefined) return found;
    return { ...found, worst: found.worst.map((mistake) => ({ ...mistake, file: files[mistake.index] ?? "" })) };
  });
}

/** What a table's values are in the target's own units; others are as they are. */
function inUnits(table: TableEncoding | undefined): (values: ArrayLike<number>) => ArrayLike<number> {
  if (table?.target.task !== "regression") return (values) => values;
  const { mean, std } = table.target;
  return (values) => Float64Array.from(values, (value) => value * std + mean);
}

type Form =
  | { readonly kind: "classification"; readonly classes: number }
  | { readonly kind: "regression"; readonly outputs: number }
  | { readonly kind: "metrics" };

/** What the model's output and the data's targets are to one another. */
function formOf({ task, state }: TrainedParts, { inputs, targets }: Examples): Form {
  const types = batchAvals(inputs, 2, true) as AvalsOf<TensorTree>;
  const output = task.model.outputOf(state.params, state.buffers, types) as Partial<Aval>;
  if (!(targets instanceof HostArray) || output.dtype !== "f32" || !Array.isArray(output.shape))
    return { kind: "metrics" };
  const [, ...shape] = output.shape as number[];
  if (targets.dtype !== "f32")
    return targets.shape.length === 1 && shape.length === 1 && (shape[0] as number) > 1
      ? { kind: "classification", classes: shape[0] as number }
      : { kind: "metrics" };
  const outputs = sizeOf(shape);
  const fits = outputs === sizeOf(targets.shape.slice(1)) && outputs <= MAX_OUTPUTS;
  return fits && !NO_REGRESSION.test(task.loss.config.kind) ? { kind: "regression", outputs } : { kind: "metrics" };
}

/** The task with what the host needs of each sample as one more metric. */
function gathering(task: Task, { kind }: Form): Task {
  if (kind === "metrics") return task;
  const rows = defineMetric({
    name: GATHERED,
    collects: true,
    apply: (output: Tensor, target: Tensor) => ({
      rows: kind === "classification" ? classificationRows(output, target) : output.flatten(1),
    }),
    value: ({ rows }) => rows.data,
  });
  return { ...task, metrics: [...task.metrics, rows as unknown as Task["metrics"][number]] };
}

/** The examples with labels as the model has them. */
function matchClasses(examples: Examples, known: readonly string[] | undefined): Examples {
  const { classes, targets } = examples;
  if (known === undefined || classes === undefined || !(targets instanceof HostArray) || targets.dtype === "f32")
    return examples;
  if (classes.length <= known.length && classes.every((name, i) => name === known[i])) return examples;
  const places = classes.map((name) => known.indexOf(name));
  const missing = classes.filter((_, i) => places[i] === -1);
  if (missing.length > 0)
    throw new DataError(
      `evaluateFully: ${nameOf(examples)} has the class ${missing.slice(0, 5).join(", ")}; expected some of the model's: ${known.slice(0, 20).join(", ")}${known.length > 20 ? ", ..." : ""}.`,
      nameOf(examples),
    );
  const labels = Int32Array.from(targets.data, (label) => places[label] ?? label);
  return { ...examples, classes: known, targets: new HostArray("i32", targets.shape, labels) };
}
