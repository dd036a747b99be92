import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireBuilt, root } from "../built.ts";
import { type Block, blocksOf, expectedOutput, matches } from "./blocks.ts";

const pages = ["README.md", ...markdownUnder("docs")];
const blocks = pages.flatMap((page) => blocksOf(page, readFileSync(join(root, page), "utf8")));
const named = blocks.map((block): [string, Block] => [`${block.page}:${block.line}`, block]);

function markdownUnder(folder: string): string[] {
  try {
    return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

describe("TypeScript in the documentation", () => {
  test("is there to be checked", () => {
    expect(blocks.map(({ page }) => page)).toContain("README.md");
  });

  const diagnostics = typeErrors(blocks);
  test.each(named)("%s has no type error", (name) => {
    expect(diagnostics.get(name) ?? []).toEqual([]);
  });

  // Inside the package, so that `downhill` is the built package itself, found through its own exports.
  const parent = join(root, "test/docs/.run");
  let folder = "";
  beforeAll(() => {
    requireBuilt();
    mkdirSync(parent, { recursive: true });
    folder = mkdtempSync(join(parent, "run-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(named.filter(([, { run }]) => run))("%s runs and prints what it says", async (name, block) => {
    const file = join(folder, `${name.replace(/\W+/g, "-")}.mjs`);
    const { outputText } = ts.transpileModule(block.source, {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    });
    writeFileSync(file, outputText);
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder, timeout: 50_000 });
    const expected = expectedOutput(block.source);
    if (expected.length === 0) return;
    const lines = stdout.trimEnd().split("\n");
    // Where a line fits its pattern the pattern stands in for it, so that a difference shows only what does not fit.
    expect(lines.map((line, index) => (matches(expected[index] ?? "", line) ? expected[index] : line))).toEqual(
      expected,
    );
  });
});

/** Type errors of each block against the sources, by `page:line` of the block, each with its own line on the page. */
function typeErrors(all: readonly Block[]): Map<string, string[]> {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const sources = new Map(all.map((block, index) => [join(root, "test/docs", `block-${index}.ts`), block]));
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => sources.has(file) || fileExists.call(host, file);
  host.getSourceFile = (file, ...rest) => {
    const block = sources.get(file);
    return block === undefined
      ? getSourceFile.call(host, file, ...rest)
      : ts.createSourceFile(file, block.source, {
          languageVersion: ts.ScriptTarget.ES2023,
          impliedNodeFormat: ts.ModuleKind.ESNext,
        });
  };
  const program = ts.createProgram(
    [...sources.keys()],
    {
      ...options,
      noUnusedLocals: false,
      noUnusedParameters: false,
      paths: {
        downhill: [join(root, "src/index.ts")],
        "downhill/node": [join(root, "src/index.node.ts")],
        "downhill/web": [join(root, "src/index.web.ts")],
        "downhill/testing": [join(root, "src/testing/index.ts")],
      },
    },
    host,
  );
  const found = new Map<string, string[]>();
  for (const [file, block] of sources) {
    const source = program.getSourceFile(file);
    const name = `${block.page}:${block.line}`;
    const errors = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    found.set(
      name,
      errors.map(({ messageText, start = 0 }) => {
        const line = block.line + (source?.getLineAndCharacterOfPosition(start).line ?? 0);
        return `${relative(root, join(root, block.page))}:${line}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
      }),
    );
  }
  return found;
}
