import type { TrainEvent } from "./events.ts";

/** Where a run leaves its record and its weights: a folder in Node, whatever a browser offers. Receives events before callbacks do. */
export interface RunSink {
  /** Shown to the user; undefined before the first event. */
  readonly place: string | undefined;
  event(event: TrainEvent): void;
  /** Replaces the saved model by these bytes of a safetensors file, wholly or not at all. */
  saveModel(bytes: Uint8Array): void | Promise<void>;
}
