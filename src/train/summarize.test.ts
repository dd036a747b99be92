import { expect, test } from "vitest";
import { wasmBackend } from "../backends/wasm/index.ts";
import { aval } from "../core/dtype.ts";
import * as nn from "../nn/index.ts";
import type { Tensor } from "../ops/tensor.ts";
import { summarizeWith } from "./summarize.ts";

const summarize = summarizeWith(() => wasmBackend());
const peakOf = (text: string): number => {
  const [, size = "", unit = ""] = /training step: ([\d.]+) (bytes|KiB|MiB)/.exec(text) ?? [];
  return Number(size) * { bytes: 1, KiB: 1024, MiB: 2 ** 20 }[unit as "KiB"];
};

test("adds the peak memory of the compiled step, which follows the batch and rematerialisation", async () => {
  const block = nn.sequential(nn.linear(64), nn.gelu(), nn.linear(64), nn.gelu());
  const deep = (wrap: (layer: nn.Layer) => nn.Layer) => nn.sequential(...Array.from({ length: 6 }, () => wrap(block)));
  const small = peakOf(
    await summarize(
      deep((layer) => layer),
      aval("f32", [64, 64]),
    ),
  );
  const large = peakOf(
    await summarize(
      deep((layer) => layer),
      aval("f32", [256, 64]),
    ),
  );
  const again = peakOf(await summarize(deep(nn.remat), aval("f32", [256, 64])));
  // An activation of 256 x 64 is 64 KiB; some 20 of them live at once, and the gradients' 192 KiB with either batch.
  expect(large).toBeGreaterThan(20 * 2 ** 16);
  expect(large - small).toBeGreaterThan(0.5 * large);
  expect(again).toBeLessThan(0.75 * large);
});

test("takes records and integers, and lines of at most 80 columns", async () => {
  const net = nn.compose(
    { words: nn.embedding(11, 4), out: nn.linear(3) },
    ({ ids, scale }: { ids: Tensor; scale: Tensor }, { words, out }) => out(words(ids)).mul(scale.unsqueeze(1)),
  );
  const text = await summarize(net, { ids: aval("i32", [2, 5]), scale: aval("f32", [2, 1]) });
  expect(text).toMatch(/words embedding +f32\[2,5,4\] +44 /);
  expect(text).toContain("training step: ");
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});
