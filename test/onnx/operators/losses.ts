import * as nn from "../../../src/nn/index.ts";
import type { Tensor } from "../../../src/ops/tensor.ts";
import { type Call, Unsupported } from "../call.ts";
import type { Operators } from "./operator.ts";

function crossEntropy(call: Call): Tensor[] {
  const logits = call.tensor(0);
  const weight = call.knownList(2);
  if (call.node.attributes.ignore_index) throw new Unsupported("ignore_index");
  const loss = nn.crossEntropy(logits, call.tensor(1), {
    reduction: call.text("reduction", "mean") as "mean" | "sum" | "none",
    ...(weight ? { weight } : {}),
  });
  return [loss, logits.logSoftmax(1)];
}

export const lossOperators: Operators = {
  SoftmaxCrossEntropyLoss: crossEntropy,
};
