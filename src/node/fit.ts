import { type FitFunction, fitWith } from "../train/fit.ts";
import { type NodeBackendOptions, nodeBackend } from "./default-backend.ts";
import { RunFolder } from "./run-folder.ts";

export type NodeFitOptions = NodeBackendOptions & {
  /** Folder that gets the run's own folder: `<out>/<date>-<name>/`. Default: nothing is written. */
  readonly out?: string;
};

const train: FitFunction<NodeFitOptions> = fitWith(nodeBackend);

/** `fit` on worker threads, which can also write the run's folder (`out`). */
export const fit: FitFunction<NodeFitOptions> = (model, options) =>
  train(
    model,
    options.out === undefined || options.sink !== undefined
      ? options
      : { ...options, sink: new RunFolder({ out: options.out }) },
  );
