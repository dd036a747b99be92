import type { HostArray } from "../core/host-array.ts";
import { mapTree } from "../core/tree.ts";
import type { HostTree } from "./examples.ts";
import type { TrainedModel } from "./trained-model.ts";

export type ExportOnnxOptions = {
  /** Samples in a batch. Default: any number, the size "N" of the inputs and outputs. */
  readonly batch?: number;
  /** Softmax of the scores of a classifier. Default false: the scores, as training's loss had them. */
  readonly softmax?: boolean;
  /** The graph's name. Default: the model's kind. */
  readonly name?: string;
};

/** A `TrainedModel` or a `Run`. */
export type Exported = Pick<TrainedModel, "weights" | "withParts" | "classes">;

/**
 * The model as the bytes of an `.onnx` file (opset 18, ONNX 1.13; IR version 8), in evaluation mode, with its preprocessing: inputs are
 * as the data set had them, `input` [N, ...] or a name for each of several; the result is `output`. Weights keep PyTorch's names where
 * they pass unchanged. Metadata: `classes`, and what makes inputs of pictures, rows or texts (`pictures`, `table`, `tokenizer`), as JSON.
 *
 * Errors: OptionError for what has no form in ONNX (random numbers in evaluation, derivatives), where another batch would make another
 * program, and for `softmax` without scores f32[N, C].
 *
 * @example
 * await writeFile("digits.onnx", await exportOnnx(run, { softmax: true }));
 */
export async function exportOnnx(model: Exported, options: ExportOnnxOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const { modelToOnnx } = await import("./onnx/model-to-onnx.ts");
  const weights = await model.weights();
  return model.withParts(async ({ task, state, sample, classes, tokenizer, pictures, table }) => {
    const known = { classes, pictures, table, tokenizer: tokenizer?.config };
    const notes = Object.entries(known).filter(([, value]) => value !== undefined);
    const { kind } = task.model.config;
    const now = (tree: HostTree): HostTree =>
      mapTree<HostArray, HostArray>(tree, (_, name) => weights[name] as HostArray);
    return modelToOnnx({
      model: task.model,
      preparation: task.preparation,
      state: { params: now(state.params), buffers: now(state.buffers) },
      sample,
      batch: options.batch,
      softmax: options.softmax,
      name: options.name ?? kind,
      metadata: Object.fromEntries(notes.map(([name, value]) => [name, JSON.stringify(value)])),
    });
  });
}
