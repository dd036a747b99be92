import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { referenceBackend } from "../backends/reference/index.ts";
import { wasmBackend } from "../backends/wasm/index.ts";
import { array, HostArray } from "../core/host-array.ts";
import * as nn from "../nn/index.ts";
import * as optim from "../optim/index.ts";
import type { OptimizerState, OptimizerStateSource } from "../optim/optimizer-state.ts";
import type { Weights } from "./events.ts";
import { fitWith, type Run } from "./fit.ts";
import { decodeTorch, decodeTorchOptimizer, decodeTorchWeights, encodeTorch, encodeTorchOptimizer } from "./torch.ts";

type Values = Readonly<Record<string, readonly number[]>>;
type Case = {
  readonly name: string;
  readonly config: { readonly name: string };
  readonly at10: string;
  readonly state: string;
  readonly at20: Values;
  readonly afterOurs: Values;
};
type Ours = Readonly<Record<string, { readonly weights: string; readonly state: string }>>;

const folder = new URL("../../golden/torch-state/", import.meta.url);
const golden: { x: number[]; y: number[]; at0: Values; cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL("torch-state.json", folder), "utf8"),
);
const WRITES = process.env.WRITE_TORCH_STATE === "1";
const ours: Ours = WRITES ? {} : JSON.parse(readFileSync(new URL("ours.json", folder), "utf8"));
const written: Record<string, Ours[string]> = {};

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const shapes: Readonly<Record<string, readonly number[]>> = {
  "0.weight": [4, 3],
  "0.bias": [4],
  "2.weight": [2, 4],
  "2.bias": [2],
};
const at0: Weights = Object.fromEntries(
  Object.entries(golden.at0).map(([name, values]) => [name, array(Float32Array.from(values), shapes[name] ?? [])]),
);

type Start = {
  readonly weights: Weights;
  readonly state?: OptimizerState | OptimizerStateSource;
  /** Default: all 8. One sample has no order, in which losses are added. */
  readonly samples?: 1 | 8;
};

/** Steps over all samples at once, as the script's. */
function steps(count: number, optimizer: optim.Transform, { weights, state, samples = 8 }: Start): PromiseLike<Run> {
  return fitWith(() => wasmBackend())(nn.sequential(nn.linear(4), nn.tanh(), nn.linear(2)), {
    train: {
      inputs: array(Float32Array.from(golden.x.slice(0, 3 * samples)), [samples, 3]),
      targets: array(Float32Array.from(golden.y.slice(0, 2 * samples)), [samples, 2]),
    },
    epochs: count,
    batchSize: 8,
    loss: nn.meanSquaredError(),
    optimizer,
    weights,
    ...(state === undefined ? {} : { optimizerState: state }),
  }) as PromiseLike<Run>;
}

/** The parameters themselves: asgd predicts with an average. */
async function trainedOf(run: Run): Promise<Values> {
  const { parameters } = await run.optimizerState();
  return Object.fromEntries(Object.entries(parameters).map(([name, { data }]) => [name, Array.from(data)]));
}

/** Largest difference of any number. Both sides compute in f32, and add in another order. */
function difference(a: Values, b: Values): number {
  expect(Object.keys(a)).toEqual(Object.keys(b));
  return Math.max(
    ...Object.entries(a).flatMap(([name, values]) => values.map((x, i) => Math.abs(x - (b[name]?.[i] ?? Number.NaN)))),
  );
}
/** Gradients that differ by their rounding, 20 times, where a rule divides small ones by their own size; 5e-6 was seen. */
const TOLERANCE = 1e-5;

