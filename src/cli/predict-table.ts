import type { RowPrediction } from "../data/table/decode.ts";
import { encodingOf, type TableModel } from "../data/table/rows.ts";
import type { RowText } from "../data/table/text-tables.ts";
import { predictRows } from "../node/tables/rows.ts";
import { formatPercent } from "./format.ts";
import type { Screen } from "./screen.ts";
import { formatValue } from "./table-format.ts";

/** Classes that are shown beside the most probable one. */
const MAX_OTHERS = 2;

/**
 * `downhill predict` of rows: from each source, a file or text such as standard input's, a line for each row, or a line of JSON:
 * `{"file","row","label","probability","probabilities"}`, or `{"file","row","value"}`. Rows count from 1 in each file.
 */
export async function predictTable(
  screen: Pick<Screen, "line">,
  model: TableModel,
  sources: readonly (string | RowText)[],
  { json }: { readonly json: boolean },
): Promise<void> {
  const { target } = encodingOf(model);
  const classes = target.task === "classification" ? target.classes : [];
  for (const source of sources) {
    const file = typeof source === "string" ? source : (source.name ?? "rows");
    for (const [i, found] of (await predictRows(model, source)).entries()) {
      if (json) screen.line(JSON.stringify({ file, row: i + 1, ...asJson(found, classes) }));
      else screen.line(`${file}, row ${i + 1}: ${asText(found, classes, target.name)}`);
    }
  }
}

function asJson(found: RowPrediction, classes: readonly string[]): object {
  if ("value" in found) return found;
  const { probabilities } = found;
  return { ...found, probabilities: Object.fromEntries(classes.map((name, i) => [name, probabilities[i]])) };
}

function asText(found: RowPrediction, classes: readonly string[], target: string): string {
  if ("value" in found) return `${target} ${formatValue(found.value)}`;
  const others = classes
    .map((name, i) => [name, found.probabilities[i] ?? 0] as const)
    .filter(([name]) => name !== found.label)
    .sort((a, b) => b[1] - a[1])
    .slice(0, MAX_OTHERS)
    .map(([name, probability]) => `${name} ${formatPercent(probability)}`);
  return `${found.label} ${formatPercent(found.probability)} (${others.join(", ")})`;
}
