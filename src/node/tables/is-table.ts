import { closeSync, openSync, readSync } from "node:fs";
import { isPictureList } from "../pictures/list-file.ts";
import { inputsShape } from "./array-shape.ts";
import { isArrayFile } from "./arrays.ts";
import { isTableFile } from "./read-file.ts";

/** Enough for a line of names. */
const START_BYTES = 65_536;

/** Whether a data argument is a table: by its name, unless it is a list of pictures, or arrays of them. */
export function isTable(data: string): boolean {
  if (isArrayFile(data)) return !isPictureArrays(data);
  return isTableFile(data) && !isPictureList(namesOf(data));
}

/** Whether a data argument is a file of NumPy's with pictures: samples of two or three axes. */
export function isPictureArrays(data: string): boolean {
  if (!isArrayFile(data)) return false;
  const rank = inputsShape(data)?.length;
  return rank === 3 || rank === 4;
}

/** Whether a data argument is a file that lists paths of pictures and labels. */
export function isPictureListFile(data: string): boolean {
  return isTableFile(data) && isPictureList(namesOf(data));
}

function namesOf(file: string): readonly string[] {
  if (!/\.(csv|tsv|jsonl|ndjson)$/i.test(file)) return [];
  const [line = ""] = startOf(file).split("\n");
  if (!/\.(jsonl|ndjson)$/i.test(file))
    return line.split(/[,;\t]/).map((name) => name.replace(/^\uFEFF?"?|"?\r?$/g, ""));
  try {
    return Object.keys(JSON.parse(line) as object);
  } catch {
    return [];
  }
}

/** Empty for a file that cannot be read: who reads it says why. */
function startOf(file: string): string {
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch {
    return "";
  }
  try {
    const bytes = new Uint8Array(START_BYTES);
    return new TextDecoder().decode(bytes.subarray(0, readSync(handle, bytes)));
  } catch {
    return "";
  } finally {
    closeSync(handle);
  }
}
