import type { TrainEvent } from "./events.ts";

/** Where a run keeps its checkpoints: files of a folder, of a browser's private file system, or records of a database. */
export interface CheckpointStore {
  /** Names of the checkpoints, in any order. */
  list(): Promise<readonly string[]>;
  read(name: string): Promise<Uint8Array>;
  /** Wholly or not at all; durable when it resolves. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
}

/** Where a run leaves its record and its weights: a folder in Node, whatever a browser offers. Receives events before callbacks do. */
export interface RunSink {
  /** Shown to the user; undefined before the first event. */
  readonly place: string | undefined;
  event(event: TrainEvent): void;
  /** Replaces the saved model by these bytes of a safetensors file, wholly or not at all. */
  saveModel(bytes: Uint8Array): void | Promise<void>;
  /** Absent: no checkpoints are made. */
  readonly checkpoints?: CheckpointStore;
  /** Whether the run was there before: training then goes on from its newest good checkpoint. */
  readonly resumes?: boolean;
  /** Called before anything else: takes a run that was there before for this training alone, or throws. */
  open?(): void | Promise<void>;
  /** Keeps the first `events` events of the log that is there, and goes on after them. */
  resume?(events: number): void | Promise<void>;
  /** Makes all events so far durable; answers how many there are. */
  sync?(): number | Promise<number>;
  /** The run is over: what was held open is closed, and others may go on with the run. */
  close?(): void | Promise<void>;
}
