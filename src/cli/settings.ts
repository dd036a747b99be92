import * as v from "valibot";
import { OptionError } from "../core/errors.ts";
import { PICTURE_FITS } from "../data/picture-form.ts";
import { COLUMN_KINDS } from "../data/table/column.ts";
import { AUGMENTATIONS } from "../nn/augment/index.ts";
import { models } from "../nn/models/table.ts";
import type { HyperSpec } from "../optim/hyper.ts";
import { describeRange } from "../optim/range.ts";
import { table } from "../optim/table.ts";
import { parseDuration, parseEvery } from "./keeping-text.ts";

export type Value = number | string | boolean | readonly string[];

/**
 * Every setting of `train` once: its flag, its key in a config file, its type and its help text. Flags, config files, help
 * and the run's record are all read off this table.
 */
export type Setting = {
  /** As commander writes it: `--batch-size <n>`. */
  readonly flag: string;
  readonly group:
    | "Model and optimizer"
    | "Gradients and parameters"
    | "Text"
    | "Table"
    | "Pictures"
    | "Training"
    | "Stopping and going on"
    | "Data and output";
  readonly help: string;
  /** "scalar": a number, or a schedule's text. "list": a text each time that the flag is given. */
  readonly kind: "number" | "text" | "switch" | "scalar" | "list";
  /** Words for the expected value, in error messages. */
  readonly expected: string;
  readonly schema: v.GenericSchema<unknown, Value>;
};

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const text = v.pipe(v.string(), v.minLength(1));

export const MODELS: readonly string[] = [...models.map(({ name }) => name), "gpt", "tabular"];
export const TOKENIZERS = ["byte", "character", "bpe"] as const;
export const RULES: readonly (typeof table)[number][] = table.filter(({ role }) => role === "rule");
const namesOf = (role: string): string =>
  table
    .filter((row) => row.role === role)
    .map(({ name }) => name)
    .join(", ");

/** The hyperparameter that `--lr` sets: a rule's first. */
export function rateOf(rule: (typeof table)[number]): string {
  return Object.keys(rule.hypers)[0] as string;
}

/** A number in the range, or a schedule's text. */
const scalar = (text: v.GenericSchema<unknown, string>): v.GenericSchema<unknown, number | string> =>
  v.union([v.pipe(v.number(), v.finite()), text]);

