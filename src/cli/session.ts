import type { HostArray } from "../core/host-array.ts";
import { RunFolder } from "../node/run-folder.ts";
import type { Checkpoint } from "../train/checkpoints/checkpoint.ts";
import type { Callback } from "../train/events.ts";
import type { FitOptions } from "../train/fit.ts";
import { formatDuration } from "./format.ts";
import type { Interrupts } from "./interrupts.ts";
import type { Recipe } from "./recipe.ts";
import type { Screen } from "./screen.ts";

/** How a recipe is trained: as a new run, or as one that goes on. */
export type Session = {
  readonly verbose: boolean;
  /** Another run's checkpoint to go on from. */
  readonly branch?: Checkpoint | undefined;
  readonly callbacks: readonly Callback[];
  /** Of a run that only repeats another: where it stops, and how long it is. Nothing is said of where it is kept. */
  readonly repeats?: Pick<FitOptions<never, never, never>, "length" | "stopAt">;
  /** Takes pictures that it trains on, for whoever shows the run. */
  show?(pictures: HostArray): void;
  /** Where the run is kept; `config` is its recipe. */
  open(config: object): RunFolder;
};

export function newRun(screen: Screen, recipe: Recipe, verbose: boolean): Session {
  return { verbose, callbacks: [sayRollbacks(screen)], open: (config) => new RunFolder({ out: recipe.out, config }) };
}

/** What is said of a run that was stopped. */
export function sayStopped(
  screen: Screen,
  { place }: RunFolder,
  epochs: { done: number; of: number | undefined },
): void {
  const { done, of } = epochs;
  const plural = (n: number): string => (n === 1 ? "epoch" : "epochs");
  const said = of === undefined ? `${done} ${plural(done)}` : `${done} of ${of} ${plural(of)}`;
  screen.line(`Stopped after ${said}; what was trained is in ${place}`);
  screen.line(`Go on with: downhill resume ${place}`);
}

/** What is said of a run that failed. */
export function sayFailed(screen: Screen, sink: RunFolder): void {
  screen.erase();
  if (sink.place !== undefined) screen.line(`The last good weights are in ${sink.place}`);
}

export function sayRollbacks(screen: Screen): Callback {
  return {
    name: "rollbacks",
    on(event) {
      if (event.type !== "rollback") return;
      screen.line(`${event.text} Back to step ${event.to}, with the rate times ${event.rateFactor}.`);
    },
  };
}

/** Says where training goes on, and what checkpoints could not be read. */
export function sayResumed(screen: Screen, what: string): Callback {
  return {
    name: "resumed",
    on(event) {
      if (event.type !== "resume") return;
      for (const text of event.damaged) screen.line(text);
      const from = event.file === undefined ? "from the start: there is no checkpoint" : `after step ${event.step}`;
      const spent =
        event.timeSpentMs > 1000 && event.step > 0 ? `, ${formatDuration(event.timeSpentMs)} of training` : "";
      screen.line(`${what} ${from}${spent}`);
    },
  };
}

/** A second Ctrl-C keeps the events so far. */
export function flushOnSecond(interrupts: Interrupts, sink: RunFolder): void {
  interrupts.onSecond = () => sink.flush();
}
