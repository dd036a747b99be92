import { DataError } from "../../core/errors.ts";
import type { TableEncoding } from "./encoding.ts";

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isText);
const isMoments = ({ mean, std }: Fields): boolean =>
  Number.isFinite(mean) && Number.isFinite(std) && (std as number) > 0;

const COLUMNS: Readonly<Record<string, (column: Fields) => boolean>> = {
  number: (column) => isMoments(column) && Number.isFinite(column.fill),
  boolean: () => true,
  category: ({ levels, as }) => isTexts(levels) && (as === "one-hot" || as === "embedding"),
  date: (column) =>
    isMoments(column) && typeof column.time === "boolean" && ["iso", "d/m/y", "m/d/y"].includes(column.order as string),
};

function isColumn(value: unknown): boolean {
  if (!isRecord(value) || !isText(value.kind) || !isText(value.name) || typeof value.missing !== "boolean")
    return false;
  return Object.hasOwn(COLUMNS, value.kind) && (COLUMNS[value.kind] as (column: Fields) => boolean)(value);
}

function isTarget(value: unknown): boolean {
  if (!isRecord(value) || !isText(value.name)) return false;
  if (value.task === "regression") return isMoments(value);
  const known = ["number", "boolean", "category"].includes(value.kind as string);
  return value.task === "classification" && known && isTexts(value.classes) && value.classes.length > 0;
}

/** Checks an encoding that came from JSON. `where` names the file in errors. Throws DataError. */
export function readTableEncoding(value: unknown, where: string): TableEncoding {
  const { columns, target } = isRecord(value) ? value : {};
  const bad = Array.isArray(columns) ? columns.findIndex((column) => !isColumn(column)) : 0;
  if (!Array.isArray(columns) || columns.length === 0 || bad >= 0 || !isTarget(target))
    throw new DataError(
      `table: ${where} has a damaged ${bad >= 0 ? `column ${bad}` : "target"} in the encoding of its table.`,
      where,
    );
  return value as TableEncoding;
}
