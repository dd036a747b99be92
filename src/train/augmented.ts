import type { Augmentation, MixedLabels } from "../nn/augment/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import type { Key } from "../trace/random.ts";
import { type Measured, measure, type Task } from "./task.ts";

/** Pictures after their augmentations, and their targets: `MixedLabels` where pictures are mixed. Pictures without channels get one for the while. */
export function augmented(
  inputs: TensorTree,
  targets: TensorTree,
  augment: readonly Augmentation[],
  key: Key,
): { readonly inputs: TensorTree; readonly shown: TensorTree } {
  if (augment.length === 0) return { inputs, shown: targets };
  const given = inputs as Tensor;
  let pictures = given.rank === 3 ? given.unsqueeze(1) : given;
  let mixed: MixedLabels | undefined;
  for (const [i, own] of augment.entries()) {
    const drawn = key.fold("augment").fold(i);
    if (own.mixLabels) mixed = own.mixLabels(mixed ?? targets, drawn, pictures);
    pictures = own.apply(pictures, drawn);
  }
  return { inputs: given.rank === 3 ? pictures.squeeze(1) : pictures, shown: mixed ?? targets };
}

/** As `measure`. Of mixed labels the loss sees probabilities, and metrics the label with the greatest share. */
export function measureShown(task: Task, output: TensorTree, target: TensorTree, mixing?: Augmentation): Measured {
  if (!mixing?.probabilities) return measure(task, output, target);
  const probabilities = mixing.probabilities(output, target as MixedLabels);
  return measure(task, output, probabilities, probabilities.argmax(1));
}
