import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../built.ts";
import { cellFor, cellsOf } from "./derivatives.ts";
import { namesIn, tables, withTables } from "./tables.ts";

const pages = readdirSync(join(root, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ name, text: readFileSync(join(root, "docs", name), "utf8") }))
  .filter(({ text }) => namesIn(text).length > 0);

describe("generated tables", () => {
  const named = pages.map(({ name, text }): [string, string] => [name, text]);
  test.each(named)("docs/%s says what the code says (`npm run docs` rewrites it)", async (name, text) => {
    await expect(await withTables(name, text)).toMatchFileSnapshot(join(root, "docs", name));
  });

  test("each has a place on one page", () => {
    expect(pages.flatMap(({ text }) => namesIn(text)).sort()).toEqual(Object.keys(tables).sort());
  });
});

describe("a page", () => {
  const page = "before\n<!-- generated: a -->\nold\n<!-- /generated -->\nafter\n";

  test("gets what stands between the marks anew, and keeps the rest", async () => {
    const filled = await withTables("page.md", page, { a: () => "new" });
    expect(filled).toBe("before\n<!-- generated: a -->\n\nnew\n\n<!-- /generated -->\nafter\n");
    expect(await withTables("page.md", filled, { a: () => "new" })).toBe(filled);
  });

  test("shows a table what stands in its place", async () => {
    const filled = await withTables("page.md", page, { a: (current) => `${current.trim()} and more` });
    expect(filled).toBe("before\n<!-- generated: a -->\n\nold and more\n\n<!-- /generated -->\nafter\n");
  });

  test("that names an unknown table is refused", async () => {
    await expect(withTables("page.md", page, { b: () => "" })).rejects.toThrow(
      'page.md: there is no table "a"; there are b',
    );
  });
});

describe("a measured error", () => {
  const table = (cell: string): string => `| primitive | wasm |\n|---|---|\n| \`tanh\` | ${cell} |\n`;

  test("is read from the page by row and column", () => {
    expect(cellsOf(table("1e-6, 1e-5")).get("`tanh`")?.get("wasm")).toBe("1e-6, 1e-5");
  });

  test("is printed as a power of ten above it, and not below one rounding", () => {
    expect(cellFor({ first: 2.2e-6, second: 9e-6 }, 1e-7, undefined)).toBe("1e-5, 1e-4");
    expect(cellFor({ first: 3e-8, second: 0 }, 1e-7, undefined)).toBe("1e-7, 1e-7");
  });

  test("changes the page where it is larger than what stands there, or far smaller", () => {
    expect(cellFor({ first: 2e-6, second: 2e-6 }, 1e-7, "1e-6, 1e-5")).toBe("1e-5, 1e-5");
    expect(cellFor({ first: 9.9e-6, second: 2e-8 }, 1e-7, "1e-5, 1e-5")).toBe("1e-5, 1e-7");
  });
});
