import { DataError, OptionError } from "../core/errors.ts";
import { Heap } from "./heap.ts";
import { bytePieces, piecesOf } from "./pieces.ts";
import type { BpeConfig, Tokenizer } from "./tokenizer-config.ts";

/** Bytes in the order of GPT-2's first 256 tokens: those that print, then the others. */
export const BYTE_ORDER: readonly number[] = (() => {
  const printed = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174,
  );
  const shown = new Set(printed);
  return [...printed, ...Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !shown.has(byte))];
})();

/** The letter that stands for each byte in vocab.json and merges.txt: itself, or one from U+0100 on. */
const LETTERS: readonly string[] = (() => {
  const letters = new Array<string>(256);
  BYTE_ORDER.forEach((byte, id) => {
    letters[byte] = String.fromCodePoint(id < 188 ? byte : 256 + id - 188);
  });
  return letters;
})();
const BYTE_OF: ReadonlyMap<string, number> = new Map(LETTERS.map((letter, byte) => [letter, byte]));

/** Bytes as vocab.json writes them. */
export const lettersOf = (bytes: Iterable<number>): string =>
  Array.from(bytes, (byte) => LETTERS[byte] as string).join("");

function bytesFrom(letters: string): Uint8Array | undefined {
  const bytes = [...letters].map((letter) => BYTE_OF.get(letter));
  return bytes.includes(undefined) ? undefined : Uint8Array.from(bytes as number[]);
}

type Merge = { readonly rank: number; readonly made: number };

/** Pieces longer than this go through the heap: the plain search is quadratic. */
const SHORT = 48;
/** Pieces whose tokens are remembered. */
const MAX_KNOWN = 100_000;

/** More than this many tokens would not fit the keys of pairs into a double's whole numbers. */
const MAX_VOCAB = 2 ** 24;
const pairKey = (a: number, b: number): number => a * MAX_VOCAB + b;

/**
 * Byte-level byte pair encoding as GPT-2's: a text is cut into pieces, a piece into bytes, and the pair of the lowest rank is
 * merged, leftmost first, until none is left. Any bytes come back exactly.
 *
 * Errors: OptionError naming a merge that is damaged or whose tokens are not in the vocabulary.
 * Source: Sennrich et al. (2016); Radford et al. (2019).
 */
