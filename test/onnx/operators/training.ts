import type { Tensor } from "../../../src/ops/tensor.ts";
import * as optim from "../../../src/optim/index.ts";
import type { Hyper } from "../../../src/optim/schedules/schedule.ts";
import { type Call, Unsupported } from "../call.ts";
import type { Operators } from "./operator.ts";

type Record = { readonly [name: string]: Tensor };

/** Inputs after the rate and the count: lists of parameters, gradients and memory, each of as many tensors. */
function groupsOf(call: Call, groups: number): Record[] {
  const each = (call.count - 2) / groups;
  return Array.from({ length: groups }, (_, group) =>
    Object.fromEntries(Array.from({ length: each }, (_, i) => [`x${i}`, call.tensor(2 + group * each + i)])),
  );
}

/** New parameters and memory by a rule, whose state is a record of trees like the parameters. */
function updated(call: Call, rule: optim.Transform, memory: readonly string[]): Tensor[] {
  if (call.attribute("norm_coefficient_post", 0) !== 0) throw new Unsupported("decay of the weights after the update");
  const [params = {}, gradients = {}, ...states] = groupsOf(call, 2 + memory.length);
  const state = Object.fromEntries(memory.map((name, i) => [name, states[i] ?? {}]));
  const context = {
    params,
    step: call.tensor(1),
    hyper: (_: string, value: Hyper, map = (x: number): number => x): Tensor => call.anchor.full(map(value as number)),
  };
  const [updates, after] = rule.update(gradients, state, context as unknown as optim.UpdateContext);
  const memories = memory.map((name) => (after as { readonly [name: string]: Record })[name] ?? {});
  return [optim.applyUpdates(params, updates), ...memories].flatMap((record) => Object.values(record as Record));
}

/** ONNX adds norm_coefficient x to the gradients. */
const decayOf = (call: Call): { readonly weightDecay: number } => ({
  weightDecay: call.attribute("norm_coefficient", 0),
});

function firstUpdate(call: Call): void {
  if (call.knownNumber(1, 0) !== 0) throw new Unsupported("a count of updates that is not our step");
}

function adam(call: Call): Tensor[] {
  // The first of ONNX's updates is not corrected for bias.
  firstUpdate(call);
  const rule = optim.adam(call.knownNumber(0, 0), {
    beta1: call.attribute("alpha", 0.9),
    beta2: call.attribute("beta", 0.999),
    eps: call.attribute("epsilon", 1e-6),
    biasCorrection: false,
    ...decayOf(call),
  });
  return updated(call, rule, ["m", "v"]);
}

function adagrad(call: Call): Tensor[] {
  const rate = call.knownNumber(0, 0) / (1 + call.knownNumber(1, 0) * call.attribute("decay_factor", 0));
  return updated(call, optim.adagrad(rate, { eps: call.attribute("epsilon", 1e-6), ...decayOf(call) }), ["c"]);
}

function momentum(call: Call): Tensor[] {
  // beta, the gradient's share of the velocity, begins with the second update.
  firstUpdate(call);
  const rule = optim.momentum(call.knownNumber(0, 0), {
    momentum: call.attribute("alpha", 0),
    nesterov: call.text("mode", "standard") === "nesterov",
    like: "pytorch",
    ...decayOf(call),
  });
  return updated(call, rule, ["v"]);
}

export const trainingOperators: Operators = {
  "ai.onnx.preview.training.Adam": adam,
  "ai.onnx.preview.training.Adagrad": adagrad,
  "ai.onnx.preview.training.Momentum": momentum,
};
