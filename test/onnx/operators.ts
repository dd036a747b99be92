import { contractOperators } from "./operators/contract.ts";
import { controlOperators } from "./operators/control.ts";
import { elementwiseOperators } from "./operators/elementwise.ts";
import { indexOperators } from "./operators/indexing.ts";
import { layerOperators } from "./operators/layers.ts";
import { lossOperators } from "./operators/losses.ts";
import { moveOperators } from "./operators/move.ts";
import type { Operators } from "./operators/operator.ts";
import { recurrentOperators } from "./operators/recurrent.ts";
import { reduceOperators } from "./operators/reduce.ts";
import { trainingOperators } from "./operators/training.ts";

/** What each operator of ONNX is here, by its name; those of other domains than the standard's have theirs before a dot. */
export const operators: Operators = {
  ...elementwiseOperators,
  ...moveOperators,
  ...indexOperators,
  ...reduceOperators,
  ...contractOperators,
  ...layerOperators,
  ...recurrentOperators,
  ...lossOperators,
  ...controlOperators,
  ...trainingOperators,
};
