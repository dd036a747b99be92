import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { root } from "../built.ts";

export type Factory = { readonly call: string; readonly text: string };

const isExported = (node: ts.HasModifiers): boolean =>
  ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;

function sources(folder: string): ts.SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .sort()
    .map((name) => {
      const path = join(root, folder, name);
      return ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
    });
}

/** Names of the members of option types, through intersections and the types they are made of. */
class OptionNames {
  private readonly aliases = new Map<string, ts.TypeNode>();

  constructor(files: readonly ts.SourceFile[]) {
    for (const file of files)
      for (const node of file.statements)
        if (ts.isTypeAliasDeclaration(node)) this.aliases.set(node.name.text, node.type);
  }

  of(type: ts.TypeNode | undefined): readonly string[] {
    if (!type) return [];
    if (ts.isTypeLiteralNode(type))
      return type.members.flatMap((member) => (member.name && ts.isIdentifier(member.name) ? [member.name.text] : []));
    if (ts.isIntersectionTypeNode(type)) return [...new Set(type.types.flatMap((each) => this.of(each)))];
    if (!ts.isTypeReferenceNode(type)) return [];
    const name = type.typeName.getText();
    const [first, keys] = type.typeArguments ?? [];
    if (name === "Omit" || name === "Pick") {
      const chosen = new Set(keys?.getText().match(/\w+/g) ?? []);
      return this.of(first).filter((each) => chosen.has(each) === (name === "Pick"));
    }
    return this.of(this.aliases.get(name));
  }
}

/**
 * Exported functions that give what is of type `gives`, by name: how they are called, and the first paragraph of what their
 * documentation says.
 */
export function factories(
  folders: readonly string[],
  gives: string,
  isOne: (name: string) => boolean = () => true,
): ReadonlyMap<string, Factory> {
  const files = folders.flatMap(sources);
  const options = new OptionNames(files);
  const found = new Map<string, Factory>();
  for (const file of files)
    for (const node of file.statements) {
      if (!ts.isFunctionDeclaration(node) || !node.name || !isExported(node)) continue;
      // Functions of tensors bear the same names as layers.
      if (!isOne(node.name.text) || !node.type?.getText().startsWith(gives)) continue;
      const parameters = node.parameters.map((parameter) => {
        const names = options.of(parameter.type);
        if (names.length > 0) return `{ ${names.join(", ")} }`;
        return `${parameter.dotDotDotToken ? "..." : ""}${parameter.name.getText()}`;
      });
      const [doc] = ts.getJSDocCommentsAndTags(node);
      const comment = doc && ts.isJSDoc(doc) ? (ts.getTextOfJSDocComment(doc.comment) ?? "") : "";
      const text = (comment.split(/\n\s*\n/)[0] ?? "").replace(/\s*\n\s*/g, " ");
      const call = `${node.name.text}(${parameters.join(", ")})`;
      // Of overloads, the documentation of the first and the form with the most options.
      const known = found.get(node.name.text);
      found.set(node.name.text, {
        call: known && known.call.length >= call.length ? known.call : call,
        text: known?.text || text,
      });
    }
  return found;
}
