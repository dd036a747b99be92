import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { models } from "../../src/nn/models/table.ts";
import { root } from "../built.ts";

test("the page of models has the table's rows, in its order", () => {
  const page = readFileSync(join(root, "docs/models.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` \| ([\d,]+) \| ([\dx]+) \|/gm)].map((row) => row.slice(1, 4));
  expect(rows).toEqual(
    models.map(({ name, parameters, input: [channels, side] }) => [
      name,
      parameters.toLocaleString("en"),
      `${channels}x${side}x${side}`,
    ]),
  );
});
