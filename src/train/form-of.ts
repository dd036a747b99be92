import { OptionError } from "../core/errors.ts";
import type { PictureForm } from "../data/picture-form.ts";
import type { TrainedModel } from "./trained-model.ts";

/**
 * How a classifier reads pictures; one that was trained on arrays of pictures, as these were. Throws OptionError that names the `run`
 * where it takes something else.
 */
export function formOf(
  { pictures, sample, classes }: Pick<TrainedModel, "pictures" | "sample" | "classes">,
  run: string,
): PictureForm {
  const { dtype, shape = [] } = sample as { readonly dtype?: string; readonly shape?: readonly number[] };
  const [channels, height = 0, width = 0] = shape;
  const isPictures = dtype === "u8" && shape.length === 3 && (channels === 1 || channels === 3);
  if (classes === undefined || (pictures === undefined && !isPictures))
    throw new OptionError(
      `predict: ${run} takes ${dtype ?? "several inputs"}[${shape}]; expected a run that was trained on pictures or on a table.`,
      "run",
    );
  return pictures ?? { channels: channels as 1 | 3, height, width, fit: "contain", background: [0, 0, 0] };
}
