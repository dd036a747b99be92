import { joinBytes } from "../core/bytes.ts";
import { DataError, OptionError } from "../core/errors.ts";
import { bpeFromConfig } from "./tokenizer-bpe.ts";
import type { Tokenizer, TokenizerConfig } from "./tokenizer-config.ts";

export type { BpeConfig, Tokenizer, TokenizerConfig } from "./tokenizer-config.ts";

const BYTES: readonly Uint8Array[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));

/**
 * One token for each byte of the text in UTF-8: 256 of them, for any text and any file.
 *
 * @example
 * byteTokenizer().encode("hé") // -> Int32Array [104, 195, 169]
 */
export function byteTokenizer(): Tokenizer {
  return {
    kind: "byte",
    vocabSize: 256,
    config: { kind: "byte" },
    encode: (text) => Int32Array.from(typeof text === "string" ? new TextEncoder().encode(text) : text),
    bytesOf: (token) => BYTES[checkToken(token, 256)] as Uint8Array,
  };
}

/**
 * One token for each of these characters (code points), in this order.
 *
 * `encode` throws DataError for a character that is not among them.
 */
export function characterTokenizer(characters: string): Tokenizer {
  const list = [...characters];
  const ids = new Map(list.map((character, id) => [character, id]));
  if (list.length === 0 || ids.size !== list.length)
    throw new OptionError(
      `characterTokenizer: got ${list.length} characters, ${ids.size} of them different; expected at least one, each once.`,
      "characters",
    );
  const encoder = new TextEncoder();
  const bytes = list.map((character) => encoder.encode(character));
  return {
    kind: "character",
    vocabSize: list.length,
    config: { kind: "character", characters },
    encode(text) {
      const points = [...(typeof text === "string" ? text : textOf(text))];
      return Int32Array.from(points, (point, at) => {
        const id = ids.get(point);
        if (id !== undefined) return id;
        throw new DataError(
          `encode: got ${JSON.stringify(point)} at character ${at}; expected one of the ${list.length} characters that were trained on.`,
          "text",
        );
      });
    },
    bytesOf: (token) => bytes[checkToken(token, list.length)] as Uint8Array,
  };
}

/** The characters of a text, each once, by code point: for `characterTokenizer`. */
export function charactersOf(text: string): string {
  return [...new Set(text)].sort((a, b) => (a.codePointAt(0) as number) - (b.codePointAt(0) as number)).join("");
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DataError(
      "encode: got bytes that are not UTF-8; expected text for a tokenizer of characters. Hint: tokenizers of bytes and bpe take any bytes.",
      "text",
    );
  }
}

/** A tokenizer from its `config`. Throws OptionError where it is none. */
export function tokenizerFromConfig(config: TokenizerConfig): Tokenizer {
  const { kind } = config;
  if (kind === "byte") return byteTokenizer();
  if (kind === "character" && typeof config.characters === "string") return characterTokenizer(config.characters);
  if (kind === "bpe" && Array.isArray(config.merges)) return bpeFromConfig(config);
  throw new OptionError(
    `tokenizer: got ${JSON.stringify(config).slice(0, 60)}; expected the config of a byte, character or bpe tokenizer.`,
    "tokenizer",
  );
}

/** The bytes that tokens stand for. */
export function decodeBytes(tokenizer: Pick<Tokenizer, "bytesOf">, tokens: Iterable<number>): Uint8Array<ArrayBuffer> {
  return joinBytes(Array.from(tokens, (token) => tokenizer.bytesOf(token)));
}

/** The text that tokens stand for; bytes that are no UTF-8 become U+FFFD. */
export function decodeText(tokenizer: Pick<Tokenizer, "bytesOf">, tokens: Iterable<number>): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(decodeBytes(tokenizer, tokens));
}

/** Text from tokens as they come: holds back the bytes of a character until it is whole. */
export class TextStream {
  private readonly tokenizer: Pick<Tokenizer, "bytesOf">;
  private held: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(tokenizer: Pick<Tokenizer, "bytesOf">) {
    this.tokenizer = tokenizer;
  }

  /** What can be said after one more token: maybe nothing yet. */
  push(token: number): string {
    const bytes = decodeBytes({ bytesOf: (t) => (t < 0 ? this.held : this.tokenizer.bytesOf(t)) }, [-1, token]);
    const whole = bytes.length - unfinished(bytes);
    this.held = bytes.slice(whole);
    return decoded(bytes.subarray(0, whole));
  }

  /** What was held back, as U+FFFD. */
  end(): string {
    const rest = decoded(this.held);
    this.held = new Uint8Array(0);
    return rest;
  }
}

const decoded = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

/** How many bytes at the end begin a character that may still become whole. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return byte <= 0xf4 && back < length ? back : 0;
    }
  }
  return 0;
}

function checkToken(token: number, vocabSize: number): number {
  if (Number.isInteger(token) && token >= 0 && token < vocabSize) return token;
  throw new DataError(`decode: got token ${token}; expected 0 to ${vocabSize - 1}.`, "tokens");
}
