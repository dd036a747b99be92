/**
 * TypeScript blocks of Markdown pages. The convention (CONTRIBUTING.md, "Documentation"):
 *
 *     ```ts            checked and run
 *     ```ts no-run     checked only
 *
 * and in a block that runs, `// -> text` after a statement, or alone on a line, is one line of output. A block with at least
 * one of them must print exactly these lines; `...` in the text stands for anything.
 */
export type Block = {
  readonly page: string;
  /** Line of the block's first statement, from 1. */
  readonly line: number;
  readonly source: string;
  readonly run: boolean;
};

export function blocksOf(page: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const fence = /^\s*(`{3,}|~{3,})\s*(\S*)\s*(.*?)\s*$/.exec(lines[at] ?? "");
    if (fence === null) continue;
    const [, marks = "", language = "", words = ""] = fence;
    const closes = (text: string): boolean => text.startsWith(marks) && text === marks.charAt(0).repeat(text.length);
    const end = lines.findIndex((text, index) => index > at && closes(text.trim()));
    if (end < 0) throw new Error(`${page}:${at + 1}: the code block is not closed`);
    if (language === "ts" || language === "typescript") {
      if (words !== "" && words !== "no-run") {
        throw new Error(`${page}:${at + 1}: got "${words}" after "${language}"; expected nothing or "no-run"`);
      }
      const source = lines.slice(at + 1, end).join("\n");
      blocks.push({ page, line: at + 2, source, run: words !== "no-run" });
    }
    at = end;
  }
  return blocks;
}

/** The lines that a block says it prints. */
export function expectedOutput(source: string): string[] {
  return [...source.matchAll(/^.*?\/\/ -> ?(.*)$/gm)].map(([, text = ""]) => text.trimEnd());
}

/** Whether `line` is `expected`, in which each `...` stands for any text. */
export function matches(expected: string, line: string): boolean {
  const pattern = expected.split("...").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`).test(line.trimEnd());
}
