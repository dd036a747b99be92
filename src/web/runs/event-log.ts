import { DataError } from "../../core/errors.ts";
import type { RunFiles } from "./run-files.ts";

/** A file that is longer is not written again: what is added goes to a new one. */
const SEGMENT_BYTES = 128 * 1024;
const SEGMENT = /^events-(\d{10})\.jsonl$/;

type Segment = { readonly first: number; readonly lines: readonly string[] };

export const isLogFile = (name: string): boolean => SEGMENT.test(name);
const nameOf = (first: number): string => `events-${String(first).padStart(10, "0")}.jsonl`;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * A run's events, one JSON line each, in files of a bounded size, which are replaced as a whole: a browser's files cannot be
 * appended to without being copied. A file's name says how many events come before it.
 */
export class EventLog {
  private readonly files: RunFiles;
  /** The file that is being filled. */
  private segment: Segment = { first: 0, lines: [] };
  private segmentBytes = 0;
  private waiting: string[] = [];
  private writing: Promise<void> = Promise.resolve();

  constructor(files: RunFiles) {
    this.files = files;
  }

  /** Events that are written. */
  get count(): number {
    return this.segment.first + this.segment.lines.length;
  }

  add(line: string): void {
    this.waiting.push(line);
  }

  /** Writes what waits. One write after another, also where nobody awaits them. */
  flush(): Promise<void> {
    const next = this.writing.then(() => this.write());
    this.writing = next.catch(() => undefined);
    return next;
  }

  private async write(): Promise<void> {
    const count = this.waiting.length;
    if (count === 0) return;
    const { first, lines } = this.segmentBytes < SEGMENT_BYTES ? this.segment : { first: this.count, lines: [] };
    const segment = { first, lines: [...lines, ...this.waiting.slice(0, count)] };
    const bytes = bytesOf(segment.lines);
    await this.files.write(nameOf(first), bytes);
    this.segment = segment;
    this.segmentBytes = bytes.length;
    this.waiting.splice(0, count);
  }

  /** Goes to the log's end, as it is in the files. */
  async seek(): Promise<void> {
    this.goTo((await this.segments()).at(-1));
  }

  /** Keeps the first `events` events and goes on after them. Throws DataError where there are fewer. */
  async truncate(events: number): Promise<void> {
    const segments = await this.segments();
    const last = segments.at(-1);
    const found = last === undefined ? 0 : last.first + last.lines.length;
    if (found < events)
      throw new DataError(
        `resume: the log has ${found} events; expected the ${events} that the checkpoint was written after. Was it changed?`,
        last === undefined ? "events" : nameOf(last.first),
      );
    // From the end, so that the log is whole up to some event wherever the page dies.
    for (const { first } of segments.filter(({ first }) => first >= events).reverse())
      await this.files.remove(nameOf(first));
    const cut = segments.filter(({ first }) => first < events).at(-1);
    if (cut === undefined) return this.goTo(undefined);
    const kept = { first: cut.first, lines: cut.lines.slice(0, events - cut.first) };
    if (kept.lines.length < cut.lines.length) await this.files.write(nameOf(kept.first), bytesOf(kept.lines));
    this.goTo(kept);
  }

  /** All lines in the files. Throws DataError where some are missing. */
  async read(): Promise<string[]> {
    await this.writing;
    return (await this.segments()).flatMap(({ lines }) => lines);
  }

  private goTo(segment: Segment | undefined): void {
    this.segment = segment ?? { first: 0, lines: [] };
    this.segmentBytes = bytesOf(this.segment.lines).length;
    this.waiting = [];
  }

  private async segments(): Promise<Segment[]> {
    const segments: Segment[] = [];
    let count = 0;
    for (const name of (await this.files.list()).filter(isLogFile).sort()) {
      const first = Number(SEGMENT.exec(name)?.[1]);
      if (first !== count)
        throw new DataError(`run: ${name} begins after event ${first}, what is before it ends at ${count}.`, name);
      const text = decoder.decode(await this.files.read(name));
      const lines = text.split("\n").slice(0, -1);
      segments.push({ first, lines });
      count += lines.length;
    }
    return segments;
  }
}

function bytesOf(lines: readonly string[]): Uint8Array<ArrayBuffer> {
  return encoder.encode(lines.map((line) => `${line}\n`).join(""));
}
