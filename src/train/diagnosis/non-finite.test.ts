import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../backends/wasm/index.ts";
import { array, HostArray } from "../../core/host-array.ts";
import * as nn from "../../nn/index.ts";
import type { Tensor } from "../../ops/tensor.ts";
import * as optim from "../../optim/index.ts";
import { fitWith } from "../fit.ts";
import { NonFiniteLossError } from "../non-finite-loss.ts";
import type { NonFiniteOrigin } from "./non-finite.ts";

const fit = fitWith(() => wasmBackend());
const count = 24;
const noise = (...shape: number[]) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return new HostArray(
    "f32",
    shape,
    Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 257) / 257 - 0.5),
  );
};
const labels = array(
  Int32Array.from({ length: count }, (_, i) => i % 3),
  [count],
);

type Options = { inputs?: HostArray; rate?: number; loss?: nn.Loss; weights?: Record<string, HostArray> };

async function originOf(model: nn.Layer, options: Options = {}): Promise<{ error: Error; origin: NonFiniteOrigin }> {
  const { inputs = noise(count, 6), rate = 0.01, loss = nn.crossEntropy(), weights } = options;
  const error = await Promise.resolve(
    fit(model as never, {
      train: { inputs, targets: labels } as never,
      epochs: 40,
      batchSize: 8,
      loss: loss as never,
      optimizer: optim.sgd(rate),
      ...(weights === undefined ? {} : { weights }),
    }),
  ).then(
    () => new Error("it did not fail"),
    (caught: Error) => caught,
  );
  expect(error).toBeInstanceOf(NonFiniteLossError);
  const { origin } = error as NonFiniteLossError;
  expect(origin).toBeDefined();
  expect(error.message).toContain((origin as NonFiniteOrigin).text);
  return { error, origin: origin as NonFiniteOrigin };
}

const between = (name: string, f: (x: Tensor) => Tensor): nn.Layer =>
  nn.sequential(nn.linear(5), nn.relu(), nn.lambda(name, f), nn.linear(3));

describe("what went wrong first is named", () => {
  test("the logarithm of a negative number, in its layer", async () => {
    const { origin } = await originOf(
      nn.sequential(
        nn.linear(5),
        nn.lambda("log", (x) => x.log()),
        nn.linear(3),
      ),
    );
    expect(origin).toMatchObject({ phase: "forward", layer: "sequential.1 (log)", tensor: "f32[8,5]" });
    expect(origin.operation).toMatch(/^log %\d+$/);
    expect(origin.nan).toBeGreaterThan(0);
    expect(origin.text).toMatch(
      /^It began with log %\d+ in sequential\.1 \(log\), forward: \d+ NaN in f32\[8,5\], the logarithm of -/,
    );
  });

  test("an exponential that overflows, though the NaN comes later", async () => {
    const { origin } = await originOf(
      between("burst", (x) => {
        const e = x.add(90).exp();
        return e.div(e.sum());
      }),
    );
    expect(origin.operation).toMatch(/^exp %/);
    expect(origin.layer).toBe("sequential.2 (burst)");
    expect(origin.text).toMatch(/infinite in f32\[8,5\], the exponential of 9\d/);
  });

  test("0 / 0", async () => {
    const { origin } = await originOf(between("ratio", (x) => x.div(x)));
    expect(origin.operation).toMatch(/^div %/);
    expect(origin.text).toContain("a division by 0");
  });

  test("a derivative that is infinite: the backward pass, with the weights before it", async () => {
    const { origin, error } = await originOf(between("root", (x) => x.mul(0).sqrt()));
    expect(origin.phase).toBe("backward");
    expect(error.message).toMatch(
      /It began with the parameter \S+, \d+ NaN before this step\. With the weights before, it begins with/,
    );
  });

  test("a rate that is too high: a product that overflows", async () => {
    const { error } = await originOf(nn.sequential(nn.linear(5), nn.linear(3)), { rate: 1e30 });
    expect(error.message).toMatch(/It began with /);
  });

  test("a sample of the data", async () => {
    const inputs = noise(count, 6);
    inputs.data[17 * 6 + 2] = Number.NaN;
    const { origin } = await originOf(nn.sequential(nn.linear(5), nn.linear(3)), { inputs });
    expect(origin).toMatchObject({ operation: "data", tensor: "inputs", nan: 1, index: [17, 2] });
    expect(origin.text).toBe("It began with sample 17 of the data, 1 NaN in its inputs");
  });

  test("a given weight", async () => {
    const weights = { weight: noise(3, 6), bias: noise(3) };
    weights.weight.data[4] = Infinity;
    const { origin } = await originOf(nn.linear(3), { weights });
    expect(origin).toMatchObject({ operation: "parameter", tensor: "weight", infinite: 1, index: [0, 4] });
  });

  test("a loss of the user's own", async () => {
    const loss = {
      name: "mine",
      config: { kind: "mine" },
      apply: (output: Tensor) => output.sub(100).log().mean(),
    } as unknown as nn.Loss;
    const { origin } = await originOf(nn.linear(3), { loss });
    expect(origin.operation).toMatch(/^log %/);
    expect(origin.phase).toBe("forward");
  });

  test("in a convolution's and in a recurrent network", async () => {
    const cnn = nn.sequential(
      nn.conv2d(4, 3, { padding: 1 }),
      nn.batchNorm(),
      nn.lambda("log", (x) => x.log()),
      nn.flatten(),
      nn.linear(3),
    );
    expect((await originOf(cnn, { inputs: noise(count, 2, 5, 5) })).origin).toMatchObject({
      layer: "sequential.2 (log)",
      phase: "forward",
    });
    const lstm = nn.sequential(
      nn.lstm(5),
      nn.lambda("last", (x) => x.narrow(1, 3, 1).squeeze(1).sub(2).log()),
      nn.linear(3),
    );
    expect((await originOf(lstm, { inputs: noise(count, 4, 5) })).origin).toMatchObject({
      layer: "sequential.1 (last)",
      phase: "forward",
    });
  });

  test("not an infinity that is meant: a mask before a softmax", async () => {
    const model = nn.sequential(
      nn.linear(5),
      nn.lambda("masked", (x) => {
        const mask = x.iota([8, 5], 1).less(3);
        return mask.select(x, x.full(-Infinity, [8, 5], "f32")).softmax(1);
      }),
      nn.linear(3),
      nn.lambda("log", (x) => x.sub(50).log()),
    );
    expect((await originOf(model)).origin).toMatchObject({ layer: "sequential.3 (log)", phase: "forward" });
  });
});
