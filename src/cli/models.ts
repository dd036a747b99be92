import { models } from "../nn/models/table.ts";
import { formatCount } from "./format.ts";
import type { Screen } from "./screen.ts";

/** `downhill models`: what `--model` takes, in a line each. */
export function listModels(screen: Screen): void {
  const rows = [
    ["model", "parameters", "made for", "parameters' names as in"],
    ...models.map(({ name, parameters, input: [channels, side], names }) => [
      name,
      formatCount(parameters),
      `${channels}x${side}x${side}`,
      names,
    ]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  rows.forEach((row, i) => {
    const cells = row.map((cell, column) =>
      column === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
    const line = cells.join("  ").trimEnd();
    screen.line(i === 0 ? screen.bold(line) : line);
  });
  screen.line();
  screen.line("Counts are for those sizes; classes and channels are the data's own.");
  screen.line("gpt is for texts: downhill train book.txt");
}
