import { type FitFunction, fitWith, type MakeBackend } from "../train/fit.ts";
import { RunFolder } from "./run-folder.ts";

export type NodeFitOptions = {
  /** Folder that gets the run's own folder: `<out>/<date>-<name>/`. Default: nothing is written. */
  readonly out?: string;
};

/** `fit` that also writes run folders. */
export function fitInNode<B>(makeBackend: MakeBackend<B>): FitFunction<B & NodeFitOptions> {
  const fit = fitWith<B & NodeFitOptions>(makeBackend);
  return (model, options) => {
    if (options.out === undefined) return fit(model, options);
    return fit(model, { ...options, sink: options.sink ?? new RunFolder({ out: options.out }) });
  };
}
