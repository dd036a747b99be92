import { formatAval, normalizeAxis, sameShape } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { Tensor } from "../ops/tensor.ts";

/** The axis of classes: 1, or 0 of a single example f32[C], as PyTorch, unless another is named. */
export function classAxisOf(op: string, scores: Tensor, named?: number): number {
  if (scores.dtype !== "f32" || scores.rank === 0)
    throw new ShapeError(`${op}: got ${formatAval(scores.aval)}; expected f32[N, C].`);
  if (named !== undefined) return normalizeAxis(op, named, scores.rank);
  return scores.rank === 1 ? 0 : 1;
}

/** Labels as i32. Throws ShapeError unless they are integers of the scores' shape without the class axis. */
export function labelsFor(op: string, scores: Tensor, labels: Tensor, axis: number): Tensor {
  const shape = scores.shape.filter((_, i) => i !== axis);
  if ((labels.dtype !== "i32" && labels.dtype !== "u8") || !sameShape(labels.shape, shape))
    throw new ShapeError(
      `${op}: got scores ${formatAval(scores.aval)} and labels ${formatAval(labels.aval)}; expected labels i32[${shape}].`,
    );
  return labels.cast("i32");
}

/** Throws ShapeError unless both are f32 of one shape: errors never broadcast. */
export function expectSameShape(op: string, output: Tensor, target: Tensor): void {
  if (output.dtype !== "f32" || target.dtype !== "f32" || !sameShape(output.shape, target.shape))
    throw new ShapeError(
      `${op}: got ${formatAval(output.aval)} and ${formatAval(target.aval)}; expected f32 of equal shapes.`,
    );
}
