import { DownhillError } from "../core/errors.ts";
import type { Layer } from "../nn/layer.ts";
import { fit } from "../node/fit.ts";
import type { RunFolder } from "../node/run-folder.ts";
import type { Callback, Metrics } from "../train/events.ts";
import type { Examples } from "../train/examples.ts";
import type { FitOptions, Run } from "../train/fit.ts";
import { Interrupts } from "./interrupts.ts";
import { backendOf, keepingOf, type Recipe, shownEpochs, toConfig } from "./recipe.ts";
import { reportOf } from "./run-report.ts";
import type { Screen } from "./screen.ts";
import { flushOnSecond, type Session, sayFailed, sayStopped } from "./session.ts";
import { readOptimizerState } from "./weights.ts";

/** What a kind of data adds to a training. */
export type FitRunOptions = Pick<
  FitOptions<never, never, never>,
  "optimizer" | "name" | "weights" | "strict" | "augment"
> & {
  readonly train: Examples;
  readonly validation: number | Examples;
  readonly loss: unknown;
  readonly metrics: readonly unknown[];
  /** Before the session's own, and after them. */
  readonly before: readonly Callback[];
  readonly after?: (signal: AbortSignal) => readonly Callback[];
};

/** A training that came to its end, or the exit code of one that was stopped. */
export type Ended = { readonly sink: RunFolder } & (
  | { readonly run: Run; readonly exitCode?: undefined }
  | { readonly run?: undefined; readonly exitCode: number }
);

/** Trains as the recipe says, and says how to go on where it is stopped. Throws what the training throws. */
export async function fitRun(
  screen: Screen,
  { recipe, session }: { readonly recipe: Recipe; readonly session: Session },
  model: Layer<never, never>,
  { before, after, ...rest }: FitRunOptions,
): Promise<Ended> {
  const { optimizerState: file } = recipe;
  const optimizerState = file === undefined ? undefined : await readOptimizerState(file);
  const interrupts = new Interrupts(screen);
  const sink = session.open(toConfig(recipe));
  flushOnSecond(interrupts, sink);
  const keeping = keepingOf(recipe.keeping);
  const options = {
    ...rest,
    epochs: recipe.epochs,
    batchSize: recipe.batchSize,
    seed: recipe.seed,
    callbacks: [
      ...before,
      ...session.callbacks,
      ...keeping.callbacks,
      ...(after?.(interrupts.signal) ?? []),
      interrupts,
    ],
    ...(optimizerState === undefined ? {} : { optimizerState }),
    ...keeping.options,
    ...session.repeats,
    ...(session.branch === undefined ? {} : { branch: session.branch }),
    signal: interrupts.signal,
    sink,
    ...backendOf(recipe),
  };
  const fitAny = fit as unknown as (model: unknown, options: unknown) => PromiseLike<Run>;
  let run: Run;
  try {
    run = await fitAny(model, options);
  } catch (error) {
    sayFailed(screen, sink);
    throw error;
  }
  if (interrupts.signal.aborted) {
    sayStopped(screen, sink, { done: run.history.length, of: shownEpochs(recipe) });
    await run.close();
    return { sink, exitCode: interrupts.exitCode };
  }
  if (session.repeats?.stopAt !== undefined) {
    await run.close();
    return { sink, exitCode: 0 };
  }
  if (run.stopReason !== undefined) screen.line(`Stopped early: ${run.stopReason}`);
  return { sink, run };
}

/** Milliseconds that a test may have taken for the report to evaluate once more. */
const QUICK_TEST_MS = 3000;

/** What the report shows of a finished run: data and how long testing on it took, or why there is none. */
export type Tested = { readonly data: Examples; readonly timeMs: number } | { readonly without: string };

/** Says where a finished run is, and what to do with it; writes its report and closes it. Answers the exit code. */
export async function finished(
  screen: Screen,
  { run, sink, session }: { readonly run: Run; readonly sink: RunFolder; readonly session: Session },
  tested: Tested,
  hints: readonly string[] = [],
): Promise<number> {
  const { place } = sink;
  if (session.repeats === undefined && place !== undefined) {
    screen.line(`Saved to ${place}`);
    screen.line(await report(run, place, tested));
    for (const hint of hints) screen.line(hint);
  }
  await run.close();
  return 0;
}

/** A report that cannot be written is no reason for a training to fail. */
async function report(run: Run, place: string, tested: Tested): Promise<string> {
  const slow = `Testing took long: downhill report ${place} evaluates it too.`;
  const evaluation = "without" in tested || tested.timeMs <= QUICK_TEST_MS ? tested : { without: slow };
  try {
    return `Report: ${await reportOf(place, { model: run, ...evaluation })}`;
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    return `There is no report: ${error.message}`;
  }
}

/** The run's test metrics, and how long it took to get them. */
export async function testRun(
  run: Run,
  data: Examples,
): Promise<{ readonly metrics: Metrics; readonly tested: Tested }> {
  const began = performance.now();
  const metrics = await run.test(data as never);
  return { metrics, tested: { data, timeMs: performance.now() - began } };
}
