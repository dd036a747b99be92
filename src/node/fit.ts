import { OptionError } from "../core/errors.ts";
import { type FitFunction, fitWith } from "../train/fit.ts";
import { type NodeBackendOptions, nodeBackend } from "./default-backend.ts";
import { RunFolder } from "./run-folder.ts";

export type NodeFitOptions = NodeBackendOptions & {
  /** Folder that gets the run's own folder: `<out>/<date>-<name>/`. Default: nothing is written. */
  readonly out?: string;
  /**
   * The folder of a run to go on with, from its newest good checkpoint: with the same model, data and options it ends with the
   * same bits as if it had never stopped. Other epochs and another optimizer rate are allowed.
   */
  readonly resume?: string;
};

const train: FitFunction<NodeFitOptions> = fitWith(nodeBackend);

/** `fit` on worker threads, which can also write the run's folder (`out`) and go on with one (`resume`). */
export const fit: FitFunction<NodeFitOptions> = (model, options) => {
  const { out, resume } = options;
  if (out !== undefined && resume !== undefined)
    throw new OptionError(`fit: got out ${out} and resume ${resume}; expected one of them.`, "resume");
  if (options.sink !== undefined || (out === undefined && resume === undefined)) return train(model, options);
  const sink = resume === undefined ? new RunFolder({ ...(out === undefined ? {} : { out }) }) : RunFolder.open(resume);
  return train(model, { ...options, sink });
};
