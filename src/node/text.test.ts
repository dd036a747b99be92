import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { decodeText } from "../data/tokenizer.ts";
import { lettersOf } from "../data/tokenizer-bpe.ts";
import { isPictures } from "./pictures/is-pictures.ts";
import { isTextFile, readBpe, readText } from "./text.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-text-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

test("a text's bytes, whatever its encoding", () => {
  const bytes = Uint8Array.of(0x63, 0x61, 0x66, 0xe9, 10);
  expect([...readText(file("latin.txt", bytes))]).toEqual([...bytes]);
});

test("a folder's texts are one, in the order of their names, with an empty line between them", () => {
  const texts = join(folder, "texts");
  mkdirSync(join(texts, "b"), { recursive: true });
  for (const [name, content] of Object.entries({
    "c.md": "last\n",
    "a.TXT": "first",
    "b/x.txt": "second\n",
    "empty.txt": "",
    ".hidden.txt": "no",
    "notes.pdf": "no",
  }))
    file(join("texts", name), content);
  expect(new TextDecoder().decode(readText(texts))).toBe("first\n\nsecond\n\nlast\n");
  // A folder inside of it may be a class of pictures.
  expect([isTextFile(texts), isTextFile(join(texts, "b"))]).toEqual([false, true]);
  expect([isPictures(texts), isPictures(join(texts, "b"))]).toEqual([true, false]);
  file("texts/b/y.txt", Uint8Array.of(0));
  expect(() => readText(texts)).toThrow(/y\.txt has a zero byte/);
  mkdirSync(join(folder, "none"));
  expect(() => readText(join(folder, "none"))).toThrow(/none has no texts; expected files ending in \.txt/);
});

test("what is no text is refused by name", () => {
  expect(() => readText(join(folder, "missing.txt"))).toThrow(`text: there is no file ${folder}/missing.txt`);
  expect(() => readText(file("empty.txt", ""))).toThrow("empty.txt is empty");
  expect(() => readText(file("binary", Uint8Array.of(65, 0, 66)))).toThrow(
    "binary has a zero byte at 1; expected a text",
  );
  expect(() => readText(file("wide.txt", Uint8Array.of(0xff, 0xfe, 65, 0)))).toThrow("it is UTF-16");
});

test("GPT-2's two files make its tokenizer", () => {
  // Every byte, then two merges, with a token of its own last: GPT-2's form in small.
  const bytes = Array.from({ length: 256 }, (_, byte) => lettersOf([byte]));
  const vocab = Object.fromEntries([...bytes, "Ġt", "Ġth", "<|endoftext|>"].map((token, id) => [token, id]));
  file("vocab.json", JSON.stringify(vocab));
  file("merges.txt", "#version: 0.2\nĠ t\nĠt h\n");
  const tokenizer = readBpe(folder);
  expect([...tokenizer.encode("a the")]).toEqual([97, 257, 101]);
  expect(decodeText(tokenizer, [97, 257, 101, 258])).toBe("a the<|endoftext|>");
  expect(tokenizer.vocabSize).toBe(259);
  file("merges.txt", "Ġ q\n");
  expect(() => readBpe(folder)).toThrow('expected "Ġq" in the vocabulary');
  file("vocab.json", "{");
  expect(() => readBpe(folder)).toThrow("vocab.json is no JSON");
});
