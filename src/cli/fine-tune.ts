import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { zeros } from "../core/host-array.ts";
import type { PictureForm } from "../data/picture-form.ts";
import type { Preprocessing } from "../data/preprocessing.ts";
import type { LayerConfig } from "../nn/layer.ts";
import { type ModelRow, models } from "../nn/models/table.ts";
import type { StateDict } from "../nn/state-dict.ts";
import { MODEL_FILE } from "../train/load.ts";
import { decodeModel } from "../train/model-file.ts";
import type { PictureRecipe } from "./picture-recipe.ts";
import type { Recipe } from "./recipe.ts";
import { readRecord } from "./run-record.ts";
import { readWeights } from "./weights.ts";

/** What a fine-tuning goes on from. */
export type Base = {
  readonly from: string;
  readonly model: LayerConfig;
  /** What a run's record calls it. */
  readonly name: string | undefined;
  /** All but the last layer's. */
  readonly body: StateDict;
  /** The last layer's name. */
  readonly head: string;
  /** What it had there. */
  readonly last: StateDict;
  readonly form: PictureForm | undefined;
  readonly preprocessing: Preprocessing | undefined;
};

/** Of the rate, for all that is not the last layer. */
export const BODY_RATE = 0.1;

/** What torchvision's and timm's pictures were standardized by. */
const IMAGENET: Preprocessing = {
  kind: "standardize",
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

export async function baseOf(recipe: Recipe, from: string): Promise<Base> {
  const isFolder = statSync(from, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = isFolder ? join(from, MODEL_FILE) : from;
  const weights = await readWeights(from);
  const known = isFolder || (/\.safetensors$/i.test(file) && isOwn(file));
  const own = known ? decodeModel(readFileSync(file), file) : undefined;
  const row = models.find(({ name }) => name === recipe.model) as ModelRow;
  const model = own?.model.config ?? row.create({ classes: row.classes }).config;
  const head = headOf(weights);
  const part = (isHead: boolean): StateDict =>
    Object.fromEntries(Object.entries(weights).filter(([name]) => name.startsWith(`${head}.`) === isHead));
  const [body, last] = [part(false), part(true)];
  const [preprocessing] =
    own === undefined ? [row.classes === 1000 ? IMAGENET : undefined] : Object.values(own.preparation);
  const [, height = 0, width = 0] =
    own === undefined ? [] : ((own.sample as { shape?: readonly number[] }).shape ?? []);
  const [channels] = (own?.sample as { shape?: readonly number[] } | undefined)?.shape ?? [];
  const form =
    own?.pictures ??
    (own !== undefined && height > 0 && (channels === 1 || channels === 3)
      ? ({ channels, height, width, fit: "contain", background: [0, 0, 0] } as const)
      : undefined);
  const { model: name } = isFolder && existsSync(join(from, "config.json")) ? readRecord(from).settings : {};
  return { from, model, name: typeof name === "string" ? name : undefined, body, head, last, form, preprocessing };
}

/**
 * The body with a last layer of zeros: all classes are as likely at first, and no gradient of a drawn layer disturbs the body
 * before the new one has learned something. As in Kolesnikov et al., "Big Transfer" (2020).
 */
export function startOf({ body, last }: Pick<Base, "body" | "last">, classes: number): StateDict {
  const blank = Object.entries(last).map(([name, { shape }]) => [name, zeros([classes, ...shape.slice(1)])] as const);
  return { ...body, ...Object.fromEntries(blank) };
}

/** Whether a file of weights says what model they are of. */
function isOwn(file: string): boolean {
  try {
    decodeModel(readFileSync(file), file);
    return true;
  } catch {
    return false;
  }
}

/** The module of the last weight: models end in what scores the classes. */
export function headOf(weights: StateDict): string {
  const names = ["fc", "head", "classifier"];
  const modules = Object.keys(weights)
    .filter((name) => name.endsWith(".weight"))
    .map((name) => name.slice(0, -".weight".length));
  const known = modules.findLast((name) => names.includes(name.split(".")[0] as string));
  if (known !== undefined) return known;
  // Files are sorted by name: "10" comes after "9" in a sequence, but before it there.
  const byNumber = [...modules].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return byNumber.at(-1) ?? "";
}

/** The optimizer's settings of a fine-tuning: the body at a lower rate, and frozen at first. */
export function held(recipe: Recipe & { readonly pictures: PictureRecipe }, head: string): Recipe {
  const { freezeEpochs = 0, bodyRate = BODY_RATE } = recipe.pictures;
  const body = `!${head}.*: name=body rateFactor=${bodyRate}`;
  const freeze = freezeEpochs > 0 ? ` freeze="multistep 0 at ${freezeEpochs}ep"` : "";
  const { group = [] } = recipe.processing;
  return { ...recipe, processing: { ...recipe.processing, group: [body + freeze, ...group] } };
}
