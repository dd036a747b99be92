import type { TrainEvent } from "../src/train/events.ts";
import type { CheckpointStore, RunSink } from "../src/train/run-sink.ts";

/** A run that is kept in memory, for tests: can be copied at any moment, as a killed process leaves it. */
export class MemorySink implements RunSink {
  readonly place: string | undefined = undefined;
  resumes: boolean = false;
  log: TrainEvent[] = [];
  files: Map<string, Uint8Array> = new Map();
  model: Uint8Array | undefined;
  /** What there was when each checkpoint was about to be written, and when it had been. */
  readonly copies: MemorySink[] = [];

  readonly checkpoints: CheckpointStore = {
    list: async () => [...this.files.keys()],
    read: async (name) => this.files.get(name) as Uint8Array,
    write: async (name, bytes) => {
      this.copies.push(this.killed());
      this.files.set(name, bytes);
      this.copies.push(this.killed());
    },
    remove: async (name) => {
      this.files.delete(name);
    },
  };

  event(event: TrainEvent): void {
    this.log.push(event);
  }

  saveModel(bytes: Uint8Array): void {
    this.model = bytes;
  }

  sync(): number {
    return this.log.length;
  }

  resume(events: number): void {
    this.log.length = events;
  }

  killed(): MemorySink {
    const copy = new MemorySink();
    copy.resumes = true;
    copy.log = [...this.log];
    copy.files = new Map(this.files);
    return copy;
  }
}

/** Events without their times, as two equal runs have them. */
export function timeless(events: readonly TrainEvent[]): unknown[] {
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (typeof value !== "object" || value === null) return value;
    const kept = Object.entries(value).filter(([key]) => !key.startsWith("time"));
    return Object.fromEntries(kept.map(([key, child]) => [key, strip(child)]));
  };
  return events.map(strip);
}
