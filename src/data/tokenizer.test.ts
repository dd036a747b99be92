import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { piecesOf } from "./pieces.ts";
import {
  byteTokenizer,
  charactersOf,
  characterTokenizer,
  decodeBytes,
  decodeText,
  TextStream,
  type Tokenizer,
  tokenizerFromConfig,
} from "./tokenizer.ts";
import { trainBpe } from "./tokenizer-training.ts";

type Golden = {
  readonly cases: readonly {
    readonly name: string;
    readonly text: string;
    readonly vocabSize: number;
    readonly merges: readonly string[];
    readonly encoded: readonly { readonly text: string; readonly ids: readonly number[] }[];
  }[];
};
const golden = JSON.parse(readFileSync(new URL("../../golden/text/bpe.json", import.meta.url), "utf8")) as Golden;

describe.each(golden.cases)("bpe against Hugging Face's tokenizers: $name", ({ text, vocabSize, merges, encoded }) => {
  const tokenizer = trainBpe(text, { vocabSize });
  test("learns the same merges", () => {
    expect(tokenizer.config).toEqual({ kind: "bpe", merges });
  });
  test.each(encoded)("encodes $text", ({ text: given, ids }) => {
    expect([...tokenizer.encode(given)]).toEqual(ids);
  });
});

const book = (golden.cases.at(-1)?.text ?? "").repeat(2);
const tokenizers: readonly (readonly [string, Tokenizer])[] = [
  ["byte", byteTokenizer()],
  ["bpe", trainBpe(book, { vocabSize: 320 })],
];

describe.each(tokenizers)("%s", (_, tokenizer) => {
  test("gives any bytes back", () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect([...decodeBytes(tokenizer, tokenizer.encode(bytes))]).toEqual([...bytes]);
      }),
    );
  });
  test("gives any text back, and tokenizes its bytes alike", () => {
    void fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const tokens = tokenizer.encode(text);
        expect(decodeText(tokenizer, tokens)).toBe(text);
        expect(tokenizer.encode(new TextEncoder().encode(text))).toEqual(tokens);
        const again = tokenizerFromConfig(JSON.parse(JSON.stringify(tokenizer.config)));
        expect(again.encode(text)).toEqual(tokens);
      }),
    );
  });
  test("streams what it decodes whole", () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const stream = new TextStream(tokenizer);
        const tokens = tokenizer.encode(bytes);
        const streamed = Array.from(tokens, (token) => stream.push(token)).join("") + stream.end();
        expect(streamed).toBe(decodeText(tokenizer, tokens));
      }),
    );
  });
});

test("merges of short and of long words are the published procedure's", () => {
  const tokenizer = trainBpe("abba abab baab abbaab ababab aabb bbaa".repeat(3), { vocabSize: 275, minFrequency: 1 });
  const merges = tokenizer.config.kind === "bpe" ? tokenizer.config.merges.map((merge) => merge.split(" ")) : [];
  expect(merges.length).toBeGreaterThan(12);
  // Sennrich et al.: of all pairs in the word the one that was learned first, everywhere, until none is left.
  const published = (word: string): string[] => {
    let symbols = [...word];
    for (;;) {
      const pairs = new Set(symbols.slice(1).map((right, i) => `${symbols[i]} ${right}`));
      const merge = merges.find(([left, right]) => pairs.has(`${left} ${right}`));
      if (merge === undefined) return symbols;
      const [left, right] = merge;
      const next: string[] = [];
      for (let i = 0; i < symbols.length; i++)
        if (symbols[i] === left && symbols[i + 1] === right) next.push(`${left}${symbols[++i]}`);
        else next.push(symbols[i] as string);
      symbols = next;
    }
  };
  void fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 130 }), (word) => {
      const tokens = tokenizer.encode(word);
      expect(Array.from(tokens, (token) => decodeText(tokenizer, [token]))).toEqual(published(word));
    }),
    { numRuns: 300 },
  );
});

test("pieces are the text, cut where GPT-2 cuts", () => {
  expect([...piecesOf("I'm  here\n\n 12ab!?")]).toEqual(["I", "'m", " ", " here", "\n\n", " 12", "ab", "!?"]);
  void fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect([...piecesOf(text)].join("")).toBe(text);
    }),
  );
});

test("a stream holds back half a character", () => {
  const stream = new TextStream(byteTokenizer());
  expect([0xf0, 0x9f, 0x99, 0x82, 0x41].map((byte) => stream.push(byte))).toEqual(["", "", "", "🙂", "A"]);
  expect(stream.push(0xe2)).toBe("");
  expect(stream.end()).toBe("\ufffd");
});

test("characters: their own tokens, and an error that names a strange one", () => {
  const tokenizer = characterTokenizer(charactersOf("banana 🙂"));
  expect(tokenizer.vocabSize).toBe(5);
  expect([...tokenizer.encode("nab🙂")]).toEqual([3, 1, 2, 4]);
  expect(decodeText(tokenizer, [3, 1, 2, 4])).toBe("nab🙂");
  expect(() => tokenizer.encode("bax")).toThrow('encode: got "x" at character 2');
  expect(() => tokenizer.encode(Uint8Array.of(255))).toThrow("not UTF-8");
});

test("GPT-2's files: ids from the vocabulary, and its token of its own decodes", () => {
  const { config } = trainBpe("low lower lowest low", { vocabSize: 259 });
  if (config.kind !== "bpe") throw new Error("no bpe");
  const plain = tokenizerFromConfig(config);
  const letters = Array.from({ length: plain.vocabSize }, (_, id) => id).reverse();
  const made = plain.config.kind === "bpe" ? plain.config.merges.map((merge) => merge.replace(" ", "")) : [];
  const { BYTES } = { BYTES: trainBpe("", { vocabSize: 256 }) };
  const names = letters.map((id) =>
    id < 256 ? lettersOfByte(BYTES.bytesOf(id)[0] as number) : (made[id - 256] as string),
  );
  const vocab = { ...Object.fromEntries(names.map((name, i) => [name, i])), "<|endoftext|>": names.length };
  const loaded = tokenizerFromConfig({ kind: "bpe", merges: config.merges, vocab });
  expect(loaded.vocabSize).toBe(plain.vocabSize + 1);
  expect([...loaded.encode("lower low")]).toEqual([...plain.encode("lower low")].map((id) => plain.vocabSize - 1 - id));
  expect(decodeText(loaded, [names.length])).toBe("<|endoftext|>");
  expect(() => loaded.bytesOf(names.length + 1)).toThrow("decode: got token");
});

/** The table of bytes_to_unicode, written out the other way round. */
function lettersOfByte(byte: number): string {
  if ((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174) return String.fromCharCode(byte);
  const hidden = [...Array(33).keys(), ...Array.from({ length: 34 }, (_, i) => 127 + i), 173];
  return String.fromCharCode(256 + hidden.indexOf(byte));
}

test("what does not fit is refused", () => {
  expect(() => trainBpe("x", { vocabSize: 100 })).toThrow("got vocabSize 100; expected a whole number from 256");
  expect(() => tokenizerFromConfig({ kind: "bpe", merges: ["a"] })).toThrow('got the merge "a"');
  expect(() => tokenizerFromConfig({ kind: "bpe", merges: ["zq x"] })).toThrow('expected "zq" in the vocabulary');
  expect(() => tokenizerFromConfig({ kind: "word" } as never)).toThrow("expected the config of a byte");
  expect(() => byteTokenizer().bytesOf(256)).toThrow("decode: got token 256; expected 0 to 255");
});
