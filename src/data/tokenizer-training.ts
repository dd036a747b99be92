import { OptionError } from "../core/errors.ts";
import { Heap } from "./heap.ts";
import { bytePieces, piecesOf } from "./pieces.ts";
import { BYTE_ORDER, bpeFromConfig, lettersOf } from "./tokenizer-bpe.ts";
import type { Tokenizer } from "./tokenizer-config.ts";

export type BpeTrainingOptions = {
  /** How many tokens: the 256 bytes and what is merged. */
  readonly vocabSize: number;
  /** A pair that is rarer is not merged. Default 2; Hugging Face's trainer: 0. */
  readonly minFrequency?: number;
};

/** Ids below 2^24, so that a pair's key is exact in a double. */
const LIMIT = 2 ** 24;

type Pair = { readonly left: number; readonly right: number; readonly count: number };

/**
 * A byte-level BPE tokenizer learned from a text: of all neighbours in the pieces of GPT-2's pattern the most frequent pair
 * becomes a token, again and again; of equally frequent pairs the one with the smaller left token, then the smaller right one.
 * The same tokens as Hugging Face's `BpeTrainer` over `ByteLevel`.
 *
 * The vocabulary stays smaller where no pair is left that is frequent enough. Errors: OptionError for a size below 256.
 *
 * @example
 * const tokenizer = trainBpe("low lower lowest", { vocabSize: 258 });
 * decodeText(tokenizer, [257]) // -> "low"
 */
export function trainBpe(text: string | Uint8Array, options: BpeTrainingOptions): Tokenizer {
  const { vocabSize, minFrequency = 2 } = options;
  if (!Number.isSafeInteger(vocabSize) || vocabSize < 256 || vocabSize > LIMIT)
    throw new OptionError(
      `trainBpe: got vocabSize ${vocabSize}; expected a whole number from 256, one for each byte.`,
      "vocabSize",
    );
  const letters: string[] = BYTE_ORDER.map((byte) => lettersOf([byte]));
  const ids = new Map(letters.map((text, id) => [text, id]));
  const merges: string[] = [];
  const words = countWords(text);
  const counts = new Map<number, number>();
  const places = new Map<number, Set<number>>();
  const change = (key: number, by: number, word: number): void => {
    counts.set(key, (counts.get(key) ?? 0) + by);
    if (by < 0) return;
    const known = places.get(key);
    if (known === undefined) places.set(key, new Set([word]));
    else known.add(word);
  };
  words.forEach(({ tokens, count }, word) => {
    for (let i = 0; i + 1 < tokens.length; i++)
      change((tokens[i] as number) * LIMIT + (tokens[i + 1] as number), count, word);
  });
  // An entry's count may have changed since it was pushed: one that fell is pushed again, one that grew has a newer entry.
  const heap = new Heap<Pair>((a, b) => b.count - a.count || a.left - b.left || a.right - b.right);
  const push = (key: number): void => {
    const count = counts.get(key) ?? 0;
    if (count >= Math.max(1, minFrequency)) heap.push({ left: Math.floor(key / LIMIT), right: key % LIMIT, count });
  };
  for (const key of counts.keys()) push(key);

  while (letters.length < vocabSize) {
    const best = heap.pop();
    if (best === undefined) break;
    const { left, right } = best;
    const key = left * LIMIT + right;
    const current = counts.get(key) ?? 0;
    if (current !== best.count) {
      if (current < best.count) push(key);
      continue;
    }
    merges.push(`${letters[left]} ${letters[right]}`);
    const joined = `${letters[left]}${letters[right]}`;
    // Two pairs may make the same bytes: "ab" "c" and "a" "bc".
    const made = ids.get(joined) ?? letters.length;
    if (made === letters.length) {
      letters.push(joined);
      ids.set(joined, made);
    }
    const grown = new Set<number>();
    for (const index of places.get(key) ?? []) {
      const word = words[index] as Word;
      word.tokens = mergeIn(word.tokens, left, right, made, (a, b, sign) => {
        const other = a * LIMIT + b;
        change(other, sign * word.count, index);
        if (sign > 0) grown.add(other);
      });
    }
    counts.delete(key);
    places.delete(key);
    for (const other of grown) push(other);
  }
  return bpeFromConfig({ kind: "bpe", merges });
}

type Word = { tokens: Int32Array; readonly count: number };

/** Each different piece with its number of occurrences. */
function countWords(text: string | Uint8Array): Word[] {
  const counts = new Map<string, number>();
  const others: Uint8Array[] = [];
  for (const piece of typeof text === "string" ? piecesOf(text) : bytePieces(text))
    if (typeof piece === "string") counts.set(piece, (counts.get(piece) ?? 0) + 1);
    else others.push(piece);
  const idOf = new Int32Array(256);
  BYTE_ORDER.forEach((byte, id) => {
    idOf[byte] = id;
  });
  const encoder = new TextEncoder();
  const tokensOf = (bytes: Uint8Array): Int32Array => Int32Array.from(bytes, (byte) => idOf[byte] as number);
  return [
    ...[...counts].map(([piece, count]) => ({ tokens: tokensOf(encoder.encode(piece)), count })),
    ...others.map((bytes) => ({ tokens: tokensOf(bytes), count: 1 })),
  ];
}

/** A word with each `left right` made one token, leftmost first; `change` hears of the neighbours that went and came. */
function mergeIn(
  tokens: Int32Array,
  left: number,
  right: number,
  made: number,
  change: (a: number, b: number, sign: 1 | -1) => void,
): Int32Array {
  let write = 0;
  for (let read = 0; read < tokens.length; read++) {
    if (tokens[read] !== left || tokens[read + 1] !== right) {
      tokens[write++] = tokens[read] as number;
      continue;
    }
    if (write > 0) {
      const before = tokens[write - 1] as number;
      change(before, left, -1);
      change(before, made, 1);
    }
    const after = tokens[read + 2];
    if (after !== undefined) {
      change(right, after, -1);
      change(made, after, 1);
    }
    tokens[write++] = made;
    read++;
  }
  return tokens.slice(0, write);
}