describe.each(golden.cases)("$name", ({ name, config, at10, state, at20, afterOurs }) => {
  const optimizer = (): optim.Transform => optim.fromConfig(config);

  test("10 steps in PyTorch and 10 here are 20 steps in PyTorch", async () => {
    const weights = await decodeTorchWeights(bytesOf(at10));
    const run = await steps(10, optimizer(), { weights, state: await decodeTorchOptimizer(bytesOf(state)) });
    expect(difference(await trainedOf(run), at20)).toBeLessThan(TOLERANCE);
    expect((await run.optimizerState()).updates).toBe(
      config.name === "sgd" ? 10 : name.match(/momentum|dampening|lecture|nesterov/) ? 11 : 20,
    );
  });

  test("10 steps here and 10 in PyTorch are 20 steps here", async () => {
    const run = await steps(10, optimizer(), { weights: at0 });
    const remembered = await run.optimizerState();
    const made = { weights: await encodeTorch(remembered.parameters), state: await encodeTorchOptimizer(remembered) };
    if (WRITES) {
      written[name] = { weights: textOf(made.weights), state: textOf(made.state) };
      writeFileSync(new URL("ours.json", folder), `${JSON.stringify(written)}\n`);
      return;
    }
    // What PyTorch was given is what is written now, but for the last bits.
    const given = await decodeTorch(bytesOf(ours[name]?.state ?? ""));
    expectClose(await decodeTorch(made.state), given);
    const whole = await steps(20, optimizer(), { weights: at0 });
    expect(difference(await trainedOf(whole), afterOurs)).toBeLessThan(TOLERANCE);
  });

  test("10 steps here, through PyTorch's files, and 10 more are 20 steps here, bit for bit", async () => {
    const first = await steps(10, optimizer(), { weights: at0, samples: 1 });
    const remembered = await first.optimizerState();
    const file = await encodeTorchOptimizer(remembered);
    const second = await steps(10, optimizer(), {
      weights: remembered.parameters,
      samples: 1,
      state: await decodeTorchOptimizer(file),
    });
    const whole = await steps(20, optimizer(), { weights: at0, samples: 1 });
    const found = await trainedOf(second);
    // The lecture's velocity is divided by the rate and multiplied again.
    if (name === "lecture") expect(difference(found, await trainedOf(whole))).toBeLessThan(1e-6);
    else expect(found).toEqual(await trainedOf(whole));
  });
});

function expectClose(a: unknown, b: unknown): void {
  if (a instanceof HostArray && b instanceof HostArray) {
    expect(a.shape).toEqual(b.shape);
    for (const [i, x] of a.data.entries())
      expect(Math.abs(x - (b.data[i] as number))).toBeLessThan(1e-5 * (1 + Math.abs(x)));
  } else if (a instanceof Map && b instanceof Map) {
    expect([...a.keys()]).toEqual([...b.keys()]);
    for (const [key, value] of a) expectClose(value, b.get(key));
  } else if (Array.isArray(a) && Array.isArray(b)) {
    expect(a).toHaveLength(b.length);
    for (const [i, value] of a.entries()) expectClose(value, b[i]);
  } else expect(a).toEqual(b);
}

test("another run's optimizer state is taken as it is, bit for bit", async () => {
  const optimizer = (): optim.Transform => optim.adabelief(0.01);
  const first = await (await steps(10, optimizer(), { weights: at0, samples: 1 })).optimizerState();
  const second = await steps(10, optimizer(), { weights: first.parameters, state: first, samples: 1 });
  expect(await trainedOf(second)).toEqual(await trainedOf(await steps(20, optimizer(), { weights: at0, samples: 1 })));
});

test("what does not fit is refused by name", async () => {
  const stateOf = (name: string): string => golden.cases.find((each) => each.name === name)?.state ?? "";
  const adam = await decodeTorchOptimizer(bytesOf(stateOf("adam")), "optim.pt");
  const start = { weights: at0, state: adam };
  await expect(steps(1, optim.momentum(0.1), start)).rejects.toThrow(
    "optim.pt has exp_avg of 0.weight; expected the state of torch.optim.SGD: momentum_buffer",
  );
  await expect(steps(1, optim.adam(0.1, { amsgrad: true }), start)).rejects.toThrow(
    "optim.pt has no max_exp_avg_sq of 0.weight; expected the state of torch.optim.Adam.",
  );
  await expect(steps(1, optim.adam(0.1, { like: "lecture" }), start)).rejects.toThrow(
    "got adam with no bias correction, which torch.optim.Adam does not have",
  );
  await expect(steps(1, optim.lion(0.1), start)).rejects.toThrow("got lion; expected one of PyTorch's rules");
  await expect(decodeTorchOptimizer(bytesOf(golden.cases[0]?.at10 ?? ""), "w.pt")).rejects.toThrow(
    "w.pt has no state and param_groups",
  );
  const other = await (await steps(1, optim.adam(0.1), { weights: at0 })).optimizerState();
  await expect(steps(1, optim.sgd(0.1), { weights: at0, state: other })).rejects.toThrow(
    "optimizerState: got a state with m.0.weight f32[4,3], m.0.bias f32[4]",
  );
  const fit = fitWith(() => referenceBackend())(nn.sequential(nn.linear(5), nn.linear(2)), {
    train: { inputs: array([[1, 2, 3]]), targets: array([[1, 2]]) },
    epochs: 1,
    loss: nn.meanSquaredError(),
    optimizer: optim.adam(0.1),
    optimizerState: adam,
  });
  await expect(fit).rejects.toThrow(
    "optim.pt has exp_avg f32[4,3] of 0.weight; expected f32[5,3]. Are the parameters in another order?",
  );
});
