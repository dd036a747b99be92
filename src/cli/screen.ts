import type { WriteStream } from "node:tty";

/** Where a command writes: lines, and on a terminal one line at the bottom that is drawn again and again. */
export class Screen {
  readonly isTerminal: boolean;
  private readonly stream: NodeJS.WriteStream | WriteStream;
  private readonly color: boolean;
  private live = "";

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.stream = stream;
    this.isTerminal = stream.isTTY === true && process.env.TERM !== "dumb";
    // https://no-color.org: any value but the empty one.
    this.color = this.isTerminal && !process.env.NO_COLOR;
  }

  get columns(): number {
    return this.stream.columns || 80;
  }

  line(text = ""): void {
    this.stream.write(`${this.clear()}${text}\n${this.live}`);
  }

  /** Draws the bottom line; nothing when this is no terminal. */
  draw(text: string): void {
    if (!this.isTerminal || text === this.live) return;
    this.stream.write(this.clear() + text);
    this.live = text;
  }

  /** Removes the bottom line. */
  erase(): void {
    if (this.live !== "") this.stream.write(this.clear());
    this.live = "";
  }

  bold(text: string): string {
    return this.color ? `\x1b[1m${text}\x1b[22m` : text;
  }

  dim(text: string): string {
    return this.color ? `\x1b[2m${text}\x1b[22m` : text;
  }

  private clear(): string {
    return this.live === "" ? "" : "\r\x1b[2K";
  }
}
