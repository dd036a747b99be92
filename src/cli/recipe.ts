import { OptionError } from "../core/errors.ts";
import type { NodeBackendOptions } from "../node/default-backend.ts";
import { KNOWN_DATASETS } from "../node/known-datasets.ts";
import { isPictures } from "../node/pictures/is-pictures.ts";
import { isPictureArrays, isTable } from "../node/tables/is-table.ts";
import { isTextFile } from "../node/text.ts";
import type { Rule } from "../optim/hyper.ts";
import { earlyStopping } from "../train/callbacks/early-stopping.ts";
import type { Callback } from "../train/events.ts";
import type { FitOptions } from "../train/fit.ts";
import { parseDuration, parseEvery } from "./keeping-text.ts";
import {
  PICTURE_RATES,
  PICTURE_TRAINING,
  type PictureRecipe,
  pictureRecipeOf,
  TUNING_RATES,
} from "./picture-recipe.ts";
import { type BaseSettings, type Given, HYPER_NAMES, kebab, RULES, rateOf, type Value } from "./settings.ts";
import { TABLE_CARE, TABLE_RATES, TABLE_TRAINING, type TableRecipe, tableRecipeOf } from "./table-recipe.ts";
import { TEXT_DEFAULTS, TEXT_RATES, TEXT_TRAINING, type TextRecipe, textRecipeOf } from "./text-recipe.ts";

/** A run's settings, all decided. */
export type Recipe = {
  readonly data: string;
  /** An image classifier of the models' table, or gpt. */
  readonly model: string;
  /** A file or a run's folder to start from. */
  readonly weights: string | undefined;
  /** A file of torch.optim's state to start from. */
  readonly optimizerState: string | undefined;
  readonly strict: boolean | undefined;
  readonly optimizer: string;
  /** Undefined where the optimizer is JSON, which has its own. */
  readonly lr: number | undefined;
  readonly schedule: string | undefined;
  /** What the optimizer was given beside the rate. */
  readonly hypers: Readonly<Record<string, Value>>;
  /** What happens to gradients and parameters around it, as the flags say it. */
  readonly processing: Processing;
  /** When it stops, and what is kept to go on from. */
  readonly keeping: Keeping;
  /** The file of labels beside pictures in a `.npy` file. */
  readonly target?: string;
  /** Of a gpt and its text. */
  readonly text?: TextRecipe;
  /** Of folders of pictures. */
  readonly pictures?: PictureRecipe;
  /** Of a table. */
  readonly table?: TableRecipe;
  readonly epochs: number;
  readonly batchSize: number;
  /** Undefined: 5,000 or a tenth of the training images, whichever is less. */
  readonly validation: number | undefined;
  /** As `augment.parse` takes it. */
  readonly augment: string | undefined;
  readonly seed: number;
  readonly threads: number | undefined;
  readonly mode: BaseSettings["mode"] | undefined;
  readonly wide: boolean | undefined;
  readonly native: BaseSettings["native"] | undefined;
  readonly dataDir: string | undefined;
  /** The folder of TensorBoard's folders. */
  readonly tensorboard: string | undefined;
  readonly out: string;
};

const PROCESSING = ["clipNorm", "freeze", "group", "before", "after", "wrap", "accumulate"] as const;

const KEEPING = ["earlyStopping", "maxTime", "onNan", "checkpointEvery", "keepLast", "keepBest"] as const;

export type Keeping = Readonly<Pick<BaseSettings, (typeof KEEPING)[number]>>;

export type Processing = Readonly<Pick<BaseSettings, (typeof PROCESSING)[number]>>;

/** Where the rules' own defaults are too careful for small images. */
const RATES: Readonly<Record<string, number>> = { sgd: 0.1, momentum: 0.05 };

const DEFAULTS = {
  model: "cnn",
  optimizer: "momentum",
  schedule: "step 0.3/1ep",
  epochs: 3,
  batchSize: 64,
  seed: 1,
  out: "runs",
} as const;

/** What `train --help` says of texts and tables. */
export const DATA_HELP: string = [
  "A text has defaults of its own:",
  `  --optimizer ${TEXT_TRAINING.optimizer} --lr ${TEXT_RATES[TEXT_TRAINING.optimizer]} --schedule "${TEXT_TRAINING.schedule}"`,
  `  --clip-norm ${TEXT_TRAINING.clipNorm} --batch-size ${TEXT_TRAINING.batchSize} --validation 0.1`,
  "And a table:",
  `  --optimizer ${TABLE_TRAINING.optimizer} --lr ${TABLE_RATES[TABLE_TRAINING.optimizer]} --schedule "${TABLE_TRAINING.schedule}"`,
  `  --weight-decay ${TABLE_CARE.weightDecay} --dropout ${TABLE_CARE.dropout} --early-stopping ${TABLE_CARE.earlyStopping} --validation 0.1`,
].join("\n");

