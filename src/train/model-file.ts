import type { Aval } from "../core/dtype.ts";
import { DataError, DownhillError } from "../core/errors.ts";
import type { Tree } from "../core/tree.ts";
import { type PictureForm, readPictureForm } from "../data/picture-form.ts";
import { readPreprocessing } from "../data/preprocessing.ts";
import type { TableEncoding } from "../data/table/encoding.ts";
import { readTableEncoding } from "../data/table/read-encoding.ts";
import { tokenizerFromConfig } from "../data/tokenizer.ts";
import type { Tokenizer, TokenizerConfig } from "../data/tokenizer-config.ts";
import { decodeSafetensors, encodeSafetensors } from "../io/safetensors.ts";
import { type AvalsOf, avalLeaves, fillAvals, type LayerConfig } from "../nn/layer.ts";
import { type LayerKinds, modelFromConfig } from "../nn/layer-from-config.ts";
import { longNames } from "../nn/state-dict.ts";
import type { Weights } from "./events.ts";
import type { Preparation } from "./examples.ts";
import type { AnyModel, ModelState, TensorTree } from "./task.ts";

const FORMAT = "downhill.model.1";
/** Of models inside of models. */
const MAX_LEVELS = 200;

/** What a model file says beside the weights. */
export type ModelNotes = {
  readonly model: LayerConfig;
  readonly loss: LayerConfig;
  /** The metrics that the run reported: built-in ones as their configurations, others by name. */
  readonly metrics: readonly (string | LayerConfig)[];
  readonly preparation: Preparation;
  /** Types of one sample's inputs, without the batch axis. */
  readonly sample: Tree<Aval>;
  readonly classes: readonly string[] | undefined;
  readonly tokenizer?: TokenizerConfig | undefined;
  readonly pictures?: PictureForm | undefined;
  readonly table?: TableEncoding | undefined;
};

export function encodeModel(weights: Weights, notes: ModelNotes): Uint8Array<ArrayBuffer> {
  const notesText = { format: FORMAT, downhill: JSON.stringify(notes) };
  return encodeSafetensors(weights, notesText, { i64: longNames(weights) });
}

export type DecodedModel = Omit<ModelNotes, "model" | "tokenizer"> & {
  readonly model: AnyModel;
  readonly tokenizer: Tokenizer | undefined;
  readonly state: ModelState;
};

/**
 * A model from the bytes of its file. `kinds` builds layers of your own. Throws DataError naming `file` where it is
 * damaged, of another kind, or its weights do not fit its model.
 */
export function decodeModel(bytes: Uint8Array, file: string, kinds: LayerKinds = {}): DecodedModel {
  const { tensors, metadata } = decodeSafetensors(bytes, file);
  if (metadata.format !== FORMAT)
    throw new DataError(
      `load: ${file} has ${metadata.format === undefined ? "no format note" : `the format ${metadata.format}`}; expected ${FORMAT}. Was it saved by a run?`,
      file,
    );
  const fail = (text: string): DataError => new DataError(`load: ${file} ${text}`, file);
  let notes: Partial<Record<keyof ModelNotes, unknown>>;
  try {
    notes = JSON.parse(metadata.downhill ?? "") as typeof notes;
  } catch {
    throw fail("has notes that are not JSON.");
  }
  if (!isRecord(notes)) throw fail("has notes that are no object.");
  if (isDeeper(notes, MAX_LEVELS)) throw fail(`has notes nested more than ${MAX_LEVELS} levels deep.`);
  const { model: config, loss, metrics, preparation, sample, classes, tokenizer, pictures, table } = notes;
  if (!isRecord(config) || typeof config.kind !== "string" || !isRecord(loss) || typeof loss.kind !== "string")
    throw fail("has no model or loss in its notes.");
  if (!isSample(sample)) throw fail("has no types of its inputs in its notes.");
  if (!isRecord(preparation)) throw fail("has no preprocessing in its notes.");
  if (!isMetrics(metrics) || (classes !== undefined && !isTexts(classes)))
    throw fail("has damaged names in its notes.");
  if (tokenizer !== undefined && !isRecord(tokenizer)) throw fail("has a damaged tokenizer in its notes.");
  try {
    const model = modelFromConfig(config as LayerConfig, kinds) as unknown as AnyModel;
    return {
      model,
      loss: loss as LayerConfig,
      metrics,
      preparation: Object.fromEntries(
        Object.entries(preparation).map(([path, value]) => [path, readPreprocessing(value, file)]),
      ),
      sample,
      classes,
      tokenizer: tokenizer === undefined ? undefined : tokenizerFromConfig(tokenizer as TokenizerConfig),
      pictures: pictures === undefined ? undefined : readPictureForm(pictures, file),
      table: table === undefined ? undefined : readTableEncoding(table, file),
      state: model.fromStateDict(tensors, batchOf(sample)),
    };
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    throw new DataError(`load: ${file}: ${error.message}`, file);
  }
}

/** Types of a batch of two such samples as the model sees them. */
function batchOf(sample: Tree<Aval>): AvalsOf<TensorTree> {
  const batch = avalLeaves(sample).map(([, { dtype, shape }]) => ({
    dtype: dtype === "i32" ? dtype : "f32",
    shape: [2, ...shape],
  }));
  return fillAvals(sample, batch) as AvalsOf<TensorTree>;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((text) => typeof text === "string");

const isMetrics = (value: unknown): value is readonly (string | LayerConfig)[] =>
  Array.isArray(value) &&
  value.every((each) => typeof each === "string" || (isRecord(each) && typeof each.kind === "string"));

const DTYPES = ["f32", "i32", "u8", "bool"];

function isSample(value: unknown): value is Tree<Aval> {
  if (!isRecord(value) && !Array.isArray(value)) return false;
  const { dtype, shape } = value as Partial<Aval>;
  if (typeof dtype === "string" && Array.isArray(shape))
    return DTYPES.includes(dtype) && shape.every((size) => Number.isSafeInteger(size) && size > 0);
  const children = Object.values(value);
  return children.length > 0 && children.every(isSample);
}

/** Whether plain data has more levels than this: what reads it goes down level by level. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((child) => isDeeper(child, levels - 1));
}
