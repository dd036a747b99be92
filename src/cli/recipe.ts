import { OptionError } from "../core/errors.ts";
import type { Rule } from "../optim/hyper.ts";
import { type BaseSettings, type Given, HYPER_NAMES, kebab, RULES, rateOf, type Value } from "./settings.ts";

/** A run's settings, all decided. */
export type Recipe = {
  readonly data: string;
  readonly model: "cnn" | "mlp";
  readonly optimizer: string;
  /** Undefined where the optimizer is JSON, which has its own. */
  readonly lr: number | undefined;
  readonly schedule: string | undefined;
  /** What the optimizer was given beside the rate. */
  readonly hypers: Readonly<Record<string, Value>>;
  /** What happens to gradients and parameters around it, as the flags say it. */
  readonly processing: Processing;
  readonly epochs: number;
  readonly batchSize: number;
  /** Undefined: 5,000 or a tenth of the training images, whichever is less. */
  readonly validation: number | undefined;
  readonly seed: number;
  readonly threads: number | undefined;
  readonly dataDir: string | undefined;
  readonly out: string;
};

const PROCESSING = ["clipNorm", "freeze", "group", "before", "after", "wrap", "accumulate"] as const;

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

export function defaultOf(name: string): Value | undefined {
  return (DEFAULTS as Readonly<Record<string, Value>>)[name];
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
    throw new OptionError("train: got no data; expected mnist, fashion-mnist or a folder such as ./digits.", "data");
  const optimizer = merged.optimizer ?? DEFAULTS.optimizer;
  const rule = RULES.find(({ name }) => name === optimizer);
  const overruled = flags.optimizer !== undefined && flags.optimizer !== (file.optimizer ?? DEFAULTS.optimizer);
  const hypers: Record<string, Value> = {};
  for (const name of HYPER_NAMES) {
    const value = merged[name];
    if (value === undefined) continue;
    if (rule !== undefined && Object.hasOwn(rule.hypers, name)) hypers[name] = value;
    else if (flags[name] !== undefined || !overruled) throw foreign(name, optimizer, flags[name] !== undefined);
  }
  const rate = rateAndSchedule(merged, optimizer);
  const { model, epochs, batchSize, seed, out } = { ...DEFAULTS, ...merged };
  const { threads, dataDir, validation } = merged;
  const processing = Object.fromEntries(
    PROCESSING.flatMap((name) => (merged[name] === undefined ? [] : [[name, merged[name]]])),
  );
  return {
    data,
    model,
    optimizer,
    ...rate,
    hypers,
    processing,
    epochs,
    batchSize,
    validation,
    seed,
    threads,
    dataDir,
    out,
  };
}

/** An optimizer as JSON, which has its own rate and hyperparameters. */
export const isJson = (optimizer: string): boolean => optimizer.startsWith("{");

function rateAndSchedule({ lr, schedule }: BaseSettings, optimizer: string): Pick<Recipe, "lr" | "schedule"> {
  if (!isJson(optimizer)) return { lr: lr ?? defaultRate(optimizer), schedule: schedule ?? defaultSchedule(optimizer) };
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

/** The recipe as a config file would say it, with the same keys. */
export function toConfig({ hypers, processing, ...rest }: Recipe): Readonly<Record<string, Value>> {
  const decided = Object.entries(rest).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return { ...Object.fromEntries(decided), ...hypers, ...processing };
}

/** How many training images are held out when nobody says. */
export function defaultValidation(trainingImages: number): number {
  return Math.min(5000, Math.floor(trainingImages / 10));
}
