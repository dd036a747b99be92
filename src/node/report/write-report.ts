import { readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Aval } from "../../core/dtype.ts";
import { DataError, OptionError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import { takeRows } from "../../data/dataset.ts";
import { evaluateFully } from "../../train/evaluation/evaluate-fully.ts";
import type { ClassificationEvaluation } from "../../train/evaluation/evaluation.ts";
import type { Examples } from "../../train/examples.ts";
import { gradCam, gradientTimesInput } from "../../train/saliency/saliency.ts";
import type { TrainedModel } from "../../train/trained-model.ts";
import type { Environment } from "../environment.ts";
import { readEvents } from "../event-log.ts";
import { reasonOf, writeFileAtomic } from "../file-store.ts";
import { load } from "../load-run.ts";
import { MATRIX_CLASSES, type ShownEvaluation, type ShownMistake } from "./evaluation-section.ts";
import { reportPage } from "./page.ts";
import { parameterTable } from "./parameters.ts";
import { arePictures, firstFilters, glow, inline, mosaic, pictureOf } from "./pictures.ts";
import { runLog } from "./run-log.ts";

/** What a report asks of a model: a `Run` and a `TrainedModel` are one. */
export type ReportedModel = Pick<TrainedModel, "withParts" | "evaluate" | "weights" | "sample" | "close">;

export type ReportOptions = {
  /** What the model is evaluated on. Without it the report has no evaluation. */
  readonly data?: Examples;
  /** Why there is no data, a sentence. */
  readonly without?: string;
  /** The run's model, which stays open. Default: read from its folder. */
  readonly model?: ReportedModel;
  /** Default: `report.html` in the run's folder. */
  readonly out?: string;
  /** How many of the worst mistakes are shown. Default 12. */
  readonly worst?: number;
  /** Lines of a shell that repeat the run. */
  readonly commands?: readonly string[];
};

/**
 * A run as one HTML file that loads nothing: curves, rate and times of its steps, scores of each class, confusion, calibration, the
 * worst mistakes as pictures with what spoke for the answer (Grad-CAM, or gradient x input), the first layer's filters, how
 * fast parameters moved, and what it takes to repeat the run. Answers the file's name.
 *
 * Errors: OptionError where the folder holds no run; DataError where its files are damaged or the report cannot be written.
 *
 * @example
 * await writeReport("runs/2025-01-31-142530-mnist-cnn", { data: (await mnist()).test })
 * // -> "runs/2025-01-31-142530-mnist-cnn/report.html"
 */
export async function writeReport(run: string, options: ReportOptions = {}): Promise<string> {
  const { out = join(run, "report.html"), worst = 12, commands = [], data, without } = options;
  const config = await readConfig(run);
  const log = runLog(readEvents(run, "report"));
  const model = options.model ?? (await load(run));
  try {
    const evaluation = data && (await shownEvaluation(model, data, worst));
    const weights = await model.weights();
    const { shape } = model.sample as Partial<Aval>;
    const first = Array.isArray(shape) ? firstFilters(weights, shape as number[]) : undefined;
    const { environment, ...settings } = config as { readonly environment?: Partial<Environment> };
    const page = reportPage({
      title: basename(resolve(run)),
      log,
      evaluation,
      without,
      filters: first && {
        name: first.name,
        picture: await inline(mosaic(first.filters)),
        count: first.filters.shape[0] as number,
      },
      parameters: await parameterTable(run, weights),
      commands,
      config: settings,
      environment: environment ?? {},
    });
    await writeFileAtomic(out, new TextEncoder().encode(page));
  } finally {
    if (options.model === undefined) await model.close();
  }
  return out;
}

async function readConfig(run: string): Promise<object> {
  const file = join(run, "config.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new OptionError(`report: cannot read ${file}: ${reasonOf(error)}. Expected the folder of a run.`, run);
  }
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === "object" && config !== null) return config;
  } catch {}
  throw new DataError(`report: ${file} is no JSON object; expected what a run writes there.`, file);
}

async function shownEvaluation(model: ReportedModel, data: Examples, worst: number): Promise<ShownEvaluation> {
  const found = await evaluateFully(model, data, { worst });
  if (found.kind !== "classification") return { found, mistakes: [], explained: undefined };
  const map = found.classes.length > MATRIX_CLASSES ? { map: await inline(confusionMap(found)) } : {};
  return { found, ...map, ...(await shownMistakes(model, data, found)) };
}

async function shownMistakes(
  model: ReportedModel,
  { inputs }: Examples,
  { worst, classes }: ClassificationEvaluation,
): Promise<Pick<ShownEvaluation, "mistakes" | "explained">> {
  const named = worst.map(({ truth, predicted, ...rest }) => ({
    ...rest,
    truth: classes[truth] as string,
    predicted: classes[predicted] as string,
  }));
  if (!(inputs instanceof HostArray) || !arePictures(inputs.shape.slice(1)) || worst.length === 0)
    return { mistakes: named, explained: undefined };
  const rows = takeRows(
    inputs,
    worst.map(({ index }) => index),
  );
  const spoken = await spokenFor(
    model,
    rows,
    worst.map(({ predicted }) => predicted),
  );
  const [height, width] = inputs.shape.slice(-2) as [number, number];
  const mistakes = await Promise.all(
    named.map(async (each, i): Promise<ShownMistake> => {
      const map = spoken.maps.subarray(i * height * width, (i + 1) * height * width);
      return {
        ...each,
        picture: await inline(pictureOf(inputs, each.index)),
        glow: await inline(glow(map, height, width)),
      };
    }),
  );
  return { mistakes, explained: spoken.how };
}

/** Maps [N, H, W] of what spoke for the classes. */
async function spokenFor(
  model: ReportedModel,
  rows: HostArray,
  classes: readonly number[],
): Promise<{ readonly maps: Float32Array; readonly how: string }> {
  try {
    const { maps, layer } = await gradCam(model, rows, { classes });
    return { maps: maps.data as Float32Array, how: `Grad-CAM of layer ${layer}` };
  } catch (error) {
    // A model without convolutions.
    if (!(error instanceof OptionError)) throw error;
  }
  const { values } = await gradientTimesInput(model, rows, { classes });
  const channels = rows.shape.length === 4 ? (rows.shape[1] as number) : 1;
  const pixels = values.data.length / (classes.length * channels);
  const maps = new Float32Array(classes.length * pixels);
  for (let at = 0; at < values.data.length; at++) {
    const place = Math.floor(at / (channels * pixels)) * pixels + (at % pixels);
    maps[place] = (maps[place] as number) + (values.data[at] as number);
  }
  return { maps: maps.map((value) => Math.max(0, value)), how: "gradient × input" };
}

/** A pixel for each pair of classes, darker for a larger share of the class. */
function confusionMap({ confusion }: ClassificationEvaluation): HostArray {
  const size = confusion.length;
  const data = new Uint8Array(4 * size * size);
  confusion.forEach((row, i) => {
    const support = row.reduce((sum, n) => sum + n, 0);
    row.forEach((n, j) => {
      const colour = i === j ? [31, 111, 209] : [194, 65, 12];
      const share = support === 0 ? 0 : n / support;
      [...colour, Math.round(255 * Math.sqrt(share))].forEach((value, c) => {
        data[(c * size + i) * size + j] = value;
      });
    });
  });
  return new HostArray("u8", [4, size, size], data);
}
