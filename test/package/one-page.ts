import { type Dataset, fit, nn, optim } from "../../src/index.ts";

/** What a page loads to train one model with one rule: the rest of the library must fall away. */
export function train(data: Dataset): PromiseLike<unknown> {
  return fit(nn.cnn({ classes: 10 }), {
    train: data,
    epochs: 1,
    loss: nn.crossEntropy(),
    optimizer: optim.adam(1e-3),
  });
}
