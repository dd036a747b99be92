import { DataError, OptionError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { foldKey, keyOf, permutation, uniformAt } from "../core/prng.ts";
import { checkSeed } from "./split.ts";
import type { Tokenizer } from "./tokenizer-config.ts";

export type TextOptions = {
  /** Tokens in a window: at most the model's block size. */
  readonly block: number;
  /** Held out at the end of the text: a share. Default 0.1; 0 for none. */
  readonly validation?: number;
  /**
   * "windows": an epoch is the text cut into windows, from a place that changes each epoch, so that each token is a target at
   * most once (all but fewer than two windows are). "random": as many windows as that, from anywhere, as nanoGPT. Default "windows".
   */
  readonly sampling?: "windows" | "random";
  /** Stands in errors and in the run's config. Default "text". */
  readonly name?: string;
};

/** Where the windows of each epoch begin in the tokens. */
export type Windows = {
  readonly tokens: HostArray;
  /** Always as many as there are inputs. */
  starts(seed: number, epoch: number): Int32Array;
};

/** Windows of a text: targets are the inputs one token later. Both are views of the same tokens, never copies. */
export type TextExamples = {
  readonly name: string;
  /** i32 [N, block]: the windows side by side. */
  readonly inputs: HostArray;
  readonly targets: HostArray;
  readonly windows: Windows;
  readonly tokenizer: Tokenizer;
};

export type TextData = {
  readonly train: TextExamples;
  /** Where something was held out. */
  readonly validation: TextExamples | undefined;
};

/**
 * Training and validation windows from tokens of a text, for `fit`: i32 [N, block] and, as targets, the same one token
 * later. The validation part is the text's end, so that no window of it was seen.
 *
 * Errors: DataError where a part is shorter than one window and its last target; OptionError for options out of range.
 *
 * @example
 * const tokenizer = byteTokenizer();
 * const { train, validation } = textData(tokenizer, tokenizer.encode(book), { block: 64 });
 */
export function textData(tokenizer: Tokenizer, tokens: Int32Array, options: TextOptions): TextData {
  const { block, validation = 0.1, sampling = "windows", name = "text" } = options;
  if (!Number.isSafeInteger(block) || block < 1)
    throw new OptionError(`textData: got block ${block}; expected a whole number of at least 1.`, "block");
  if (!(validation >= 0 && validation < 1))
    throw new OptionError(`textData: got validation ${validation}; expected a share from 0 and below 1.`, "validation");
  const odd = tokens.findIndex((token) => token < 0 || token >= tokenizer.vocabSize);
  if (odd >= 0)
    throw new DataError(
      `textData: ${name} has token ${tokens[odd]} at ${odd}; expected 0 to ${tokenizer.vocabSize - 1}.`,
      name,
    );
  const cut = tokens.length - Math.round(validation * tokens.length);
  const part = (of: string, list: Int32Array): TextExamples => {
    if (list.length <= block)
      throw new DataError(
        `textData: ${name} has ${list.length} tokens for ${of}; expected at least ${block + 1}, a block of ${block} and the token after it. Hint: a smaller block${validation > 0 ? ", another share for validation" : ""} or a longer text.`,
        name,
      );
    const count = of === "training" ? windowCount(list.length, block) : Math.floor((list.length - 1) / block);
    const view = (from: number): HostArray =>
      new HostArray("i32", [count, block], list.subarray(from, from + count * block));
    const windows = {
      tokens: new HostArray("i32", [list.length], list),
      starts: startsOf(list.length, block, sampling),
    };
    return { name, inputs: view(0), targets: view(1), windows, tokenizer };
  };
  return {
    train: part("training", tokens.subarray(0, cut)),
    validation: cut === tokens.length ? undefined : part("validation", tokens.subarray(cut)),
  };
}

/** Whole windows that fit wherever the first begins, but at least one. */
function windowCount(length: number, block: number): number {
  return Math.max(1, Math.floor((length - block) / block));
}

function startsOf(length: number, block: number, sampling: "windows" | "random"): Windows["starts"] {
  const count = windowCount(length, block);
  return (seed, epoch) => {
    const key = foldKey(foldKey(keyOf(checkSeed("textData", seed)), "windows"), epoch);
    if (sampling === "random")
      return Int32Array.from({ length: count }, (_, i) => Math.floor(uniformAt(key, i) * (length - block)));
    const spare = Math.min(block, length - count * block);
    const offset = Math.floor(uniformAt(foldKey(key, "offset"), 0) * spare);
    return permutation(key, count).map((window) => offset + window * block);
  };
}
