import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { array } from "../core/host-array.ts";
import * as nn from "../nn/index.ts";
import { fit } from "../node/fit.ts";
import * as optim from "../optim/index.ts";
import { decodeTorch, encodeTorchOptimizer } from "../train/torch.ts";
import { exportCommand } from "./export.ts";
import { Screen } from "./screen.ts";

test("the optimizer's state of a run's last checkpoint is what the run itself gives", async () => {
  const folder = mkdtempSync(join(tmpdir(), "downhill-export-"));
  const run = await fit(nn.linear(2), {
    train: {
      inputs: array([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      targets: array([
        [1, 0],
        [0, 1],
        [1, 1],
      ]),
    },
    epochs: 3,
    batchSize: 2,
    loss: nn.meanSquaredError(),
    optimizer: optim.adam(0.01),
    out: folder,
    threads: 1,
  });
  const wanted = await decodeTorch(await encodeTorchOptimizer(await run.optimizerState()));
  await run.close();
  const said: string[] = [];
  const stream = new Writable({
    write(text, _, done) {
      said.push(String(text));
      done();
    },
  }) as unknown as NodeJS.WriteStream;
  const file = join(folder, "optimizer.pt");
  await exportCommand(new Screen(stream)).parseAsync([run.place ?? "", "--optimizer-state", file], { from: "user" });
  expect(said.join("")).toBe(`Optimizer state for PyTorch, after step 6: ${file}\n`);
  const found = await decodeTorch(new Uint8Array(readFileSync(file)));
  expect(found).toEqual(wanted);
  const state = (found as ReadonlyMap<string, ReadonlyMap<number, ReadonlyMap<string, { item(): number }>>>).get(
    "state",
  );
  expect(state?.get(0)?.get("step")?.item()).toBe(6);
  rmSync(folder, { recursive: true });
});
