/** What a tokenizer is made of, as JSON. */
export type TokenizerConfig =
  | { readonly kind: "byte" }
  | { readonly kind: "character"; readonly characters: string }
  | BpeConfig;

export type BpeConfig = {
  readonly kind: "bpe";
  /** Merges in the order of their ranks as merges.txt writes them: `"Ġ t"`, bytes as GPT-2's letters. */
  readonly merges: readonly string[];
  /** Tokens by their letters. Default: the 256 bytes in GPT-2's order, then what each merge makes. */
  readonly vocab?: Readonly<Record<string, number>>;
};

/** Text to whole numbers and back. Plain data beneath: `config` is JSON, and `tokenizerFromConfig` takes it. */
export type Tokenizer = {
  readonly kind: TokenizerConfig["kind"];
  /** Tokens are 0 to vocabSize - 1. */
  readonly vocabSize: number;
  readonly config: TokenizerConfig;
  /** Tokens of a text, or of the bytes of one in UTF-8. */
  encode(text: string | Uint8Array): Int32Array;
  /** The bytes that a token stands for. */
  bytesOf(token: number): Uint8Array;
};
