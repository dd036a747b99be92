import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findCycle, importsOf, readImports } from "./imports.ts";
import { violations } from "./layers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const imports = readImports(root, "src");

describe("the sources", () => {
  test("import downwards only", () => {
    expect(imports.has("src/core/errors.ts")).toBe(true);
    expect(violations(imports)).toEqual([]);
  });

  test("have no cycle of imports, types included", () => {
    expect(findCycle(imports)).toBeUndefined();
  });
});

describe("the checks themselves", () => {
  test("every form of import is seen, and comments and strings are not", () => {
    const source = `
      import a from "./a.ts"; import type { B } from "./b.ts"; import "./c.ts";
      export * from "./d.ts"; export type { E } from "./e.ts"; export { a };
      const f = await import("./f.ts"); type G = import("./g.ts").G;
      // import "./no.ts"
      const text = 'import x from "./no.ts"';
    `;
    expect(importsOf(source)).toEqual(["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts", "./f.ts", "./g.ts"]);
  });

  test.each([
    ["src/core/tree.ts", "../ir/program.ts", "layer 0 may only import from lower layers, and src/ir is 1"],
    ["src/nn/linear.ts", "../optim/adam.ts", "layer 4 may only import from lower layers, and src/optim is 4"],
    ["src/train/fit.ts", "node:fs", "common code names no node: module"],
    ["src/ir/print.ts", "commander", "no package may be imported here"],
    ["src/extra/file.ts", "../core/tree.ts", "src/extra has no layer"],
    ["src/ir/print.ts", "./gone.ts", "there is no src/ir/gone.ts"],
  ])("%s importing %s is refused", (file, specifier, reason) => {
    const known = ["src/core/tree.ts", "src/ir/program.ts", "src/optim/adam.ts"];
    const graph = new Map<string, string[]>([
      ...known.map((name): [string, string[]] => [name, []]),
      [file, [specifier]],
    ]);
    const faults = violations(graph);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(reason);
  });

  test.each([
    ["src/ir/print.ts", "../core/tree.ts"],
    ["src/core/shape.ts", "./tree.ts"],
    ["src/cli/main.ts", "commander"],
    ["src/index.node.ts", "./index.ts"],
    ["src/node/files.ts", "node:fs"],
  ])("%s importing %s is allowed", (file, specifier) => {
    const graph = new Map<string, string[]>([
      ["src/core/tree.ts", []],
      ["src/index.ts", []],
      [file, [specifier]],
    ]);
    expect(violations(graph)).toEqual([]);
  });

  test("a cycle is returned as its path", () => {
    const graph = new Map([
      ["src/a/x.ts", ["./y.ts"]],
      ["src/a/y.ts", ["node:fs", "./z.ts"]],
      ["src/a/z.ts", ["./y.ts"]],
    ]);
    expect(findCycle(graph)).toEqual(["src/a/y.ts", "src/a/z.ts", "src/a/y.ts"]);
    expect(findCycle(new Map([["src/a/x.ts", ["./y.ts"]]]))).toBeUndefined();
  });
});
