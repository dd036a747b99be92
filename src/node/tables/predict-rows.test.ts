import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { array } from "../../core/host-array.ts";
import { predictRows as predictText, tableFromCsv } from "../../data/table/rows.ts";
import { encodeNpy } from "../../io/npy.ts";
import * as nn from "../../nn/index.ts";
import * as optim from "../../optim/index.ts";
import { fit } from "../fit.ts";
import { load } from "../load-run.ts";
import { predictRows } from "./rows.ts";

test("a regression learned from text predicts a straight line, from memory, saved, and from files", async () => {
  const folder = mkdtempSync(join(tmpdir(), "downhill-predict-"));
  try {
    const lines = Array.from(
      { length: 80 },
      (_, i) => `${i % 40},${(i * 7) % 11},${1000 + 50 * (i % 40) - 20 * ((i * 7) % 11)}.5`,
    );
    const data = await tableFromCsv(["x0,x1,price", ...lines].join("\n"), { target: "price", validation: 0 });
    const run = await fit(nn.tabular({ outputs: 1, hidden: [16] }) as never, {
      ...{ train: data.train as never, epochs: 60, batchSize: 16, seed: 1, threads: 1 },
      loss: nn.meanSquaredError() as never,
      metrics: [
        nn.metrics.meanAbsoluteError({
          scale: data.encoding.target.task === "regression" ? data.encoding.target.std : 1,
        }),
      ] as never,
      optimizer: optim.adam(0.02),
    });
    const metrics = await run.evaluate(data.test as never);
    // Prices spread over 2,000.
    expect(metrics.meanAbsoluteError).toBeLessThan(40);
    const path = join(folder, "model.safetensors");
    writeFileSync(path, await run.toBytes());
    const model = await load(path);
    const rows = { text: "x1,x0\n3,20\n0,5\n" };
    const found = await predictText(model, rows);
    const wanted = [1940.5, 1250.5];
    found.forEach((each, i) => {
      expect("value" in each && Math.abs(each.value - (wanted[i] as number))).toBeLessThan(120);
    });
    writeFileSync(join(folder, "rows.jsonl"), '{"x0":20,"x1":3}\n{"x0":5,"x1":0}\n');
    expect(await predictRows(model, join(folder, "rows.jsonl"))).toEqual(found);
    writeFileSync(
      join(folder, "rows.npy"),
      encodeNpy(
        array([
          [20, 3],
          [5, 0],
        ]),
      ),
    );
    expect(await predictRows(model, join(folder, "rows.npy"))).toEqual(found);
    await expect(predictRows(model, { name: "bad", text: "x0,x1\n1,two\n" })).rejects.toThrow(
      'bad, row 1 has "two" in column x1',
    );
    await Promise.all([run.close(), model.close()]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a model of no table is refused", async () => {
  const model = { table: undefined, outputs: () => Promise.resolve(undefined) };
  await expect(predictText(model, { text: "a\n1\n" })).rejects.toThrow("got a model that was not trained on a table");
});
