import type { Callback, TrainEvent } from "../train/events.ts";
import { formatBytes, formatCount, formatDuration, plainRow, progressLine, tableHeader, tableRow } from "./format.ts";
import type { Screen } from "./screen.ts";
import { TimeLeft } from "./time-left.ts";

export const REDRAW_MS = 100;

type Start = TrainEvent & { type: "start" };

/** Shows a run: on a terminal a live line and a table row for each epoch, elsewhere a plain line for each epoch. */
export class Progress implements Callback {
  readonly name = "progress";
  private readonly screen: Screen;
  private readonly epochs: number | undefined;
  private readonly verbose: boolean;
  private start: Start | undefined;
  private readonly timeLeft = new TimeLeft();
  private drawnAt = 0;
  private losses = { sum: 0, correct: 0, steps: 0 };
  private stepMs: number | undefined;

  constructor(screen: Screen, options: { readonly epochs: number | undefined; readonly verbose: boolean }) {
    this.screen = screen;
    this.epochs = options.epochs;
    this.verbose = options.verbose;
  }

  on(event: TrainEvent): void {
    this.timeLeft.on(event);
    if (event.type === "start") this.begin(event);
    else if (event.type === "step") this.step(event);
    else if (event.type === "epoch") {
      this.screen.line(this.screen.isTerminal ? tableRow(event) : plainRow(event, this.epochs));
      this.losses = { sum: 0, correct: 0, steps: 0 };
    } else if (event.type === "end") this.screen.erase();
  }

  private begin(event: Start): void {
    this.start = event;
    for (const line of backendLines(event, this.verbose)) this.screen.line(line);
    if (this.verbose) for (const line of programLines(event)) this.screen.line(this.screen.dim(line));
    if (!this.screen.isTerminal) return;
    const [titles = "", columns = ""] = tableHeader().split("\n");
    this.screen.line(this.screen.dim(titles));
    this.screen.line(this.screen.bold(columns));
  }

  private step(event: TrainEvent & { type: "step" }): void {
    const { start, losses } = this;
    if (start === undefined || !this.screen.isTerminal) return;
    losses.sum += event.metrics.loss ?? 0;
    losses.correct += event.metrics.accuracy ?? 0;
    losses.steps++;
    this.stepMs = this.stepMs === undefined ? event.timeMs : this.stepMs + (event.timeMs - this.stepMs) * 0.05;
    const now = performance.now();
    if (now - this.drawnAt < REDRAW_MS) return;
    this.drawnAt = now;
    const inEpoch = event.step - (event.epoch - 1) * start.stepsPerEpoch;
    const { batchSize } = start.config as { batchSize: number };
    const line = progressLine(
      {
        epoch: event.epoch,
        epochs: this.epochs,
        done: inEpoch / start.stepsPerEpoch,
        loss: losses.sum / losses.steps,
        accuracy: event.metrics.accuracy === undefined ? undefined : losses.correct / losses.steps,
        imagesPerSecond: (batchSize / this.stepMs) * 1000,
        leftMs: this.timeLeft.after(event.step),
      },
      this.screen.columns,
    );
    this.screen.draw(line);
  }
}

/** What runs the training where that is not the default, and what cannot be used and why. */
export function backendLines({ config }: Start, verbose: boolean): string[] {
  const { backend, backendNotes = [] } = config as { backend: string; backendNotes?: readonly string[] };
  return backend !== "wasm" || backendNotes.length > 0 || verbose ? [[backend, ...backendNotes].join("; ")] : [];
}

/** What `--verbose` adds: programs, memory, compile time. */
export function programLines({ programs, peakBytes, parameters }: Start): string[] {
  const total = programs.reduce((sum, { timeMs }) => sum + timeMs, 0);
  return [
    `${formatCount(parameters)} parameters; ${formatBytes(peakBytes)} of memory at the peak; ` +
      `traced and compiled in ${formatDuration(total)}:`,
    ...programs.map(
      ({ name, batchSize, equations, peakBytes: bytes, timeMs }) =>
        `  ${name.padEnd(8)} batch ${String(batchSize).padStart(5)}  ${String(equations).padStart(4)} equations  ` +
        `${formatBytes(bytes).padStart(10)} arena  ${formatDuration(timeMs).padStart(7)}`,
    ),
  ];
}
