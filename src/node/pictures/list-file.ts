import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";
import { DataError } from "../../core/errors.ts";
import { decodeCsv } from "../../io/csv.ts";
import { reasonOf } from "../file-store.ts";
import { classesOf, type FoundPicture, type FoundPictures, type Part } from "./find.ts";

const PATH_NAMES = ["path", "file", "filename", "file_name", "image", "picture"];
const LABEL_NAMES = ["label", "class", "category", "target"];
const PART_NAMES = ["split", "part", "set", "subset"];
const PARTS: Readonly<Record<string, Part>> = {
  train: "train",
  training: "train",
  val: "validation",
  valid: "validation",
  validation: "validation",
  dev: "validation",
  test: "test",
};

export const isPictureList = (columns: readonly string[]): boolean =>
  find(columns, PATH_NAMES) !== undefined && find(columns, LABEL_NAMES) !== undefined;

const find = (columns: readonly string[], names: readonly string[]): string | undefined =>
  names
    .map((name) => columns.find((column) => column.trim().toLowerCase() === name))
    .find((column) => column !== undefined);

/**
 * Pictures by a list: CSV with a line of names, or JSON lines (`.jsonl`), with a column of paths (`path`, `file`, `image` …),
 * one of labels (`label`, `class` …) and, if you like, one that says train, validation or test (`split`). Paths are relative
 * to the list's folder.
 *
 * Throws DataError naming the line that is wrong. Files that are not there are found when they are read.
 */
export async function readPictureList(file: string): Promise<FoundPictures> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new DataError(`pictures: cannot read ${file}: ${reasonOf(error)}.`, file);
  });
  const rows = /\.(jsonl|ndjson)$/i.test(file) ? jsonRows(text, file) : csvRows(text, file);
  const columns = Object.keys(rows[0]?.fields ?? {});
  const [path, label, part] = [PATH_NAMES, LABEL_NAMES, PART_NAMES].map((names) => find(columns, names));
  if (path === undefined || label === undefined)
    throw new DataError(
      `pictures: ${file} has the columns ${columns.join(", ") || "of nothing"}; expected one of paths (${PATH_NAMES.join(", ")}) and one of labels (${LABEL_NAMES.join(", ")}).`,
      file,
    );
  const pictures = rows.map(({ line, fields }): FoundPicture => {
    const fail = (what: string): never => {
      throw new DataError(`pictures: ${file}, line ${line} ${what}`, `${file}, line ${line}`);
    };
    const name = String(fields[path] ?? "");
    const own = String(fields[label] ?? "").normalize("NFC");
    if (name === "") fail("has no path.");
    if (own === "") fail(`has no label for ${name}.`);
    const said = part === undefined ? "" : String(fields[part] ?? "").toLowerCase();
    if (said !== "" && PARTS[said] === undefined)
      fail(`has ${JSON.stringify(fields[part as string])} for ${part}; expected train, validation or test.`);
    return {
      path: isAbsolute(name) ? name : resolve(dirname(file), name),
      name: name.replaceAll("\\", "/").normalize("NFC"),
      label: own,
      part: PARTS[said],
    };
  });
  const unsaid = pictures.find((picture) => picture.part === undefined);
  const saidOnce = pictures.find((picture) => picture.part !== undefined);
  if (unsaid !== undefined && saidOnce !== undefined)
    throw new DataError(
      `pictures: ${file} says the part of ${saidOnce.name}, but not of ${unsaid.name}; expected it of all or of none.`,
      file,
    );
  return { pictures, classes: classesOf(pictures, file), skipped: [] };
}

type Row = { readonly line: number; readonly fields: Readonly<Record<string, unknown>> };

function csvRows(text: string, file: string): Row[] {
  const { columns, rows } = decodeCsv(text, file);
  return rows.map((row, i) => ({ line: i + 2, fields: Object.fromEntries(columns.map((name, c) => [name, row[c]])) }));
}

function jsonRows(text: string, file: string): Row[] {
  return text.split(/\r?\n/).flatMap((each, i) => {
    if (each.trim() === "") return [];
    const line = i + 1;
    let value: unknown;
    try {
      value = JSON.parse(each);
    } catch (error) {
      throw new DataError(
        `pictures: ${file}, line ${line} is no JSON: ${(error as Error).message}.`,
        `${file}, line ${line}`,
      );
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new DataError(`pictures: ${file}, line ${line} is no object.`, `${file}, line ${line}`);
    return [{ line, fields: value as Readonly<Record<string, unknown>> }];
  });
}