const BASE = {
  model: {
    flag: "--model <name>",
    group: "Model and optimizer",
    help: "cnn, mlp, resnet18 and others; `downhill models` lists all; gpt for a text file, tabular for a table",
    kind: "text",
    expected: `one of ${MODELS.join(", ")}`,
    schema: v.picklist(MODELS),
  },
  weights: {
    flag: "--weights <file>",
    group: "Model and optimizer",
    help: "start from the arrays of a safetensors file, of PyTorch's .pt or .pth, or of a run's folder",
    kind: "text",
    expected: "a safetensors file, a .pt or .pth file, or a run's folder",
    schema: text,
  },
  optimizerState: {
    flag: "--optimizer-state <file>",
    group: "Model and optimizer",
    help: "go on from the memory of a torch.optim optimizer: what torch.save(optimizer.state_dict(), file) wrote",
    kind: "text",
    expected: "a .pt or .pth file",
    schema: text,
  },
  strict: {
    flag: "--strict",
    group: "Model and optimizer",
    help: "whether all of them must fit; --no-strict leaves out what does not, such as the last layer of other classes",
    kind: "switch",
    expected: "true or false",
    schema: v.boolean(),
  },
  optimizer: {
    flag: "--optimizer <name>",
    group: "Model and optimizer",
    help: "an update rule, such as sgd, momentum or adam; `downhill optimizers` lists all",
    kind: "text",
    expected: `one of ${namesOf("rule")}, or JSON as optim.fromConfig takes it`,
    schema: v.union([v.picklist(RULES.map(({ name }) => name)), v.pipe(v.string(), v.startsWith("{"))]),
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
  clipNorm: {
    flag: "--clip-norm <n>",
    group: "Gradients and parameters",
    help: "scale all gradients together so that their norm is at most this",
    kind: "scalar",
    expected: "a number above 0, or a schedule",
    schema: scalar(text),
  },
  freeze: {
    flag: "--freeze <parameters>",
    group: "Gradients and parameters",
    help: 'parameters that stay as they are, such as "0, 3"',
    kind: "text",
    expected: "names of parameters",
    schema: text,
  },
  group: {
    flag: "--group <text>",
    group: "Gradients and parameters",
    help: 'other options for some parameters: "0, 3: rateFactor=0.1 weightDecay=0"; may be given again',
    kind: "list",
    expected: 'a list of texts such as "bias, norm: weightDecay=0"',
    schema: v.array(text),
  },
  before: {
    flag: "--before <transform>",
    group: "Gradients and parameters",
    help: `before the optimizer, in order: "clipByValue 0.5"; may be given again (${namesOf("transform")})`,
    kind: "list",
    expected: 'a list of transforms such as "clipByValue 0.5"',
    schema: v.array(text),
  },
  after: {
    flag: "--after <transform>",
    group: "Gradients and parameters",
    help: "the same, after the optimizer",
    kind: "list",
    expected: "a list of transforms",
    schema: v.array(text),
  },
  wrap: {
    flag: "--wrap <wrapper>",
    group: "Gradients and parameters",
    help: `around all of it, the last outermost: "ema decay=0.99"; may be given again (${namesOf("wrapper")})`,
    kind: "list",
    expected: 'a list of wrappers such as "ema decay=0.99"',
    schema: v.array(text),
  },
  accumulate: {
    flag: "--accumulate <n>",
    group: "Gradients and parameters",
    help: "batches whose mean gradient makes one update",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  layers: {
    flag: "--layers <n>",
    group: "Text",
    help: "blocks of the gpt",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  heads: {
    flag: "--heads <n>",
    group: "Text",
    help: "heads of each attention",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  width: {
    flag: "--width <n>",
    group: "Text",
    help: "size of each token's vector; the heads divide it",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  block: {
    flag: "--block <n>",
    group: "Text",
    help: "tokens that it sees at once",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  dropout: {
    flag: "--dropout <n>",
    group: "Text",
    help: "share of activations that are left out in training, of a table too",
    kind: "number",
    expected: "a number from 0 and below 1",
    schema: v.pipe(v.number(), v.minValue(0), v.ltValue(1)),
  },
  tokenizer: {
    flag: "--tokenizer <name>",
    group: "Text",
    help: "byte, character, bpe (learned from the text), or a folder with GPT-2's vocab.json and merges.txt",
    kind: "text",
    expected: "byte, character, bpe or a folder such as ./gpt2",
    schema: v.union([v.picklist(TOKENIZERS), v.pipe(v.string(), v.regex(/[/\\]/))]),
  },
  vocab: {
    flag: "--vocab <n>",
    group: "Text",
    help: "tokens that bpe learns (512)",
    kind: "number",
    expected: "a whole number of at least 256",
    schema: v.pipe(v.number(), v.integer(), v.minValue(256), v.maxValue(1_000_000)),
  },
  sample: {
    flag: "--sample <text>",
    group: "Text",
    help: "the prompt of the samples shown while it learns (the text's first line)",
    kind: "text",
    expected: "a text",
    schema: text,
  },
  sampleEvery: {
    flag: "--sample-every <steps>",
    group: "Text",
    help: "updates between two samples, 0 for none (a tenth of the run)",
    kind: "number",
    expected: "a whole number from 0",
    schema: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  },
  target: {
    flag: "--target <column>",
    group: "Table",
    help: "the column to predict (the one called target, label, class or y); of a .npy the file of targets",
    kind: "text",
    expected: "the name of a column",
    schema: text,
  },
  columns: {
    flag: "--columns <list>",
    group: "Table",
    help: `what columns are, where their values do not say: "zip: category, id: ignore" (${COLUMN_KINDS.join(", ")})`,
    kind: "text",
    expected: 'a list such as "zip: category, id: ignore"',
    schema: text,
  },
  stream: {
    flag: "--stream",
    group: "Table",
    help: "read rows while training, for a file larger than memory; its first 100,000 rows say what columns are, and what is held out is of these",
    kind: "switch",
    expected: "true or false",
    schema: v.boolean(),
  },
  testData: {
    flag: "--test-data <file>",
    group: "Table",
    help: "rows to test on in a file of their own; then none of the others are held out for the end",
    kind: "text",
    expected: "a file of the same columns, such as rest.csv",
    schema: text,
  },
  task: {
    flag: "--task <name>",
    group: "Table",
    help: "classification or regression (regression of numbers that are many or have decimals)",
    kind: "text",
    expected: "classification or regression",
    schema: v.picklist(["classification", "regression"]),
  },
  hidden: {
    flag: "--hidden <sizes>",
    group: "Table",
    help: "units of each hidden layer (64, 32 for few rows to 256, 128 for many)",
    kind: "text",
    expected: 'whole numbers such as "128, 64"',
    schema: v.pipe(v.string(), v.regex(/^\s*[1-9]\d{0,5}(\s*,\s*[1-9]\d{0,5})*\s*$/)),
  },
  augment: {
    flag: "--augment <list>",
    group: "Training",
    help: `what is done at random to training images: a list of ${Object.values(AUGMENTATIONS)
      .map(({ example }) => example)
      .join(", ")}`,
    kind: "text",
    expected: 'a list such as "flip, crop 4"',
    schema: text,
  },
  epochs: {
    flag: "--epochs <n>",
    group: "Training",
    help: "passes over the training images; of a text, as many as make 600,000 tokens, of a table 2,000 updates",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  batchSize: {
    flag: "--batch-size <n>",
    group: "Training",
    help: "images, windows of a text or rows of a table per update",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  validation: {
    flag: "--validation <n>",
    group: "Training",
    help: "training images held out: a count, or a share below 1 (5000, or a tenth where that is less); of a text the tokens at its end",
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
  mode: {
    flag: "--mode <name>",
    group: "Training",
    help: "reproducible: the same bits on every machine; fast: fused multiply-add and what --native finds (reproducible)",
    kind: "text",
    expected: "reproducible or fast",
    schema: v.picklist(["reproducible", "fast"]),
  },
  reproducible: {
    flag: "--reproducible",
    group: "Training",
    help: "the same as --mode reproducible, and --no-reproducible as --mode fast",
    kind: "switch",
    expected: "true or false",
    schema: v.boolean(),
  },
  wide: {
    flag: "--wide",
    group: "Training",
    help: "vectors of 256 bits by V8's revectorising, experimental, Node 24 and later; tried first; the bits are the same",
    kind: "switch",
    expected: "true or false",
    schema: v.boolean(),
  },
  native: {
    flag: "--native <when>",
    group: "Training",
    help: "large products by the system's BLAS, in mode fast: off, on, or auto, where there is one (auto)",
    kind: "text",
    expected: "off, auto or on",
    schema: v.picklist(["off", "auto", "on"]),
  },
  earlyStopping: {
    flag: "--early-stopping <epochs>",
    group: "Stopping and going on",
    help: "stop when the validation loss has not improved for so many epochs, and go back to the best weights",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  maxTime: {
    flag: "--max-time <time>",
    group: "Stopping and going on",
    help: "train for this long, such as 90s, 10m or 1h30m; the schedule of --epochs is fitted to it",
    kind: "text",
    expected: "a time such as 90s, 10m or 1h30m",
    schema: v.pipe(
      v.string(),
      v.check((text) => parseDuration(text) !== undefined),
    ),
  },
  onNan: {
    flag: "--on-nan <what>",
    group: "Stopping and going on",
    help: "after a loss that is not finite: stop, or rollback to the end of the last epoch with half the rate, at most 3 times (stop)",
    kind: "text",
    expected: "stop or rollback",
    schema: v.picklist(["stop", "rollback"]),
  },
  checkpointEvery: {
    flag: "--checkpoint-every <list>",
    group: "Stopping and going on",
    help: 'when checkpoints are written: "100 steps, 1 epoch, 5 min" or some of these (1 epoch, 5 min)',
    kind: "text",
    expected: 'a list such as "100 steps, 1 epoch, 5 min"',
    schema: v.pipe(
      v.string(),
      v.check((text) => parseEvery(text) !== undefined),
    ),
  },
  keepLast: {
    flag: "--keep-last <n>",
    group: "Stopping and going on",
    help: "the newest checkpoints that are kept (2)",
    kind: "number",
    expected: "a whole number of at least 1",
    schema: count,
  },
  keepBest: {
    flag: "--keep-best <n>",
    group: "Stopping and going on",
    help: "checkpoints of the epochs with the smallest loss that are kept beside (1)",
    kind: "number",
    expected: "a whole number from 0",
    schema: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  },
  imageSize: {
    flag: "--image-size <n>",
    group: "Pictures",
    help: "height and width that pictures are made (their own where they are alike and small, else 32, 48 or 64)",
    kind: "number",
    expected: "a whole number from 8 to 2048",
    schema: v.pipe(v.number(), v.safeInteger(), v.minValue(8), v.maxValue(2048)),
  },
  fit: {
    flag: "--fit <how>",
    group: "Pictures",
    help: "how other shapes are made square: contain (with borders), cover (cut) or fill (stretched) (contain)",
    kind: "text",
    expected: PICTURE_FITS.join(", "),
    schema: v.picklist(PICTURE_FITS),
  },
  test: {
    flag: "--test <n>",
    group: "Pictures",
    help: "held out of each class for the end: a share, or a count of all (0.1)",
    kind: "number",
    expected: "a share below 1, or a whole number",
    schema: v.pipe(v.number(), v.finite(), v.minValue(0)),
  },
  splitSeed: {
    flag: "--split-seed <n>",
    group: "Pictures",
    help: "chooses what is held out, whatever the run's seed (0)",
    kind: "number",
    expected: "a whole number from 0",
    schema: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  },
  classWeights: {
    flag: "--class-weights <how>",
    group: "Pictures",
    help: "balanced: each class counts the same in the loss, however many pictures it has (none)",
    kind: "text",
    expected: "balanced or none",
    schema: v.picklist(["balanced", "none"]),
  },
  followLinks: {
    flag: "--follow-links",
    group: "Pictures",
    help: "follow symbolic links; each picture counts once",
    kind: "switch",
    expected: "true or false",
    schema: v.boolean(),
  },
  maxBroken: {
    flag: "--max-broken <share>",
    group: "Pictures",
    help: "share of the pictures that may be broken; they are left out and listed (0.1)",
    kind: "number",
    expected: "a share from 0 to 1",
    schema: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  },
  fineTune: {
    flag: "--fine-tune <run>",
    group: "Pictures",
    help: "go on from the model of another run with a new last layer; or from --model's with a file of weights",
    kind: "text",
    expected: "a run's folder, a safetensors file or a .pt or .pth file",
    schema: text,
  },
  freezeEpochs: {
    flag: "--freeze-epochs <n>",
    group: "Pictures",
    help: "of a fine-tuning: epochs in which the new last layer alone is trained (a quarter of them)",
    kind: "number",
    expected: "a whole number from 0",
    schema: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  },
  bodyRate: {
    flag: "--body-rate <factor>",
    group: "Pictures",
    help: "of a fine-tuning: times the rate of all that is not the last layer (0.1)",
    kind: "number",
    expected: "a number above 0 and at most 1",
    schema: v.pipe(v.number(), v.gtValue(0), v.maxValue(1)),
  },
  dataDir: {
    flag: "--data-dir <folder>",
    group: "Data and output",
    help: "the folder with a known data set's four idx files",
    kind: "text",
    expected: "a folder",
    schema: text,
  },
  tensorboard: {
    flag: "--tensorboard <folder>",
    group: "Data and output",
    help: "write events for TensorBoard while it trains, in a folder of the run's name in this one",
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

/**
 * Hyperparameters of all update rules but the first, which is `--lr`, and transforms; the rules' table says what each takes. One
 * that has the name of another setting (lion's mode) is given with the optimizer as JSON.
 */
const HYPERS: Readonly<Record<string, Setting>> = (() => {
  const specs = RULES.flatMap((rule) =>
    Object.entries(rule.hypers).filter(
      ([name, { type }]) => name !== rateOf(rule) && type !== "transform" && !Object.hasOwn(BASE, name),
    ),
  );
  const names = [...new Set(specs.map(([name]) => name))];
  const specsOf = (name: string): HyperSpec[] => specs.flatMap(([other, spec]) => (other === name ? [spec] : []));
  return Object.fromEntries(names.map((name) => [name, hyperSetting(name, specsOf(name))]));
})();

/** Rules differ in what they allow under one name; the rule itself checks the range. */
function hyperSetting(name: string, specs: readonly HyperSpec[]): Setting {
  const [first] = specs as [HyperSpec, ...HyperSpec[]];
  const flag = `--${kebab(name)}`;
  const common = { group: "Model and optimizer", help: first.text } as const;
  const all = <T extends HyperSpec["type"]>(type: T): boolean => specs.every((spec) => spec.type === type);
  if (all("flag")) return { ...common, flag, kind: "switch", expected: "true or false", schema: v.boolean() };
  if (all("choice")) {
    const choices = [...new Set(specs.flatMap((spec) => (spec.type === "choice" ? spec.choices : [])))];
    return {
      ...common,
      flag: `${flag} <name>`,
      kind: "text",
      expected: choices.join(" or "),
      schema: v.picklist(choices),
    };
  }
  if (all("parameters"))
    return {
      ...common,
      flag: `${flag} <parameters>`,
      kind: "text",
      expected: 'names such as "bias, norm"',
      schema: text,
    };
  const range = first.type === "number" ? describeRange(first) : "a number";
  const scheduled = specs.some((spec) => spec.type === "number" && !spec.fixed);
  const expected = scheduled ? `${range}, or a schedule` : range;
  return { ...common, flag: `${flag} <n>`, kind: "scalar", expected, schema: scalar(text) };
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
  const known =
    setting === SETTINGS.optimizer ? RULES.map(({ name }) => name) : setting === SETTINGS.model ? MODELS : [];
  const near = typeof value === "string" ? suggest(value, known) : "";
  throw new OptionError(`${where}: got ${JSON.stringify(value)}; expected ${setting.expected}.${near}`, where);
}

const isNumber = (text: string): boolean => text.trim() !== "" && !Number.isNaN(Number(text));

/** The value of a flag from its text. Throws OptionError naming the flag. */
export function parseFlag(name: string, given: string | boolean): Value {
  const setting = SETTINGS[name] as Setting;
  const where = setting.flag.split(" ")[0] as string;
  if (setting.kind === "list") return check(setting, [given], where);
  if (setting.kind === "scalar" && typeof given === "string" && !isNumber(given)) {
    if (/^(?:[a-z(]|1\/t)/i.test(given.trim())) return check(setting, given, where);
    throw new OptionError(`${where}: got "${given}"; expected ${setting.expected}.`, where);
  }
  if (setting.kind !== "number" && setting.kind !== "scalar") return check(setting, given, where);
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
  // What a run's record says beside its settings.
  const said = ["backend", "backendNotes", "environment", "parent", "changes"];
  const out: Record<string, Value> = {};
  for (const [key, value] of Object.entries(json)) {
    const setting = Object.hasOwn(SETTINGS, key) ? SETTINGS[key] : undefined;
    const asText = key === "optimizer" && typeof value === "object" && value !== null;
    if (setting !== undefined) out[key] = check(setting, asText ? JSON.stringify(value) : value, `${file}: ${key}`);
    else if (said.includes(key)) continue;
    else if (key !== "data")
      throw new OptionError(
        `${file}: got the unknown key ${JSON.stringify(key.length <= 60 ? key : `${key.slice(0, 57)}...`)}; expected one of ${known.join(", ")}.${suggest(key, known)}`,
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
  const wanted = plain(word);
  const limit = Math.max(1, Math.floor(word.length / 3));
  const near = known
    // Each letter more or less is a step at least: a long word is compared with none.
    .filter((name) => Math.abs(plain(name).length - wanted.length) <= limit)
    .map((name) => [name, distance(wanted, plain(name))] as const)
    .sort((a, b) => a[1] - b[1])[0];
  return near !== undefined && near[1] <= limit ? ` Did you mean ${near[0]}?` : "";
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  let next = row.slice();
  for (let i = 1; i <= a.length; i++) {
    next[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min((next[j - 1] as number) + 1, (row[j] as number) + 1, replaced);
    }
    [row, next] = [next, row];
  }
  return row[b.length] as number;
}