export function bpeFromConfig(config: BpeConfig): Tokenizer {
  const fail = (text: string): never => {
    throw new OptionError(`bpe: ${text}`, "tokenizer");
  };
  const ids = new Map<string, number>();
  if (config.vocab === undefined) for (const byte of BYTE_ORDER) ids.set(LETTERS[byte] as string, ids.size);
  else
    for (const [letters, id] of Object.entries(config.vocab)) {
      if (!Number.isInteger(id) || id < 0 || id >= MAX_VOCAB) fail(`got ${JSON.stringify(letters)} as token ${id}.`);
      ids.set(letters, id);
    }
  const merges = new Map<number, Merge>();
  config.merges.forEach((text, rank) => {
    const [left = "", right = "", ...more] = String(text).split(" ");
    if (left === "" || right === "" || more.length > 0)
      fail(`got the merge ${JSON.stringify(text)}; expected two tokens and a space between.`);
    if (config.vocab === undefined && !ids.has(left + right)) ids.set(left + right, ids.size);
    const [a, b, made] = [left, right, left + right].map((letters) => {
      const id = ids.get(letters);
      return (
        id ?? fail(`got the merge ${JSON.stringify(text)}; expected ${JSON.stringify(letters)} in the vocabulary.`)
      );
    }) as [number, number, number];
    merges.set(pairKey(a, b), { rank, made });
  });

  const bytes: (Uint8Array | undefined)[] = [];
  const encoder = new TextEncoder();
  // A token with letters that stand for no byte is one of its own, such as <|endoftext|>; it is never merged to.
  for (const [letters, id] of ids) bytes[id] = bytesFrom(letters) ?? encoder.encode(letters);
  const vocabSize = bytes.length;
  const first = LETTERS.map(
    (letter) => ids.get(letter) ?? fail(`got no token for the byte ${BYTE_OF.get(letter)}; expected all 256.`),
  );

  const known = new Map<string, Int32Array>();
  const tokensOf = (piece: Uint8Array): Int32Array => {
    const tokens = new Int32Array(piece.length);
    for (let i = 0; i < piece.length; i++) tokens[i] = first[piece[i] as number] as number;
    return tokens.length <= SHORT ? mergeShort(tokens, merges) : mergeLong(tokens, merges);
  };
  const ofPiece = (piece: string | Uint8Array): Int32Array => {
    if (typeof piece !== "string") return tokensOf(piece);
    const found = known.get(piece);
    if (found !== undefined) return found;
    const tokens = tokensOf(encoder.encode(piece));
    if (known.size < MAX_KNOWN && piece.length <= SHORT) known.set(piece, tokens);
    return tokens;
  };
  return {
    kind: "bpe",
    vocabSize,
    config,
    encode(text) {
      let out = new Int32Array(1024);
      let length = 0;
      for (const piece of typeof text === "string" ? piecesOf(text) : bytePieces(text)) {
        const tokens = ofPiece(piece);
        if (length + tokens.length > out.length) {
          const grown = new Int32Array(2 * (length + tokens.length));
          grown.set(out.subarray(0, length));
          out = grown;
        }
        out.set(tokens, length);
        length += tokens.length;
      }
      return out.slice(0, length);
    },
    bytesOf(token) {
      const found = bytes[token];
      if (found !== undefined) return found;
      throw new DataError(`decode: got token ${token}; expected one of the ${ids.size} below ${vocabSize}.`, "tokens");
    },
  };
}

function mergeShort(tokens: Int32Array, merges: ReadonlyMap<number, Merge>): Int32Array {
  let { length } = tokens;
  for (;;) {
    let best: Merge | undefined;
    let at = -1;
    for (let i = 0; i + 1 < length; i++) {
      const merge = merges.get(pairKey(tokens[i] as number, tokens[i + 1] as number));
      if (merge !== undefined && (best === undefined || merge.rank < best.rank)) {
        best = merge;
        at = i;
      }
    }
    if (best === undefined) return tokens.slice(0, length);
    tokens[at] = best.made;
    tokens.copyWithin(at + 1, at + 2, length);
    length--;
  }
}

/** The same in n log n: tokens are a linked list, and the next merge comes from a heap of rank * length + place. */
function mergeLong(tokens: Int32Array, merges: ReadonlyMap<number, Merge>): Int32Array {
  const { length } = tokens;
  const next = new Int32Array(length);
  const before = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    next[i] = i + 1;
    before[i] = i - 1;
  }
  const mergeAt = (at: number): Merge | undefined => {
    const right = next[at] as number;
    return right < length ? merges.get(pairKey(tokens[at] as number, tokens[right] as number)) : undefined;
  };
  const heap = new Heap<number>((a, b) => a - b);
  const look = (at: number): void => {
    const merge = mergeAt(at);
    if (merge !== undefined) heap.push(merge.rank * length + at);
  };
  for (let i = 0; i < length; i++) look(i);
  for (let first = heap.pop(); first !== undefined; first = heap.pop()) {
    const at = first % length;
    // A token that was merged away is -1; a pair that changed since has another rank, and its own entry.
    const merge = tokens[at] === -1 ? undefined : mergeAt(at);
    if (merge === undefined || merge.rank !== Math.floor(first / length)) continue;
    const right = next[at] as number;
    const after = next[right] as number;
    tokens[at] = merge.made;
    tokens[right] = -1;
    next[at] = after;
    if (after < length) before[after] = at;
    look(at);
    if ((before[at] as number) >= 0) look(before[at] as number);
  }
  return tokens.filter((token) => token !== -1);
}
