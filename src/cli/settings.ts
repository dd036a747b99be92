import * as v from "valibot";
import { OptionError } from "../core/errors.ts";

/**
 * Every setting of `train` once: its flag, its key in a config file, its type and its help text. Flags, config files, help and
 * the run's record are all read off this table.
 */
export type Setting = {
  /** As commander writes it: `--batch-size <n>`. */
  readonly flag: string;
  readonly group: "What to train" | "Optimizer" | "Training" | "Output";
  readonly help: string;
  /** Turns the flag's text into what a config file holds. */
  readonly kind: "number" | "text" | "switch";
  /** Words for the expected value, in error messages. */
  readonly expected: string;
  readonly schema: v.GenericSchema<unknown, number | string | boolean>;
};

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const fraction = v.pipe(v.number(), v.minValue(0), v.ltValue(1));
const text = v.pipe(v.string(), v.minLength(1));

export const MODELS = ["cnn", "mlp"] as const;
export const OPTIMIZERS = ["sgd", "momentum", "adagrad", "rmsprop", "adam"] as const;

export const SETTINGS = {
  model: {
    flag: "--model <name>",
    group: "What to train",
    help: "cnn (two convolutions) or mlp (256 and 128 hidden units)",
    kind: "text",
    expected: "cnn or mlp",
    schema: v.picklist(MODELS),
  },
  optimizer: {
    flag: "--optimizer <name>",
    group: "Optimizer",
    help: "sgd, momentum, adagrad, rmsprop or adam",
    kind: "text",
    expected: `one of ${OPTIMIZERS.join(", ")}`,
    schema: v.picklist(OPTIMIZERS),
  },
  lr: {
    flag: "--lr <rate>",
    group: "Optimizer",
    help: "learning rate, before the schedule",
    kind: "number",
    expected: "a number above 0",
    schema: positive,
  },
  schedule: {
    flag: "--schedule <text>",
    group: "Optimizer",
    help: "how the rate changes; see below",
    kind: "text",
    expected: 'a schedule such as "step 0.5/5ep"',
    schema: text,
  },
  momentum: {
    flag: "--momentum <mu>",
    group: "Optimizer",
    help: "momentum: the velocity's decay (0.9)",
    kind: "number",
    expected: "a number from 0 up to but not including 1",
    schema: fraction,
  },
  nesterov: {
    flag: "--nesterov",
    group: "Optimizer",
    help: "momentum: look ahead (off)",
    kind: "switch",
    expected: "true or false",
    schema: v.boolean(),
  },
  decay: {
    flag: "--decay <d>",
    group: "Optimizer",
    help: "rmsprop: the cache's decay (0.99)",
    kind: "number",
    expected: "a number from 0 up to but not including 1",
    schema: fraction,
  },
  beta1: {
    flag: "--beta1 <b>",
    group: "Optimizer",
    help: "adam: decay of the first moment (0.9)",
    kind: "number",
    expected: "a number from 0 up to but not including 1",
    schema: fraction,
  },
  beta2: {
    flag: "--beta2 <b>",
    group: "Optimizer",
    help: "adam: decay of the second moment (0.999)",
    kind: "number",
    expected: "a number from 0 up to but not including 1",
    schema: fraction,
  },
  eps: {
    flag: "--eps <e>",
    group: "Optimizer",
    help: "adagrad, rmsprop, adam: added to the root (1e-8)",
    kind: "number",
    expected: "a number above 0",
    schema: positive,
  },
  biasCorrection: {
    flag: "--no-bias-correction",
    group: "Optimizer",
    help: "adam: as in the lecture, without the correction",
    kind: "switch",
    expected: "true or false",
    schema: v.boolean(),
  },
  epochs: {
    flag: "--epochs <n>",
    group: "Training",
    help: "passes over the training images",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  batchSize: {
    flag: "--batch-size <n>",
    group: "Training",
    help: "images per update",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  validation: {
    flag: "--validation <n>",
    group: "Training",
    help: "training images held out: a count, or a share below 1",
    kind: "number",
    expected: "a whole number of at least 0, or a share below 1",
    schema: v.pipe(
      v.number(),
      v.minValue(0),
      v.check((n) => n < 1 || Number.isInteger(n)),
    ),
  },
  seed: {
    flag: "--seed <n>",
    group: "Training",
    help: "decides first weights, order and dropout",
    kind: "number",
    expected: "a whole number from 0 to 2^53 - 1",
    schema: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  },
  threads: {
    flag: "--threads <n>",
    group: "Training",
    help: "worker threads; results do not depend on it",
    kind: "number",
    expected: "a whole number from 1 to 64",
    schema: v.pipe(count, v.maxValue(64)),
  },
  out: {
    flag: "--out <folder>",
    group: "Output",
    help: "where the run's folder is made",
    kind: "text",
    expected: "a folder",
    schema: text,
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;
export type Settings = { readonly [K in SettingName]?: v.InferOutput<(typeof SETTINGS)[K]["schema"]> };

export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS) as SettingName[];

/** `--no-bias-correction` and `--bias-correction` share their key; errors name what the user wrote. */
const flagName = (setting: Setting): string => setting.flag.split(" ")[0] as string;

function check(setting: Setting, value: unknown, where: string): number | string | boolean {
  const result = v.safeParse(setting.schema, value);
  if (result.success) return result.output;
  throw new OptionError(`${where}: got ${JSON.stringify(value)}; expected ${setting.expected}.`, where);
}

/** The value of a flag from its text. Throws OptionError naming the flag. */
export function parseFlag(name: SettingName, text: string | boolean): number | string | boolean {
  const setting: Setting = SETTINGS[name];
  const where = flagName(setting);
  if (setting.kind === "number") {
    const value = typeof text === "string" && text.trim() !== "" ? Number(text) : Number.NaN;
    if (Number.isNaN(value))
      throw new OptionError(`${where}: got "${String(text)}"; expected ${setting.expected}.`, where);
    return check(setting, value, where);
  }
  return check(setting, text, where);
}

/** The settings of a parsed config file. Throws OptionError naming the file and an unknown or wrong key. */
export function parseConfig(json: unknown, file: string): Settings & { readonly data?: string } {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new OptionError(
      `${file}: got ${Array.isArray(json) ? "a list" : JSON.stringify(json)}; expected an object of settings.`,
      file,
    );
  const known = [...SETTING_NAMES, "data"];
  const out: Record<string, number | string | boolean> = {};
  for (const [key, value] of Object.entries(json)) {
    if (key === "data") {
      if (typeof value !== "string" || value === "")
        throw new OptionError(
          `${file}: data: got ${JSON.stringify(value)}; expected a data set's name or folder.`,
          file,
        );
      out.data = value;
    } else if (Object.hasOwn(SETTINGS, key)) {
      out[key] = check(SETTINGS[key as SettingName], value, `${file}: ${key}`);
    } else {
      throw new OptionError(
        `${file}: got the unknown key "${key}"; expected one of ${known.join(", ")}.${suggest(key, known)}`,
        file,
      );
    }
  }
  return out as Settings & { readonly data?: string };
}

/** ` Did you mean x?` where one known word is near. */
export function suggest(word: string, known: readonly string[]): string {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const near = known.map((name) => [name, distance(plain(word), plain(name))] as const).sort((a, b) => a[1] - b[1])[0];
  return near !== undefined && near[1] <= Math.max(1, Math.floor(word.length / 3)) ? ` Did you mean ${near[0]}?` : "";
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min(
          (next[j - 1] as number) + 1,
          (row[j] as number) + 1,
          (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      );
    row = next;
  }
  return row[b.length] as number;
}
