import type { Callback, Metrics, TrainEvent } from "../train/events.ts";
import { epochOf, formatCount, formatDuration, formatNumber, formatPercent } from "./format.ts";
import { backendLines, programLines, REDRAW_MS } from "./progress.ts";
import { type Recipe, shownEpochs } from "./recipe.ts";
import type { Screen } from "./screen.ts";
import { formatValue } from "./table-format.ts";
import { TimeLeft } from "./time-left.ts";

/** Epochs on small tables are many and short: so many lines at most. */
const MAX_LINES = 12;

/** Shows how a table is learned: a live line on a terminal, and a line for some of the epochs. */
export class TableProgress implements Callback {
  readonly name = "progress";
  private readonly screen: Screen;
  private readonly verbose: boolean;
  private readonly epochs: number | undefined;
  private readonly every: number;
  private readonly timeLeft = new TimeLeft();
  private drawnAt = 0;
  private spentMs = 0;

  constructor(screen: Screen, { recipe, verbose }: { readonly recipe: Recipe; readonly verbose: boolean }) {
    this.screen = screen;
    this.verbose = verbose;
    this.epochs = shownEpochs(recipe);
    this.every = verbose ? 1 : Math.ceil(recipe.epochs / MAX_LINES);
  }

  on(event: TrainEvent): void {
    const { screen, verbose } = this;
    this.timeLeft.on(event);
    if (event.type === "start") {
      for (const line of backendLines(event, verbose)) screen.line(line);
      if (!verbose)
        screen.line(`${formatCount(event.parameters)} parameters, ${formatCount(event.totalSteps)} updates`);
      else for (const line of programLines(event)) screen.line(screen.dim(line));
    } else if (event.type === "step") {
      const now = performance.now();
      if (now - this.drawnAt < REDRAW_MS) return;
      this.drawnAt = now;
      const left = formatDuration(this.timeLeft.after(event.step));
      screen.draw(`${epochOf(event.epoch, this.epochs)}  loss ${formatNumber(event.metrics.loss)}  ${left} left`);
    } else if (event.type === "epoch") {
      this.spentMs += event.timeMs;
      if (event.epoch % this.every !== 0 && event.epoch !== this.epochs) return;
      const held = Object.keys(event.validation).length === 0 ? "" : `; validation ${shown(event.validation)}`;
      screen.line(
        `${screen.bold(epochOf(event.epoch, this.epochs))}: training ${shown(event.train)}${held}; ${formatDuration(this.spentMs)}`,
      );
    } else if (event.type === "end") screen.erase();
  }
}

function shown({ loss, accuracy, meanAbsoluteError }: Metrics): string {
  const other =
    meanAbsoluteError !== undefined
      ? `, off by ${formatValue(meanAbsoluteError)}`
      : accuracy !== undefined
        ? `, accuracy ${formatPercent(accuracy)}`
        : "";
  return `loss ${formatNumber(loss)}${other}`;
}
