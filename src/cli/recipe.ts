import { OptionError } from "../core/errors.ts";
import { fromConfig } from "../optim/from-config.ts";
import { parseSchedule } from "../optim/schedules/grammar.ts";
import type { Transform } from "../optim/transform.ts";
import { type BaseSettings, type Given, HYPER_NAMES, kebab, RULES, type Value } from "./settings.ts";

/** A run's settings, all decided. */
export type Recipe = {
  readonly data: string;
  readonly model: "cnn" | "mlp";
  readonly optimizer: string;
  readonly lr: number;
  readonly schedule: string;
  /** What the optimizer was given beside the rate. */
  readonly hypers: Readonly<Record<string, Value>>;
  readonly epochs: number;
  readonly batchSize: number;
  /** Undefined: 5,000 or a tenth of the training images, whichever is less. */
  readonly validation: number | undefined;
  readonly seed: number;
  readonly threads: number | undefined;
  readonly dataDir: string | undefined;
  readonly out: string;
};

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
  const rule = RULES.find(({ name }) => name === optimizer);
  const spec = rule?.hypers.rate;
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
  const rule = RULES.find(({ name }) => name === optimizer) as (typeof RULES)[number];
  const overruled = flags.optimizer !== undefined && flags.optimizer !== (file.optimizer ?? DEFAULTS.optimizer);
  const hypers: Record<string, Value> = {};
  for (const name of HYPER_NAMES) {
    const value = merged[name];
    if (value === undefined) continue;
    if (Object.hasOwn(rule.hypers, name)) hypers[name] = value;
    else if (flags[name] !== undefined || !overruled) throw foreign(name, optimizer, flags[name] !== undefined);
  }
  const { lr = defaultRate(optimizer), schedule = defaultSchedule(optimizer), ...rest } = merged;
  const { model, epochs, batchSize, seed, out } = { ...DEFAULTS, ...rest };
  const { threads, dataDir, validation } = merged;
  return { data, model, optimizer, lr, schedule, hypers, epochs, batchSize, validation, seed, threads, dataDir, out };
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
export function toConfig({ hypers, ...rest }: Recipe): Readonly<Record<string, Value>> {
  const decided = Object.entries(rest).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return { ...Object.fromEntries(decided), ...hypers };
}

/** How many training images are held out when nobody says. */
export function defaultValidation(trainingImages: number): number {
  return Math.min(5000, Math.floor(trainingImages / 10));
}

/** The recipe's optimizer with its schedule. Throws OptionError naming the flag that does not fit. */
export function optimizerOf({ optimizer, lr, schedule, hypers }: Recipe): Transform {
  const rate = atFlag("schedule", () => parseSchedule(schedule, lr).toJSON());
  try {
    return fromConfig({ name: optimizer, rate, ...hypers });
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    const name = Object.keys(hypers).find((hyper) => error.where === `${optimizer}.${hyper}`);
    if (name === undefined) throw error;
    const text = error.message.replace(`${optimizer}: `, "").replace(`got ${name} = `, "got ");
    throw new OptionError(`--${kebab(name)}: ${text.replace(", or a schedule", "")}`, name);
  }
}

/** Errors of `f` name the flag instead of the library's function. */
export function atFlag<T>(flag: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new OptionError(`--${flag}: ${error.message.replace(/^\w+: /, "")}`, flag);
  }
}
