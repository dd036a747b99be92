import * as nn from "../../../src/nn/index.ts";
import type { Tensor } from "../../../src/ops/tensor.ts";
import type { Call } from "../call.ts";
import type { Operators } from "./operator.ts";

function optionsOf(call: Call): nn.NllOptions {
  const weight = call.knownList(2);
  return {
    reduction: call.text("reduction", "mean") as nn.Reduction,
    ...(call.node.attributes.ignore_index ? { ignoreIndex: call.attribute("ignore_index", 0) } : {}),
    ...(weight ? { weight } : {}),
  };
}

function crossEntropy(call: Call): Tensor[] {
  const logits = call.tensor(0);
  return [nn.crossEntropy(logits, call.tensor(1), optionsOf(call)), logits.logSoftmax(1)];
}

export const lossOperators: Operators = {
  SoftmaxCrossEntropyLoss: crossEntropy,
  NegativeLogLikelihoodLoss: (call) => nn.nll(call.tensor(0), call.tensor(1), optionsOf(call)),
};
