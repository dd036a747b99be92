import { type Aval, formatAval } from "../core/dtype.ts";
import { DataError, OptionError, ShapeError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { exp } from "../core/math.ts";
import { foldKey, type KeyWords, keyOf, uniformAt } from "../core/prng.ts";
import type { Tree } from "../core/tree.ts";
import { TextStream } from "../data/tokenizer.ts";
import type { Tokenizer } from "../data/tokenizer-config.ts";
import type { HostTree } from "./examples.ts";

export type SamplingOptions = {
  /** Divides the logits: below 1 surer, above 1 wilder; 0 always takes the likeliest token. Default 1. */
  readonly temperature?: number;
  /** Only the k likeliest tokens. Default: all. */
  readonly topK?: number;
  /** Only the likeliest tokens that together have this probability, after `topK`. Default 1: all. */
  readonly topP?: number;
};

export type GenerateOptions = SamplingOptions & {
  /** How many tokens to make. Default 200. */
  readonly tokens?: number;
  /** The same seed gives the same tokens. Default 0. */
  readonly seed?: number;
  /** Aborting ends the sequence. */
  readonly signal?: AbortSignal;
};

/** What generation needs of a model: a `TrainedModel` or a `Run` that takes tokens i32 [block] and gives logits f32 [block, vocabSize]. */
export type LanguageModel = {
  readonly sample: Tree<Aval>;
  outputs(inputs: HostArray): Promise<HostTree>;
};

/**
 * Tokens that go on from a prompt, one at a time: softmax(logits / temperature) of the last position, cut by `topK` and `topP`,
 * sampled by the library's own random numbers. The model's one program for a whole block is run for each token on the last
 * `block` of them; there is no cache of keys and values.
 *
 * The model has to be causal: what stands after a position must not change it. Errors: DataError for an empty prompt or a
 * token out of range, OptionError for options out of range, ShapeError where the model is not one of tokens.
 *
 * @example
 * for await (const token of generate(model, tokenizer.encode("Once"), { tokens: 50, temperature: 0.8, seed: 1 })) ...
 */
export async function* generate(
  model: LanguageModel,
  prompt: Iterable<number>,
  options: GenerateOptions = {},
): AsyncGenerator<number, void, undefined> {
  const { tokens = 200, seed = 0, signal } = options;
  checkSampling(options);
  for (const [name, value] of Object.entries({ tokens, seed }))
    if (!Number.isSafeInteger(value) || value < 0)
      throw new OptionError(`generate: got ${name} ${value}; expected a whole number from 0.`, name);
  const { sample } = model as { sample: Aval };
  if (sample.dtype !== "i32" || sample.shape?.length !== 1)
    throw new ShapeError("generate: got a model of other inputs; expected one of tokens i32[block].", "model");
  const block = sample.shape[0] as number;
  const sequence = Array.from(prompt);
  if (sequence.length === 0)
    throw new DataError("generate: got an empty prompt; expected at least one token.", "prompt");
  const key = foldKey(keyOf(seed), "generate");
  for (let i = 0; i < tokens && signal?.aborted !== true; i++) {
    const last = sequence.slice(-block);
    const inputs = new Int32Array(block);
    inputs.set(last);
    const token = sampleToken(
      logitsAt(await model.outputs(new HostArray("i32", [block], inputs)), last),
      options,
      key,
      i,
    );
    sequence.push(token);
    yield token;
  }
}

/** The logits after the last token. */
function logitsAt(output: HostTree, last: readonly number[]): ArrayLike<number> {
  if (!(output instanceof HostArray) || output.shape.length !== 2 || (output.shape[0] as number) < last.length)
    throw new ShapeError(
      `generate: got ${output instanceof HostArray ? formatAval(output.aval) : "several outputs"} from the model; expected logits f32[block,vocabSize].`,
      "model",
    );
  const vocabSize = output.shape[1] as number;
  const odd = last.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabSize));
  if (odd !== undefined) throw new DataError(`generate: got token ${odd}; expected 0 to ${vocabSize - 1}.`, "prompt");
  return output.data.subarray((last.length - 1) * vocabSize, last.length * vocabSize);
}

/** Throws OptionError where an option is out of range. */
export function checkSampling({ temperature = 1, topK, topP = 1 }: SamplingOptions): void {
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    throw new OptionError(`generate: got temperature ${temperature}; expected a number from 0.`, "temperature");
  if (topK !== undefined && !(Number.isSafeInteger(topK) && topK >= 1))
    throw new OptionError(`generate: got topK ${topK}; expected a whole number of at least 1.`, "topK");
  if (!(topP > 0 && topP <= 1))
    throw new OptionError(`generate: got topP ${topP}; expected a number above 0 and at most 1.`, "topP");
}

/** A token by its logits; draw `index` of the key. Of equal logits the first tokens are kept. */
export function sampleToken(
  logits: ArrayLike<number>,
  { temperature = 1, topK, topP = 1 }: SamplingOptions,
  key: KeyWords,
  index: number,
): number {
  const order = Array.from(logits, (_, token) => token).sort(
    (a, b) => (logits[b] as number) - (logits[a] as number) || a - b,
  );
  const [likeliest] = order as [number];
  if (temperature === 0) return likeliest;
  const kept = order.slice(0, topK);
  const largest = logits[likeliest] as number;
  const weights = kept.map((token) => exp(((logits[token] as number) - largest) / temperature));
  let total = weights.reduce((sum, weight) => sum + weight, 0);
  if (topP < 1) {
    let sum = 0;
    const enough = weights.findIndex((weight) => {
      sum += weight;
      return sum >= topP * total;
    });
    weights.length = enough + 1;
    total = weights.reduce((all, weight) => all + weight, 0);
  }
  let left = uniformAt(key, index) * total;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i] as number;
    if (left < 0) return kept[i] as number;
  }
  return kept[weights.length - 1] as number;
}

/** A language model with its tokenizer, as `fit` gives it after `textData`, and `load` gives it back. */
export type TextModel = LanguageModel & { readonly tokenizer: Tokenizer | undefined };

/**
 * Text that goes on from a prompt, in pieces as tokens come; each piece is whole characters, bytes that are none become U+FFFD.
 * The prompt itself is not repeated. Errors: as `generate`, and OptionError where the model has no tokenizer.
 *
 * @example
 * const model = await load("runs/2025-01-31-142530-book");
 * for await (const piece of generateText(model, "Once upon", { tokens: 100, seed: 1 })) process.stdout.write(piece);
 */
export async function* generateText(
  model: TextModel,
  prompt: string | Uint8Array,
  options: GenerateOptions = {},
): AsyncGenerator<string, void, undefined> {
  const { tokenizer } = model;
  if (tokenizer === undefined)
    throw new OptionError("generate: got a model without a tokenizer; expected one trained on a text.", "model");
  const stream = new TextStream(tokenizer);
  for await (const token of generate(model, tokenizer.encode(prompt), options)) {
    const piece = stream.push(token);
    if (piece !== "") yield piece;
  }
  const rest = stream.end();
  if (rest !== "") yield rest;
}
