/** Text of a model as a terminal may show it: pure functions of text. */

/** What moves the cursor, hides or reorders text: controls but the line feed, line and paragraph separators, formats. */
const UNSAFE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Cn}\p{Co}]/gu;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Tabs as spaces, and a middle dot for each character that is no plain text. */
export function printable(text: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll("\t", "  ").replaceAll(UNSAFE, "·");
}

/** Columns that a character takes. */
function columnsOf(character: string): number {
  if (/\p{M}/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Lines of at most `columns`, broken at spaces where there are any, each after `indent`. */
export function wrapText(text: string, columns: number, indent: string): string[] {
  const room = Math.max(1, columns - indent.length);
  const lines: string[] = [];
  for (const paragraph of printable(text).split("\n")) {
    let line: string[] = [];
    let width = 0;
    for (const character of paragraph) {
      const own = columnsOf(character);
      if (width + own > room) {
        const space = line.lastIndexOf(" ");
        const kept = space > 0 ? line.slice(space + 1) : [];
        lines.push((space > 0 ? line.slice(0, space) : line).join(""));
        line = kept;
        width = kept.reduce((sum, c) => sum + columnsOf(c), 0);
        if (width === 0 && character === " ") continue;
      }
      line.push(character);
      width += own;
    }
    lines.push(line.join(""));
  }
  return lines.map((line) => (indent + line).trimEnd());
}
