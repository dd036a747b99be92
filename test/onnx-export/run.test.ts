import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportCommand } from "../../src/cli/export.ts";
import { Screen } from "../../src/cli/screen.ts";
import { HostArray } from "../../src/core/host-array.ts";
import { type Dataset, takeRows } from "../../src/data/dataset.ts";
import * as nn from "../../src/nn/index.ts";
import { mnist } from "../../src/node/datasets.ts";
import { fit } from "../../src/node/fit.ts";
import * as optim from "../../src/optim/index.ts";
import { exportOnnx } from "../../src/train/export-onnx.ts";
import type { Run } from "../../src/train/fit.ts";
import { contentsOf, expectClose, open, runOnnx } from "./check.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-onnx-"));
let run: Run<HostArray, HostArray>;
let data: Dataset;

const rows = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

beforeAll(async () => {
  const sets = await mnist();
  data = sets.test;
  const few = {
    ...sets.train,
    inputs: takeRows(sets.train.inputs, rows(256)),
    targets: takeRows(sets.train.targets, rows(256)),
  };
  run = (await fit(
    nn.sequential(nn.conv2d(4, 3), nn.batchNorm(), nn.relu(), nn.maxPool2d(4), nn.flatten(), nn.linear(10)),
    {
      train: few,
      epochs: 1,
      batchSize: 32,
      loss: nn.crossEntropy(),
      optimizer: optim.adam(0.01),
      out: folder,
      threads: 1,
    },
  )) as unknown as typeof run;
});
afterAll(async () => {
  await run.close();
  rmSync(folder, { recursive: true });
});

describe("a trained run's file", () => {
  test("gives its probabilities for pixels, under the names of its classes", async () => {
    const bytes = await exportOnnx(run, { softmax: true, name: "digits" });
    const pictures = takeRows(data.inputs, rows(9));
    const session = await open(bytes);
    const found = (await runOnnx(session, pictures)).get("output") as HostArray;
    const said = await run.predict(pictures);
    said.forEach(({ index, probabilities }, i) => {
      const own = found.data.subarray(10 * i, 10 * i + 10);
      expect(own.indexOf(Math.max(...own))).toBe(index);
      // Probabilities are sums and quotients of a few roundings.
      for (const [c, p] of probabilities.entries()) expect(Math.abs((own[c] as number) - p)).toBeLessThan(2e-6);
    });
    expect(session.inputMetadata).toEqual([{ name: "input", isTensor: true, type: "uint8", shape: ["N", 1, 28, 28] }]);
    expect(session.outputMetadata).toEqual([{ name: "output", isTensor: true, type: "float32", shape: ["N", 10] }]);
    await session.release();
    const { producer, opset, metadata, constants } = contentsOf(bytes);
    expect([producer, opset]).toEqual(["downhill", 18]);
    expect(JSON.parse(metadata.classes ?? "")).toEqual(run.classes);
    expect(constants).toEqual(
      expect.arrayContaining(["0.weight", "0.bias", "1.running_mean", "1.bias", "5.weight", "5.bias"]),
    );
  });

  test("comes from the command line too", async () => {
    const said: string[] = [];
    const stream = new Writable({
      write(text, _, done) {
        said.push(String(text));
        done();
      },
    }) as unknown as NodeJS.WriteStream;
    const file = join(folder, "digits.onnx");
    await exportCommand(new Screen(stream)).parseAsync([run.place ?? "", "--onnx", file], { from: "user" });
    expect(said.join("")).toBe(`ONNX, opset 18, batches of any size: ${file}\n`);
    const session = await open(new Uint8Array(readFileSync(file)));
    const pictures = takeRows(data.inputs, rows(3));
    const found = await runOnnx(session, pictures);
    // The same weights, read back from disk: sums of 676 products, rounded to f32 in another order.
    expectClose(found.get("output"), (await run.outputs(pictures)) as HostArray, 2e-6, "output");
    await session.release();
  });

  test("has no probabilities where there are no scores", async () => {
    const inputs = takeRows(data.inputs, rows(4));
    const row = { inputs, targets: new HostArray("f32", inputs.shape, Float32Array.from(inputs.data)) };
    const other = await fit(nn.conv2d(1, 1), {
      train: row,
      epochs: 1,
      batchSize: 4,
      loss: nn.meanSquaredError(),
      optimizer: optim.sgd(0.01),
      out: folder,
      threads: 1,
    });
    await expect(exportOnnx(other, { softmax: true })).rejects.toThrow(
      "exportOnnx: got softmax for a model that gives no scores f32[N,C]; expected a classifier.",
    );
    await other.close();
  });
});