export function defaultOf(name: string): Value | undefined {
  return ({ ...TEXT_DEFAULTS, ...DEFAULTS } as Readonly<Record<string, Value>>)[name];
}

export function defaultRate(optimizer: string): number {
  const rule = RULES.find(({ name }) => name === optimizer) as Rule;
  const spec = rule.hypers[rateOf(rule)];
  return RATES[optimizer] ?? (spec?.type === "number" ? spec.default : undefined) ?? 1e-3;
}

/**
 * Flags over the config file over defaults. Throws OptionError where a hyperparameter belongs to another optimizer; those
 * of a config file give way when a flag chooses another optimizer than the file's.
 */
export function recipeOf(flags: Given, file: Given): Recipe {
  const merged = { ...file, ...flags } as BaseSettings & Given;
  const { data } = merged;
  if (data === undefined)
    throw new OptionError(
      "train: got no data; expected mnist, fashion-mnist, a folder such as ./digits, a table such as cars.csv or a text such as book.txt.",
      "data",
    );
  const known = KNOWN_DATASETS.find(({ name }) => name === data);
  const isFile = known === undefined;
  const isRows = isFile && (merged.model === "tabular" || (merged.model !== "gpt" && isTable(data)));
  const isFolder = isFile && !isRows && merged.model !== "gpt" && isPictures(data);
  const isText = isFile && !isRows && !isFolder && isTextFile(data);
  const usual = { ...DEFAULTS, ...known?.settings };
  const model = merged.model ?? (isRows ? "tabular" : isText ? "gpt" : usual.model);
  const own = model === "gpt" ? TEXT_TRAINING : isRows ? TABLE_TRAINING : isFolder ? PICTURE_TRAINING : {};
  const defaults = { ...usual, ...own };
  const optimizer = merged.optimizer ?? defaults.optimizer;
  const rule = RULES.find(({ name }) => name === optimizer);
  const overruled = flags.optimizer !== undefined && flags.optimizer !== (file.optimizer ?? defaults.optimizer);
  const hypers: Record<string, Value> = {};
  for (const name of HYPER_NAMES) {
    const value = merged[name];
    if (value === undefined) continue;
    if (rule !== undefined && Object.hasOwn(rule.hypers, name)) hypers[name] = value;
    else if (flags[name] !== undefined || !overruled) throw foreign(name, optimizer, flags[name] !== undefined);
  }
  if (isRows && optimizer === "adamw") hypers.weightDecay ??= TABLE_CARE.weightDecay;
  if (isText && model !== "gpt")
    throw new OptionError(
      `--model: got ${model} for the file ${data}; expected gpt, or a data set for ${model}.`,
      "model",
    );
  const text = textRecipeOf(merged, model, flags);
  const table = tableRecipeOf(merged, model, isRows, flags);
  const pictures = pictureRecipeOf(merged, isFolder, flags);
  // Weights of a named model are those of a large one: a tenth of the usual rate is enough for them.
  const isOwnRun = pictures?.fineTune !== undefined && merged.model === undefined;
  const pictureRates = pictures && (isOwnRun ? TUNING_RATES : PICTURE_RATES);
  const ownRates = text ? TEXT_RATES : table ? TABLE_RATES : pictureRates;
  const rate = rateAndSchedule(merged, optimizer, ownRates);
  const { epochs, batchSize, seed, out } = { ...defaults, ...merged };
  const target = isFile && isPictureArrays(data) ? merged.target : undefined;
  const { threads, wide, native, dataDir, tensorboard, validation, augment, weights, optimizerState, strict } = merged;
  const mode = modeOf(merged);
  for (const [flag, value] of Object.entries({ weights, augment }))
    if (value !== undefined && (text ?? table) !== undefined)
      throw new OptionError(`--${flag}: got it with the model ${model}; expected it with an image classifier.`, flag);
  if (strict !== undefined && weights === undefined)
    throw new OptionError(`--${strict ? "" : "no-"}strict: got it without --weights; expected both.`, "strict");
  if (mode === "reproducible" && native === "on")
    throw new OptionError(
      "--native: got on with --mode reproducible; expected --mode fast. A BLAS gives other bits on other machines.",
      "native",
    );
  const keeping = Object.fromEntries(
    KEEPING.flatMap((name) => (merged[name] === undefined ? [] : [[name, merged[name]]])),
  );
  if (isRows && validation !== 0) keeping.earlyStopping ??= TABLE_CARE.earlyStopping;
  const processing = Object.fromEntries(
    PROCESSING.flatMap((name) => {
      const value =
        merged[name] ?? (isJson(optimizer) ? undefined : (defaults as Readonly<Record<string, unknown>>)[name]);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return {
    data,
    model,
    weights,
    optimizerState,
    strict,
    optimizer,
    ...rate,
    hypers,
    processing,
    keeping,
    ...(target === undefined ? {} : { target }),
    ...(text === undefined ? {} : { text }),
    ...(table === undefined ? {} : { table }),
    ...(pictures === undefined ? {} : { pictures }),
    epochs,
    batchSize,
    validation,
    augment,
    seed,
    threads,
    mode,
    wide,
    native,
    dataDir,
    tensorboard,
    out,
  };
}

/** Throws OptionError where two flags say the opposite. */
function modeOf({ mode, reproducible }: BaseSettings): BaseSettings["mode"] {
  if (reproducible === undefined) return mode;
  const asked = reproducible ? "reproducible" : "fast";
  if (mode === undefined || mode === asked) return asked;
  throw new OptionError(
    `--${reproducible ? "" : "no-"}reproducible: got it with --mode ${mode}; expected one of the two.`,
    "reproducible",
  );
}

/** An optimizer as JSON, which has its own rate and hyperparameters. */
export const isJson = (optimizer: string): boolean => optimizer.startsWith("{");

function rateAndSchedule(
  { lr, schedule }: BaseSettings,
  optimizer: string,
  ownRates: Readonly<Record<string, number>> | undefined,
): Pick<Recipe, "lr" | "schedule"> {
  if (!isJson(optimizer))
    return {
      lr: lr ?? ownRates?.[optimizer] ?? defaultRate(optimizer),
      // Texts, tables and pictures have the same.
      schedule: schedule ?? (ownRates !== undefined ? TEXT_TRAINING.schedule : defaultSchedule(optimizer)),
    };
  const given = lr !== undefined ? "--lr" : schedule !== undefined ? "--schedule" : undefined;
  if (given !== undefined)
    throw new OptionError(`${given}: got it with an optimizer as JSON; expected the rate inside it.`, given);
  return { lr, schedule };
}

/** The step decay is part of the default recipe; rules that scale each weight's rate do without. */
function defaultSchedule(optimizer: string): string {
  return optimizer === "sgd" || optimizer === "momentum" ? DEFAULTS.schedule : "constant";
}

function foreign(name: string, optimizer: string, isFlag: boolean): OptionError {
  const owners = RULES.filter(({ hypers }) => Object.hasOwn(hypers, name)).map((rule) => rule.name);
  const shown = isFlag ? `--${kebab(name)}` : name;
  return new OptionError(
    `${shown}: got it with the optimizer ${optimizer}; expected it with ${owners.join(", ")} only.`,
    shown,
  );
}

/** What runs it, as `fit` takes it. */
export function backendOf({ threads, mode, wide, native }: Recipe): NodeBackendOptions {
  return {
    ...(threads === undefined ? {} : { threads }),
    ...(mode === undefined ? {} : { mode }),
    ...(wide === undefined ? {} : { wide }),
    ...(native === undefined ? {} : { native }),
  };
}

/** When it stops and what is kept, as `fit` takes it. */
export function keepingOf({ earlyStopping: patience, maxTime, onNan, checkpointEvery, ...kept }: Keeping): {
  readonly callbacks: readonly Callback[];
  readonly options: Pick<FitOptions<never, never, never>, "checkpoint" | "maxTimeMs" | "rollback">;
} {
  const maxTimeMs = maxTime === undefined ? undefined : parseDuration(maxTime);
  return {
    callbacks: patience === undefined ? [] : [earlyStopping({ patience }) as Callback],
    options: {
      checkpoint: {
        ...(checkpointEvery === undefined ? {} : parseEvery(checkpointEvery)),
        ...(kept.keepLast === undefined ? {} : { last: kept.keepLast }),
        ...(kept.keepBest === undefined ? {} : { best: kept.keepBest }),
      },
      ...(maxTimeMs === undefined ? {} : { maxTimeMs }),
      ...(onNan === "rollback" ? { rollback: {} } : {}),
    },
  };
}

/** How many epochs there will be; undefined where the time decides. */
export function shownEpochs({ epochs, keeping }: Recipe): number | undefined {
  return keeping.maxTime === undefined ? epochs : undefined;
}

/** The recipe as a config file would say it, with the same keys. */
export function toConfig({
  hypers,
  processing,
  keeping,
  text,
  table,
  pictures,
  ...rest
}: Recipe): Readonly<Record<string, Value>> {
  const decided = Object.entries({
    ...rest,
    ...text,
    ...table,
    ...pictures,
    epochs: rest.epochs,
    batchSize: rest.batchSize,
  }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return { ...Object.fromEntries(decided), ...hypers, ...processing, ...keeping };
}

/** How many training images are held out when nobody says. */
export function defaultValidation(trainingImages: number): number {
  return Math.min(5000, Math.floor(trainingImages / 10));
}
