import * as v from "valibot";
import { OptionError } from "../core/errors.ts";
import type { HyperSpec } from "../optim/hyper.ts";
import { describeRange } from "../optim/range.ts";
import { table } from "../optim/table.ts";

export type Value = number | string | boolean;

/**
 * Every setting of `train` once: its flag, its key in a config file, its type and its help text. Flags, config files, help
 * and the run's record are all read off this table.
 */
export type Setting = {
  /** As commander writes it: `--batch-size <n>`. */
  readonly flag: string;
  readonly group: "Model and optimizer" | "Training" | "Data and output";
  readonly help: string;
  readonly kind: "number" | "text" | "switch";
  /** Words for the expected value, in error messages. */
  readonly expected: string;
  readonly schema: v.GenericSchema<unknown, Value>;
};

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const text = v.pipe(v.string(), v.minLength(1));

export const MODELS = ["cnn", "mlp"] as const;
export const RULES: readonly (typeof table)[number][] = table.filter(({ role }) => role === "rule");

const BASE = {
  model: {
    flag: "--model <name>",
    group: "Model and optimizer",
    help: "cnn (two convolutions) or mlp (256 and 128 hidden units)",
    kind: "text",
    expected: "cnn or mlp",
    schema: v.picklist(MODELS),
  },
  optimizer: {
    flag: "--optimizer <name>",
    group: "Model and optimizer",
    help: `${RULES.map(({ name }) => name).join(", ")}`,
    kind: "text",
    expected: `one of ${RULES.map(({ name }) => name).join(", ")}`,
    schema: v.picklist(RULES.map(({ name }) => name)),
  },
  lr: {
    flag: "--lr <rate>",
    group: "Model and optimizer",
    help: "learning rate that the schedule starts from (see below)",
    kind: "number",
    expected: "a number above 0",
    schema: v.pipe(v.number(), v.finite(), v.gtValue(0)),
  },
  schedule: {
    flag: "--schedule <text>",
    group: "Model and optimizer",
    help: "how the rate changes (see below)",
    kind: "text",
    expected: 'a schedule such as "step 0.5/5ep"',
    schema: text,
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
    help: "training images held out: a count, or a share below 1 (5000, or a tenth where that is less)",
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
    help: "decides first weights, held-out images and order",
    kind: "number",
    expected: "a whole number from 0 to 2^53 - 1",
    schema: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  },
  threads: {
    flag: "--threads <n>",
    group: "Training",
    help: "worker threads; results do not depend on it (as many as processors, at most 4)",
    kind: "number",
    expected: "a whole number from 1 to 64",
    schema: v.pipe(count, v.maxValue(64)),
  },
  dataDir: {
    flag: "--data-dir <folder>",
    group: "Data and output",
    help: "the folder with a known data set's four idx files",
    kind: "text",
    expected: "a folder",
    schema: text,
  },
  out: {
    flag: "--out <folder>",
    group: "Data and output",
    help: "where the run's own folder is made",
    kind: "text",
    expected: "a folder",
    schema: text,
  },
} as const satisfies Readonly<Record<string, Setting>>;

/** Hyperparameters of all update rules but the rate, which is `--lr`; the rules' table says what each takes. */
const HYPERS: Readonly<Record<string, Setting>> = Object.fromEntries(
  RULES.flatMap(({ hypers }) =>
    Object.entries(hypers)
      .filter(([name]) => name !== "rate")
      .map(([name, spec]) => [name, hyperSetting(name, spec)] as const),
  ),
);

function hyperSetting(name: string, spec: HyperSpec): Setting {
  const flag = `--${kebab(name)}`;
  const common = { group: "Model and optimizer", help: spec.text } as const;
  if (spec.type === "flag") return { ...common, flag, kind: "switch", expected: "true or false", schema: v.boolean() };
  if (spec.type === "choice") {
    const expected = spec.choices.join(" or ");
    return { ...common, flag: `${flag} <name>`, kind: "text", expected, schema: v.picklist(spec.choices) };
  }
  // Rules differ in what they allow under one name; the rule itself checks the range.
  return {
    ...common,
    flag: `${flag} <n>`,
    kind: "number",
    expected: describeRange(spec),
    schema: v.pipe(v.number(), v.finite()),
  };
}

export const SETTINGS: Readonly<Record<string, Setting>> = { ...BASE, ...HYPERS };
export const BASE_NAMES: readonly string[] = Object.keys(BASE);
export const HYPER_NAMES: readonly string[] = Object.keys(HYPERS);

/** What flags or a config file say: `data` and any of `SETTINGS`. */
export type Given = Readonly<Record<string, Value>>;

/** The settings that every run has, by their types. */
export type BaseSettings = { readonly [K in keyof typeof BASE]?: v.InferOutput<(typeof BASE)[K]["schema"]> } & {
  readonly data?: string;
};

export function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function check(setting: Setting, value: unknown, where: string): Value {
  const result = v.safeParse(setting.schema, value);
  if (result.success) return result.output;
  throw new OptionError(`${where}: got ${JSON.stringify(value)}; expected ${setting.expected}.`, where);
}

/** The value of a flag from its text. Throws OptionError naming the flag. */
export function parseFlag(name: string, given: string | boolean): Value {
  const setting = SETTINGS[name] as Setting;
  const where = setting.flag.split(" ")[0] as string;
  if (setting.kind !== "number") return check(setting, given, where);
  const value = typeof given === "string" && given.trim() !== "" ? Number(given) : Number.NaN;
  if (Number.isNaN(value))
    throw new OptionError(`${where}: got "${String(given)}"; expected ${setting.expected}.`, where);
  return check(setting, value, where);
}

/** The settings of a parsed config file. Throws OptionError naming the file and an unknown or wrong key. */
export function parseConfig(json: unknown, file: string): Given {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new OptionError(
      `${file}: got ${Array.isArray(json) ? "a list" : JSON.stringify(json)}; expected an object of settings.`,
      file,
    );
  const known = ["data", ...Object.keys(SETTINGS)];
  const out: Record<string, Value> = {};
  for (const [key, value] of Object.entries(json)) {
    const setting = Object.hasOwn(SETTINGS, key) ? SETTINGS[key] : undefined;
    if (setting !== undefined) out[key] = check(setting, value, `${file}: ${key}`);
    else if (key !== "data")
      throw new OptionError(
        `${file}: got the unknown key "${key}"; expected one of ${known.join(", ")}.${suggest(key, known)}`,
        file,
      );
    else if (typeof value === "string" && value !== "") out.data = value;
    else
      throw new OptionError(`${file}: data: got ${JSON.stringify(value)}; expected a data set's name or folder.`, file);
  }
  return out;
}

/** ` Did you mean x?` where one known word is near. */
export function suggest(word: string, known: readonly string[]): string {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const near = known.map((name) => [name, distance(plain(word), plain(name))] as const).sort((a, b) => a[1] - b[1])[0];
  return near !== undefined && near[1] <= Math.max(1, Math.floor(word.length / 3)) ? ` Did you mean ${near[0]}?` : "";
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((next[j - 1] as number) + 1, (row[j] as number) + 1, replaced));
    }
    row = next;
  }
  return row[b.length] as number;
}
