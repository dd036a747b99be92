import type { Layer } from "../nn/layer.ts";
import { fit } from "../node/fit.ts";
import type { RunFolder } from "../node/run-folder.ts";
import type { Callback } from "../train/events.ts";
import type { Examples } from "../train/examples.ts";
import type { FitOptions, Run } from "../train/fit.ts";
import { Interrupts } from "./interrupts.ts";
import { backendOf, keepingOf, type Recipe, shownEpochs, toConfig } from "./recipe.ts";
import type { Screen } from "./screen.ts";
import { flushOnSecond, type Session, sayFailed, sayStopped } from "./session.ts";

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
