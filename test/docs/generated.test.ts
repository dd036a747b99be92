import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../built.ts";
import { namesIn, tables, withTables } from "./tables.ts";

const pages = readdirSync(join(root, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ name, text: readFileSync(join(root, "docs", name), "utf8") }))
  .filter(({ text }) => namesIn(text).length > 0);

describe("generated tables", () => {
  const named = pages.map(({ name, text }): [string, string] => [name, text]);
  test.each(named)("docs/%s says what the code says (`npm run docs` rewrites it)", async (name, text) => {
    await expect(withTables(name, text)).toMatchFileSnapshot(join(root, "docs", name));
  });

  test("each has a place on one page", () => {
    expect(pages.flatMap(({ text }) => namesIn(text)).sort()).toEqual(Object.keys(tables).sort());
  });
});

describe("a page", () => {
  const page = "before\n<!-- generated: a -->\nold\n<!-- /generated -->\nafter\n";

  test("gets what stands between the marks anew, and keeps the rest", () => {
    const filled = withTables("page.md", page, { a: () => "new" });
    expect(filled).toBe("before\n<!-- generated: a -->\n\nnew\n\n<!-- /generated -->\nafter\n");
    expect(withTables("page.md", filled, { a: () => "new" })).toBe(filled);
  });

  test("that names an unknown table is refused", () => {
    expect(() => withTables("page.md", page, { b: () => "" })).toThrow('page.md: there is no table "a"; there are b');
  });
});
