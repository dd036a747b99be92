import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { OptionError } from "../core/errors.ts";
import type { Dataset } from "../data/dataset.ts";
import type { PictureForm } from "../data/picture-form.ts";
import type { TableExamples } from "../data/table/table-data.ts";
import { resolveDataset } from "../node/datasets.ts";
import { heldOutFolder } from "../node/pictures/find.ts";
import type { ImageFolderOptions } from "../node/pictures/image-folder.ts";
import { datasetFromArrays, pictureArrays } from "../node/pictures/picture-arrays.ts";
import { isArrayFile } from "../node/tables/arrays.ts";
import type { TrainedModel } from "../train/trained-model.ts";
import { type RunRecord, readRecord } from "./run-record.ts";
import type { Given } from "./settings.ts";
import { tableToEvaluate } from "./train-table.ts";

export type DataFlags = {
  readonly run: string;
  readonly data: string | undefined;
  readonly dataDir: string | undefined;
};

/** What a run is evaluated on, and what its samples are. */
export type EvaluationData = { readonly data: Dataset | TableExamples; readonly what: string };

/** The test part of the data that is named, else of what the run was trained on. */
export async function evaluationData(
  { pictures, table, classes }: Pick<TrainedModel, "pictures" | "table" | "classes">,
  { run, data, dataDir }: DataFlags,
): Promise<EvaluationData> {
  if (table !== undefined)
    return {
      data: await tableToEvaluate(table, data, () => recordOf(run).settings),
      what: data === undefined ? "test rows" : "rows",
    };
  const source = data ?? sourceOf(run);
  if (pictures !== undefined) return pictureData(source, pictures, classes, ownSettings(run, data));
  if (isArrayFile(source)) return arrayData(source, classes, ownSettings(run, data));
  const { test } = await resolveDataset(source, dataDir === undefined ? {} : { dataDir });
  return { data: test, what: isPictures(test) ? "test images" : "test samples" };
}

/** Of a run's own arrays what was held out; of others their test part, else all of them. */
async function arrayData(
  source: string,
  classes: readonly string[] | undefined,
  own: Given | undefined,
): Promise<EvaluationData> {
  const targets = typeof own?.target === "string" ? { targets: own.target } : {};
  if (own !== undefined) return { data: (await datasetFromArrays(source, targets)).test, what: "test images" };
  const { train, test } = await pictureArrays(source, { ...targets, ...(classes === undefined ? {} : { classes }) });
  return test === undefined ? { data: train, what: "images" } : { data: test, what: "test images" };
}

const isPictures = ({ inputs }: Dataset): boolean => inputs.dtype === "u8" && inputs.shape.length >= 3;

/** The run's settings where the data is what it was trained on: most of its pictures the model has seen. */
function ownSettings(run: string, data: string | undefined): Given | undefined {
  if (data === undefined) return recordOf(run).settings;
  if (!existsSync(join(folderOf(run), "config.json"))) return undefined;
  const { settings } = recordOf(run);
  return typeof settings.data === "string" && resolve(settings.data) === resolve(data) ? settings : undefined;
}

const SPLIT = ["validation", "test", "splitSeed", "followLinks", "maxBroken"] as const;

/** Of a run's own folder what was held out; of another one its test part, else all of it. */
async function pictureData(
  source: string,
  { height, width, channels, fit, background }: PictureForm,
  classes: readonly string[] | undefined,
  own: Given | undefined,
): Promise<EvaluationData> {
  const { imageFolder } = await import("../node/pictures/image-folder.ts");
  const isFolder = existsSync(source) && statSync(source).isDirectory();
  const held = own === undefined && isFolder ? await heldOutFolder(source, classes ?? []) : undefined;
  const split = SPLIT.flatMap((name) => (own?.[name] === undefined ? [] : [[name, own[name]] as const]));
  const found = await imageFolder(held ?? source, {
    ...{ imageSize: [height, width], channels, fit, background },
    ...(classes === undefined ? {} : { classes }),
    ...(own === undefined ? { validation: 0, test: 0 } : (Object.fromEntries(split) as ImageFolderOptions)),
  });
  if (held !== undefined) return { data: found.train, what: "test images" };
  if (found.test !== undefined) return { data: found.test, what: "test images" };
  if (own !== undefined && found.validation !== undefined) return { data: found.validation, what: "validation images" };
  return { data: found.train, what: "images" };
}

/** The folder of a run that is given by it or by its model's file. */
export function folderOf(run: string): string {
  return existsSync(run) && statSync(run).isFile() ? dirname(run) : run;
}

/** The record of the run, for the data it was trained on. */
export function recordOf(run: string): RunRecord {
  const folder = folderOf(run);
  if (existsSync(join(folder, "config.json"))) return readRecord(folder);
  throw new OptionError(
    `evaluate: got no data, and there is no ${join(folder, "config.json")} to say; expected a data set after the run.`,
    "data",
  );
}

/** What the run was trained on. */
export function sourceOf(run: string): string {
  const { data } = recordOf(run).settings;
  if (typeof data === "string") return data;
  throw new OptionError(
    `evaluate: got no data, and ${join(folderOf(run), "config.json")} has none; expected a data set after the run.`,
    "data",
  );
}
