import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keyOf, uniformAt } from "../../src/core/prng.ts";
import { requireBuilt } from "../built.ts";
import { downhill, type Outcome } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-text-"));

const pick = (words: readonly string[], i: number): string =>
  words[Math.floor(uniformAt(keyOf(3), i) * words.length)] as string;

/** Sentences of one form, so that much of each can be foretold. */
const book = Array.from({ length: 400 }, (_, i) => {
  const who = pick(["cat", "dog", "bird", "fish"], 3 * i);
  const did = pick(["sat on", "ran to", "looked at"], 3 * i + 1);
  const what = pick(["mat", "tree", "café"], 3 * i + 2);
  return `The ${who} ${did} the ${what}.\n`;
}).join("");

const SMALL = "--layers 1 --heads 2 --width 32 --block 32 --batch-size 8 --epochs 12 --lr 0.01".split(" ");

const train = (file: string, out: string, ...flags: string[]): Promise<Outcome> =>
  downhill(folder, "train", file, ...SMALL, "--out", out, ...flags);
const runIn = (out: string): string => {
  const [only = ""] = readdirSync(join(folder, out));
  return `${out}/${only}`;
};

beforeAll(() => {
  requireBuilt();
  writeFileSync(join(folder, "book.txt"), book);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(["byte", "bpe", "character"])("a text with the tokenizer %s", (tokenizer) => {
  let outcome: Outcome;
  const out = `runs-${tokenizer}`;
  beforeAll(async () => {
    const vocab = tokenizer === "bpe" ? ["--vocab", "280"] : [];
    outcome = await train(
      "book.txt",
      out,
      "--tokenizer",
      tokenizer,
      ...vocab,
      "--sample",
      "The cat",
      "--sample-every",
      "40",
    );
  }, 120_000);

  test("learns far more than how often each token comes, and says so", () => {
    expect(outcome.stderr).toBe("");
    expect(outcome.code).toBe(0);
    const alone = Number(/alone, the loss would be ([\d.]+)/.exec(outcome.stdout)?.[1]);
    const [, loss, bits, perplexity] =
      /Validation loss ([\d.]+) \(([\d.]+) bits a byte, perplexity ([\d.]+)\)/.exec(outcome.stdout)?.map(Number) ?? [];
    expect(loss).toBeGreaterThan(0);
    expect(loss).toBeLessThan(alone / 3);
    expect(Math.abs((perplexity ?? 0) - Math.exp(loss ?? 0))).toBeLessThan(2e-3);
    // Each sentence chooses one of 4, 3 and 3: 5.17 bits in about 24 bytes.
    expect(bits).toBeGreaterThan(0.15);
    expect(bits).toBeLessThan(1);
  });

  test("shows samples of at most 80 columns while it learns", () => {
    const samples = [...outcome.stdout.matchAll(/^--- update (\d+), loss [\d.]+\n((?: {2}.*\n|\n)+)/gm)];
    expect(samples.length).toBeGreaterThanOrEqual(3);
    expect(samples[0]?.[1]).toBe("40");
    for (const [, , text = ""] of samples) {
      expect(text).toMatch(/^ {2}The cat/);
      for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    }
    expect(samples.at(-1)?.[2]).toMatch(/The (cat|dog|bird|fish) (sat on|ran to|looked at) the (mat|tree|caf)/);
  });

  test("goes on from a prompt: the same seed gives the same text", async () => {
    const flags = ["--prompt", "The dog", "--tokens", "90", "--temperature", "0.5"];
    const once = await downhill(folder, "generate", runIn(out), ...flags, "--seed", "3");
    const twice = await downhill(folder, "generate", runIn(out), ...flags, "--seed", "3");
    const other = await downhill(folder, "generate", runIn(out), ...flags, "--seed", "4");
    expect(once.stderr).toBe("");
    expect(once.stdout).toMatch(/^The dog (sat on|ran to|looked at) the (mat|tree|café)\.\nThe /);
    expect(twice.stdout).toBe(once.stdout);
    expect(other.stdout).not.toBe(once.stdout);
  });

  test("evaluate finds the loss that training ended with", async () => {
    const evaluated = await downhill(folder, "evaluate", runIn(out));
    expect(evaluated.stderr).toBe("");
    const final = /Validation loss (.*)\n/.exec(outcome.stdout)?.[1] ?? "none";
    expect(evaluated.stdout).toContain(`loss ${final} on `);
    expect(evaluated.stdout).toContain("the held-out end of book.txt");
  });
});

test("evaluate reads another text, and what was trained with nothing held out", async () => {
  writeFileSync(join(folder, "other.txt"), "The tree sat on the dog.\n".repeat(40));
  const other = await downhill(folder, "evaluate", runIn("runs-byte"), "other.txt");
  expect(other.stdout).toMatch(/^loss [\d.]+ \([\d.]+ bits a byte, perplexity [\d.]+\) on 1,000 tokens, other\.txt\n$/);
  const known = await downhill(folder, "evaluate", runIn("runs-byte"));
  const lossOf = (text: string): number => Number(/^loss ([\d.]+)/.exec(text)?.[1]);
  expect(lossOf(other.stdout)).toBeGreaterThan(2 * lossOf(known.stdout));

  const whole = await train("book.txt", "whole", "--validation", "0", "--epochs", "1");
  expect(whole.stdout).not.toContain("Validation loss");
  const evaluated = await downhill(folder, "evaluate", runIn("whole"));
  expect(evaluated.stdout).toMatch(/tokens, book\.txt\n$/);
}, 60_000);

test("a run's config.json repeats it bit for bit", async () => {
  const again = await downhill(folder, "train", "--config", `${runIn("runs-bpe")}/config.json`, "--out", "again");
  expect(again.stderr).toBe("");
  const bytes = (run: string): Buffer => readFileSync(join(folder, run, "model.safetensors"));
  expect(bytes(runIn("again")).equals(bytes(runIn("runs-bpe")))).toBe(true);
}, 60_000);

test("a text of bytes that are no UTF-8 trains too, and is shown as plain text", async () => {
  writeFileSync(join(folder, "odd.txt"), Buffer.from("a\xff\x1b[31m b\x9c\xe2\x80 ".repeat(300), "latin1"));
  const outcome = await train("odd.txt", "odd", "--epochs", "1");
  expect(outcome.stderr).toBe("");
  expect(outcome.code).toBe(0);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not come through
  expect(outcome.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
}, 60_000);

describe("wrong input ends with one line that names it", () => {
  const files: Readonly<Record<string, string | Uint8Array>> = {
    "empty.txt": "",
    "short.txt": "Once upon a time.",
    "binary.txt": Uint8Array.of(77, 0, 1, 2, 3),
  };
  beforeAll(() => {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  });
  test.each([
    ["empty.txt", 1, "empty.txt is empty"],
    ["short.txt", 1, "short.txt has 15 tokens for training; expected at least 33"],
    ["binary.txt", 1, "binary.txt has a zero byte at 1"],
    ["missing.txt", 1, "there is no file missing.txt"],
    ["book.txt --block 100000", 1, "expected at least 100001, a block of 100000 and the token after it"],
    ["book.txt --heads 3", 2, "--heads: got 3 heads and width 32"],
    ["book.txt --tokenizer words", 2, '--tokenizer: got "words"; expected byte, character, bpe or a folder'],
    ["book.txt --tokenizer ./nowhere", 1, "there is no file nowhere/vocab.json"],
    ["book.txt --tokenizer byte --vocab 300", 2, "--vocab: got it with the tokenizer byte"],
    ["book.txt --tokenizer bpe --vocab 100", 2, "--vocab: got 100; expected a whole number of at least 256"],
    ["book.txt --model cnn --layers 1", 2, "--model: got cnn for the file book.txt; expected gpt"],
    ["mnist --model gpt", 2, "--model: got gpt for mnist; expected a text file"],
    ["mnist --model cnn", 2, "--layers: got it with the model cnn; expected it with gpt only"],
    ["book.txt --tokenizer character --sample 日本", 1, 'got "日" at character 0'],
    ["book.txt --validation 99999", 2, "--validation: got 99999 of"],
  ])("train %s", async (args, code, text) => {
    const outcome = await train(args.split(" ")[0] as string, "wrong", ...args.split(" ").slice(1));
    expect(outcome.stderr).toContain(text);
    expect(outcome.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(outcome.code).toBe(code);
    expect(readdirSync(folder)).not.toContain("wrong");
  });
  test.each([
    [["nowhere"], 1, "cannot read nowhere"],
    [["RUN", "--temperature", "-1"], 2, '--temperature: got "-1"; expected a number from 0'],
    [["RUN", "--top-k", "0"], 2, '--top-k: got "0"'],
    [["RUN", "--prompt", ""], 1, "got an empty prompt"],
  ])("generate %j", async (args, code, text) => {
    const outcome = await downhill(
      folder,
      "generate",
      ...args.map((arg) => (arg === "RUN" ? runIn("runs-byte") : arg)),
    );
    expect(outcome.stderr).toContain(text);
    expect(outcome.stdout).toBe("");
    expect(outcome.code).toBe(code);
  });
});
