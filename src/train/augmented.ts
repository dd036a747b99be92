import type { Augmentation, MixedLabels } from "../nn/augment/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import type { Key } from "../trace/random.ts";
import type { measure as Measure } from "./task.ts";

/** What augmentations do to a batch, and to what is measured of it. */
export type Augmenting = {
  /** Pictures after their augmentations, and their targets: `MixedLabels` where pictures are mixed. Pictures without channels get one for the while. */
  readonly apply: (inputs: TensorTree, targets: TensorTree, key: Key) => readonly [TensorTree, TensorTree];
  /** Of mixed labels the loss sees probabilities, and metrics the label with the greatest share. */
  readonly measure: typeof Measure;
};

/** `measure` is handed over, since an import would tear the pages' one file apart. */
export function augmenting(augment: readonly Augmentation[], measure: typeof Measure): Augmenting {
  const probabilities = augment.find(({ mixLabels }) => mixLabels)?.probabilities;
  return {
    apply(inputs, targets, key) {
      const given = inputs as Tensor;
      let pictures = given.rank === 3 ? given.unsqueeze(1) : given;
      let mixed: MixedLabels | undefined;
      for (const [i, own] of augment.entries()) {
        const drawn = key.fold("augment").fold(i);
        if (own.mixLabels) mixed = own.mixLabels(mixed ?? targets, drawn, pictures);
        pictures = own.apply(pictures, drawn);
      }
      return [given.rank === 3 ? pictures.squeeze(1) : pictures, mixed ?? targets];
    },
    measure(task, output, target) {
      if (probabilities === undefined) return measure(task, output, target);
      const shares = probabilities(output, target as MixedLabels);
      return measure(task, output, shares, shares.argmax(1));
    },
  };
}
