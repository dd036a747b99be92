import { CallbackError, DownhillError } from "../core/errors.ts";
import type { Callback, Control, TrainEvent } from "./events.ts";
import type { RunSink } from "./run-sink.ts";

/** Hands events to the sink, then to each callback in turn. */
export class Emitter {
  private readonly sink: RunSink | undefined;
  private readonly callbacks: readonly Callback[];
  private readonly control: Control;
  private readonly pending: TrainEvent[] = [];

  constructor(sink: RunSink | undefined, callbacks: readonly Callback[], control: Control) {
    this.sink = sink;
    this.callbacks = callbacks;
    this.control = control;
  }

  /** To be handed out after the event that is being handed out. */
  later(event: TrainEvent): void {
    this.pending.push(event);
  }

  /** Nothing to wait for where no callback is asynchronous. */
  emit(event: TrainEvent): Promise<void> | undefined {
    this.sink?.event(event);
    const waiting = this.toCallbacks(event);
    return waiting === undefined ? this.emitPending() : waiting.then(() => this.emitPending());
  }

  toCallbacks(event: TrainEvent): Promise<void> | undefined {
    let waiting: Promise<void> | undefined;
    for (const callback of this.callbacks) {
      if (waiting === undefined) waiting = this.call(callback, event);
      else waiting = waiting.then(() => this.call(callback, event));
    }
    return waiting;
  }

  /** To the sink and to every callback, whoever of them throws. Answers the first error. */
  async emitToAll(event: TrainEvent): Promise<unknown> {
    const errors: unknown[] = [];
    const guarded = async (call: () => void | Promise<void>): Promise<void> => {
      try {
        await call();
      } catch (error) {
        errors.push(error);
      }
    };
    await guarded(() => this.sink?.event(event));
    for (const callback of this.callbacks) await guarded(() => this.call(callback, event));
    await guarded(() => this.emitPending());
    return errors[0];
  }

  private emitPending(): Promise<void> | undefined {
    const next = this.pending.shift();
    return next === undefined ? undefined : this.emit(next);
  }

  private call(callback: Callback, event: TrainEvent): Promise<void> | undefined {
    const fail = (error: unknown): never => {
      // What the library itself raises says already what is wrong and where.
      if (error instanceof DownhillError) throw error;
      const step = "step" in event ? ` of step ${event.step}` : "";
      throw new CallbackError(
        callback.name,
        `callback ${callback.name}: threw at the event "${event.type}"${step}: ${error instanceof Error ? error.message : String(error)}`,
        error,
      );
    };
    try {
      return callback.on(event, this.control)?.then(undefined, fail);
    } catch (error) {
      return fail(error);
    }
  }
}
