import type { TrainEvent } from "../train/events.ts";
import type { Screen } from "./screen.ts";

/** Exit codes of a process that a signal ended: 128 and the signal's number. */
export const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Ctrl-C once: the call that runs is finished and saved. Twice, or before training starts: now. */
export class Interrupts {
  readonly name = "interrupts";
  onSecond: () => void = () => {};
  private readonly controller = new AbortController();
  private readonly screen: Screen;
  private started = false;
  exitCode: number = EXIT_CODES.SIGINT;

  constructor(screen: Screen) {
    this.screen = screen;
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => {
        this.exitCode = EXIT_CODES[signal];
        this.interrupt();
      });
    // A reader that went away, as in `| head`: nobody sees more, so end as by Ctrl-C.
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") this.controller.abort();
      else throw error;
    });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  on(event: TrainEvent): void {
    if (event.type === "start") this.started = true;
  }

  private interrupt(): void {
    if (!this.started || this.signal.aborted) {
      this.screen.erase();
      this.onSecond();
      process.exit(this.exitCode);
    }
    this.screen.erase();
    this.screen.line("Stopping; once more to stop at once without saving");
    this.controller.abort();
  }
}
