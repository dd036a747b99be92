import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../built.ts";

/** Paths of this repository in backticks. A part in angle brackets is the reader's to choose: what stands before it must exist. */
function pathsIn(markdown: string): string[] {
  const spans = [...markdown.matchAll(/`([^`\s]+)`/g)].map(([, text = ""]) => text);
  return spans
    .filter((text) => /^(src|test|scripts|docs|bench|golden|site|\.ci)\//.test(text))
    .map((text) => text.replace(/[^/]*<.*$/, ""));
}

test("CONTRIBUTING.md names files that exist", () => {
  const paths = pathsIn(readFileSync(join(root, "CONTRIBUTING.md"), "utf8"));
  expect(paths).toContain("test/arch/layers.ts");
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("paths are told from other code", () => {
  expect(pathsIn("`src/a.ts`, `npm test`, `src/b/<name>.ts`, `node:fs`, `import`, `src/<x>/y.ts`")).toEqual([
    "src/a.ts",
    "src/b/",
    "src/",
  ]);
});
