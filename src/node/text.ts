import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { joinBytes } from "../core/bytes.ts";
import { DataError } from "../core/errors.ts";
import { type Tokenizer, tokenizerFromConfig } from "../data/tokenizer.ts";
import { isMissing, reasonOf } from "./file-store.ts";
import { isArrayFile } from "./tables/arrays.ts";

const NAME = /\.(txt|text|md)$/i;

/**
 * The bytes of a text file, or of all `.txt`, `.text` and `.md` files in a folder and those inside of it, in the order of their names
 * with an empty line between them; links are not followed. They need not be UTF-8, but a zero byte is in no text.
 *
 * Throws DataError naming a file that is missing, empty, or no text, and a folder without any.
 */
export function readText(path: string): Uint8Array {
  return isFolder(path) ? readTexts(path) : readOne(path);
}

const byName = (a: Dirent, b: Dirent): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const isHidden = ({ name }: Dirent): boolean => name.startsWith(".");
const isText = (entry: Dirent): boolean => entry.isFile() && !isHidden(entry) && NAME.test(entry.name);

function readTexts(folder: string): Uint8Array {
  const files: string[] = [];
  const walk = (inside: string): void => {
    for (const entry of entriesOf(inside)) {
      const path = join(inside, entry.name);
      if (entry.isDirectory() && !isHidden(entry)) walk(path);
      else if (isText(entry) && statSync(path).size > 0) files.push(path);
    }
  };
  walk(folder);
  if (files.length === 0)
    throw new DataError(
      `text: ${folder} has no texts; expected files ending in .txt, .text or .md that are not empty.`,
      folder,
    );
  return joinBytes(
    files.flatMap((file, i) => {
      const bytes = readOne(file);
      if (i === files.length - 1) return [bytes];
      return [bytes, bytes.at(-1) === NEWLINE ? Uint8Array.of(NEWLINE) : Uint8Array.of(NEWLINE, NEWLINE)];
    }),
  );
}

const NEWLINE = 10;

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort(byName);
  } catch (error) {
    throw new DataError(`text: cannot read ${folder}: ${reasonOf(error)}.`, folder);
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Whether a data argument is a folder of texts: no folders inside, which would be classes of pictures. */
export function isTextFolder(data: string): boolean {
  if (!isFolder(data)) return false;
  const entries = entriesOf(data).filter((entry) => !isHidden(entry));
  return entries.some(isText) && !entries.some((entry) => entry.isDirectory());
}

function readOne(path: string): Uint8Array {
  const bytes = read(path, "text");
  if (bytes.length === 0) throw new DataError(`text: ${path} is empty; expected a text.`, path);
  const zero = bytes.indexOf(0);
  if (zero >= 0)
    throw new DataError(
      `text: ${path} has a zero byte at ${zero}; expected a text, in UTF-8 or another encoding of bytes.${isUtf16(bytes) ? " Hint: it is UTF-16; convert it: iconv -f utf-16 -t utf-8." : ""}`,
      path,
    );
  return bytes;
}

/**
 * Whether a data argument is an existing file, a folder of texts, or named as a text would be. Data sets are known by name, are
 * other folders, or NumPy's files.
 */
export function isTextFile(data: string): boolean {
  if (isArrayFile(data)) return false;
  try {
    return statSync(data).isFile() || isTextFolder(data);
  } catch {
    return NAME.test(data);
  }
}

const isUtf16 = ([a, b]: Uint8Array): boolean => (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);

function read(path: string, what: string): Uint8Array {
  try {
    if (!statSync(path).isFile()) throw new DataError(`${what}: ${path} is a folder; expected a file.`, path);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof DataError) throw error;
    if (isMissing(error)) throw new DataError(`${what}: there is no file ${path}.`, path);
    throw new DataError(`${what}: cannot read ${path}: ${reasonOf(error)}.`, path);
  }
}

/**
 * GPT-2's tokenizer, or one of its form, from a folder with `vocab.json` and `merges.txt`.
 *
 * Errors: DataError naming a file that is missing or damaged; OptionError where the two do not fit together.
 *
 * @example
 * readBpe("./gpt2").encode("Hello world") // -> Int32Array [15496, 995]
 */
export function readBpe(folder: string): Tokenizer {
  const vocabFile = join(folder, "vocab.json");
  const decode = (file: string): string => new TextDecoder().decode(read(file, "tokenizer"));
  let vocab: unknown;
  try {
    vocab = JSON.parse(decode(vocabFile));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new DataError(`tokenizer: ${vocabFile} is no JSON: ${error.message}.`, vocabFile);
  }
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab))
    throw new DataError(`tokenizer: ${vocabFile} has no object; expected tokens with their numbers.`, vocabFile);
  const lines = decode(join(folder, "merges.txt")).split(/\r?\n/);
  const merges = lines.filter((line, i) => line !== "" && !(i === 0 && line.startsWith("#version")));
  return tokenizerFromConfig({ kind: "bpe", merges, vocab: vocab as Readonly<Record<string, number>> });
}
