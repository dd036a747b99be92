/** Text that is HTML already. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Piece = Markup | string | number | undefined | false | readonly Piece[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escapeHtml(text: string): string {
  // Control characters are no HTML, but for tab and line ends.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
  return text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] as string).replaceAll(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, "�");
}

/** HTML from a template: whatever is put in is escaped, but for `Markup`. Attributes stand in double quotes. */
export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  return new Markup(strings.map((text, i) => text + written(pieces[i])).join(""));
}

function written(piece: Piece): string {
  if (piece === undefined || piece === false) return "";
  if (piece instanceof Markup) return piece.text;
  return typeof piece === "object" ? piece.map(written).join("") : escapeHtml(String(piece));
}
