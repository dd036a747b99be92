import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireBuilt } from "../built.ts";
import { idx, writeBars } from "./bars.ts";
import { downhill } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-wrong-"));
const IMAGES = "train-images-idx3-ubyte";
const LABELS = "train-labels-idx1-ubyte";

/** A copy of the good data set, damaged. */
function damaged(name: string, damage: (data: string) => void): void {
  const data = join(folder, name);
  cpSync(join(folder, "bars"), data, { recursive: true });
  damage(data);
}

beforeAll(() => {
  requireBuilt();
  writeBars(join(folder, "bars"), { train: 60, test: 12 });
  damaged("missing", (data) => rmSync(join(data, LABELS)));
  damaged("truncated", (data) => truncateSync(join(data, IMAGES), 5000));
  damaged("mismatched", (data) => writeFileSync(join(data, LABELS), idx([59], new Uint8Array(59))));
  damaged("other-size", (data) =>
    writeFileSync(join(data, "t10k-images-idx3-ubyte"), idx([12, 8, 8], new Uint8Array(768))),
  );
  damaged("label", (data) =>
    writeFileSync(join(data, "t10k-labels-idx1-ubyte"), idx([12], new Uint8Array(12).fill(7))),
  );
  damaged("absurd", (data) => writeFileSync(join(data, IMAGES), idx([2 ** 31, 2 ** 15, 2 ** 15], new Uint8Array(100))));
  damaged("no-idx", (data) => writeFileSync(join(data, IMAGES), "hello, these are no images"));
  writeFileSync(join(folder, "file"), "");
  writeFileSync(join(folder, "unknown.json"), '{ "epochs": 1, "learningRate": 0.1 }');
  writeFileSync(join(folder, "wrong.json"), '{ "epochs": "many" }');
  writeFileSync(join(folder, "broken.json"), "{");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const USAGE = 2;
const DATA = 1;

type Row = [what: string, args: string[], code: number, message: RegExp];

/** Not even root can make a folder there. */
const unwritable: Row[] = existsSync("/proc/self")
  ? [
      [
        "an output folder that cannot be made",
        ["train", "./bars", "--out", "/proc/runs"],
        USAGE,
        /out: cannot write to \/proc\/runs/,
      ],
    ]
  : [];

test.each<Row>([
  ...unwritable,
  [
    "an augmentation that there is not",
    ["train", "./bars", "--augment", "flip, spin 3"],
    USAGE,
    /--augment: got "spin 3"; expected a list of flip, flipVertical, crop 4, .*rotate 15, .*cutmix 1\./,
  ],
  [
    "two flags that say the opposite",
    ["train", "./bars", "--reproducible", "--mode", "fast"],
    USAGE,
    /--reproducible: got it with --mode fast; expected one of the two\./,
  ],
  [
    "a BLAS with the same bits everywhere",
    ["train", "./bars", "--reproducible", "--native", "on"],
    USAGE,
    /--native: got on with --mode reproducible/,
  ],
  ["no command of that name", ["trian"], USAGE, /unknown command 'trian'/],
  ["no data", ["train"], USAGE, /train: got no data/],
  ["a name that is no data set", ["train", "bars"], USAGE, /data: got "bars".*\.\/bars/],
  ["a folder that is not there", ["train", "./nowhere"], DATA, /nowhere: no such file/],
  ["a folder without labels", ["train", "./missing"], DATA, new RegExp(`missing has no ${LABELS}`)],
  ["a truncated file", ["train", "./truncated"], DATA, new RegExp(`truncated/${IMAGES}`)],
  ["fewer labels than images", ["train", "./mismatched"], DATA, /60 inputs and 59 targets/],
  ["test images of another size", ["train", "./other-size"], DATA, /samples \[12,12\] and .*samples \[8,8\]/],
  ["a label out of range", ["train", "./label"], DATA, /label 7 at index 0; expected 0 to 2.*t10k-labels/],
  ["a file that claims absurd sizes", ["train", "./absurd"], DATA, new RegExp(`absurd/${IMAGES}`)],
  ["a file that is no idx file", ["train", "./no-idx"], DATA, new RegExp(`no-idx/${IMAGES}`)],
  [
    "a flag that is not there",
    ["train", "./bars", "--momemtum", "0.9"],
    USAGE,
    /--momemtum.*Did you mean --momentum\?/,
  ],
  [
    "an unknown transform",
    ["train", "./bars", "--before", "clipByValu 1"],
    USAGE,
    /--before: .*Did you mean clipByValue/,
  ],
  ["a transform's option", ["train", "./bars", "--before", "clipByValue max=1"], USAGE, /--before: got "max=1"/],
  [
    "a transform's value",
    ["train", "./bars", "--before", "clipByValue -1"],
    USAGE,
    /--before: got limit = -1; expected/,
  ],
  [
    "a group without options",
    ["train", "./bars", "--group", "bias"],
    USAGE,
    /--group: got "bias"; expected parameters, a/,
  ],
  ["a group's option", ["train", "./bars", "--group", "bias: momemtum=0"], USAGE, /--group: .*Did you mean momentum/],
  ["frozen parameters that are none", ["train", "./bars", "--freeze", "stem"], USAGE, /"stem", which no parameter/],
  ["a hyperparameter's schedule", ["train", "./bars", "--momentum", "cosin"], USAGE, /--momentum: .*expected one of/],
  ["a flag without its value", ["train", "./bars", "--epochs"], USAGE, /--epochs/],
  ["a number that is none", ["train", "./bars", "--lr", "fast"], USAGE, /--lr: got "fast"; expected a number above 0/],
  ["a number out of range", ["train", "./bars", "--epochs", "0"], USAGE, /--epochs: got 0; expected a whole number/],
  ["a momentum out of range", ["train", "./bars", "--momentum", "1"], USAGE, /--momentum: got 1; expected/],
  [
    "an unknown optimizer",
    ["train", "./bars", "--optimizer", "adem"],
    USAGE,
    /--optimizer: got "adem"; expected one of sgd/,
  ],
  [
    "another optimizer's flag",
    ["train", "./bars", "--beta1", "0.9"],
    USAGE,
    /--beta1: got it with the optimizer momentum/,
  ],
  ["a schedule that is none", ["train", "./bars", "--schedule", "sometimes"], USAGE, /--schedule: got "sometimes"/],
  ["all images held out", ["train", "./bars", "--validation", "60"], USAGE, /--validation: got 60 of 60/],
  [
    "a config file that is not there",
    ["train", "./bars", "--config", "no.json"],
    USAGE,
    /--config: cannot read no\.json/,
  ],
  ["a config file that is no JSON", ["train", "./bars", "--config", "broken.json"], USAGE, /broken\.json is no JSON/],
  ["an unknown key", ["train", "./bars", "--config", "unknown.json"], USAGE, /unknown\.json: .*"learningRate"/],
  ["a key of the wrong type", ["train", "./bars", "--config", "wrong.json"], USAGE, /wrong\.json: epochs: got "many"/],
  ["a file in place of the output folder", ["train", "./bars", "--out", "file"], USAGE, /out: cannot write to file/],
  ["a run that is not there", ["evaluate", "./nowhere"], DATA, /load: cannot read \.\/nowhere/],
  ["a file that is no model", ["evaluate", `bars/${LABELS}`, "./bars"], DATA, new RegExp(`bars/${LABELS}`)],
])("%s: one line, no success, nothing left", async (_, args, code, message) => {
  const before = readdirSync(folder).sort();
  const outcome = await downhill(folder, ...args);
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr).toMatch(/^downhill: [^\n]+\n$/);
  expect(outcome.code).toBe(code);
  expect(readdirSync(folder).sort()).toEqual(before);
});

test("a step that needs more memory than there is: one line with a batch that would fit, nothing left", async () => {
  const data = join(folder, "large");
  const [count, size] = [2000, 168];
  mkdirSync(data);
  for (const [name, n] of [
    ["train", count],
    ["t10k", 1],
  ] as const) {
    writeFileSync(join(data, `${name}-images-idx3-ubyte`), idx([n, size, size], new Uint8Array(n * size * size)));
    writeFileSync(join(data, `${name}-labels-idx1-ubyte`), idx([n], new Uint8Array(n)));
  }
  const before = readdirSync(folder).sort();
  const { code, stderr } = await downhill(folder, "train", "./large", "--batch-size", "1800");
  expect(stderr).toMatch(/^downhill: [^\n]*a batch of 1800; try a batch of \d+\.\n$/);
  expect(code).toBe(1);
  expect(readdirSync(folder).sort()).toEqual(before);
});

test("a loss that is not finite: one line, and the last good weights are kept", async () => {
  const { code, stdout, stderr } = await downhill(
    folder,
    "train",
    "./bars",
    "--model",
    "mlp",
    "--batch-size",
    "16",
    "--lr",
    "1e30",
    "--out",
    "blown",
  );
  expect(stderr).toMatch(/^downhill: fit: got the loss NaN at step \d+ \(epoch 1\) with rate 1e\+30; [^\n]+\n$/);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^The last good weights are in blown\/.*-bars-mlp$/m);
  const [run = ""] = readdirSync(join(folder, "blown"));
  expect(readdirSync(join(folder, "blown", run)).sort()).toEqual([
    "checkpoints",
    "config.json",
    "events.jsonl",
    "model.safetensors",
  ]);
});
