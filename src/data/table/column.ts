import { OptionError } from "../../core/errors.ts";
import type { DateOrder } from "./cells.ts";

/** A column of a table, all rows of it. What is missing is NaN, or the code -1. */
export type Column =
  | { readonly kind: "number"; readonly name: string; readonly integer: boolean; readonly values: Float64Array }
  /** 0 and 1, for the two of `levels`. */
  | {
      readonly kind: "boolean";
      readonly name: string;
      readonly levels: readonly [no: string, yes: string];
      readonly values: Float64Array;
    }
  | {
      readonly kind: "category";
      readonly name: string;
      readonly levels: readonly string[];
      readonly codes: Int32Array;
    }
  /** Milliseconds since 1970 in UTC. */
  | { readonly kind: "date"; readonly name: string; readonly order: DateOrder; readonly values: Float64Array };

/** Named columns of one length, and what was left out of them. */
export type Table = {
  readonly name: string;
  readonly rows: number;
  /** Rows of the file before these. */
  readonly rowsBefore?: number;
  readonly columns: readonly Column[];
  readonly dropped: readonly Dropped[];
  /** What else there is to say of how it was read. */
  readonly notes: readonly string[];
};

export type Dropped = { readonly name: string; readonly reason: string };

/** What a column may be said to be. Dates are ISO 8601 unless an order is said. */
export const COLUMN_KINDS = ["number", "category", "boolean", "date", "date d/m/y", "date m/d/y", "ignore"] as const;

export type ColumnKind = (typeof COLUMN_KINDS)[number];

/** What columns are, by name; others are what their values say. */
export type ColumnKinds = Readonly<Record<string, ColumnKind>>;

/**
 * What columns are from a text, as `--columns` has it. Throws OptionError.
 *
 * @example
 * parseColumns("age: number, zip: category, id: ignore") // -> { age: "number", zip: "category", id: "ignore" }
 */
export function parseColumns(text: string): ColumnKinds {
  const entries = text
    .split(",")
    .filter((each) => each.trim() !== "")
    .map((each): [string, ColumnKind] => {
      const cut = each.lastIndexOf(":");
      const name = each.slice(0, cut).trim();
      const said = each.slice(cut + 1).trim();
      const kind = COLUMN_KINDS.find((known) => known === (said === "integer" ? "number" : said));
      if (cut < 0 || name === "" || kind === undefined)
        throw new OptionError(
          `columns: got ${JSON.stringify(each.trim())}; expected a column, a colon and one of ${COLUMN_KINDS.join(", ")}, such as "age: number, id: ignore".`,
          "columns",
        );
      return [name, kind];
    });
  return Object.fromEntries(entries);
}
