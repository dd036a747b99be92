import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import ts from "typescript";

/** File path, relative to the root and with forward slashes, to what it imports, as written. */
export type Imports = ReadonlyMap<string, readonly string[]>;

/** Every module that `source` names: import, export from, `import()`, and `import("...")` in a type. */
export function importsOf(source: string, file = "file.ts"): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined;
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) found.push(specifier.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.ES2023));
  return found;
}

/** The imports of every TypeScript file under `root/folder`, tests and declarations left out. */
export function readImports(root: string, folder: string): Imports {
  const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && /(?<!\.d|\.test)\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return new Map(
    files.map((file) => [
      file.slice(root.length).split(sep).filter(Boolean).join("/"),
      importsOf(readFileSync(file, "utf8"), file),
    ]),
  );
}

/** The file that a relative import names; undefined for packages and `node:` modules. */
export function target(file: string, specifier: string): string | undefined {
  return specifier.startsWith(".")
    ? normalize(join(dirname(file), specifier))
        .split(sep)
        .join("/")
    : undefined;
}

/** One closed path of imports, its first file repeated at the end, or undefined when there is none. */
export function findCycle(imports: Imports): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    const start = path.indexOf(file);
    if (start >= 0) return [...path.slice(start), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const specifier of imports.get(file) ?? []) {
      const next = target(file, specifier);
      const cycle = next === undefined ? undefined : visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
