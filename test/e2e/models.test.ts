import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import * as nn from "../../src/nn/index.ts";
import { models } from "../../src/nn/models/table.ts";
import { requireBuilt } from "../built.ts";
import { SIZE, writeBars } from "./bars.ts";
import { downhill } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-models-"));
const RUN = ["--model", "resnet20", "--epochs", "1", "--batch-size", "32", "--threads", "1"] as const;

/** A ResNet-20 of other classes as DataParallel saves it. */
function checkpoint(classes: number): string {
  const net = nn.model(nn.resnet20({ classes }));
  const { params, buffers } = net.init(11, { dtype: "f32", shape: [2, 1, SIZE, SIZE] });
  const state = Object.entries(net.stateDict(params, buffers)).map(([name, value]) => [`module.${name}`, value]);
  const file = join(folder, `resnet20-${classes}.safetensors`);
  writeFileSync(file, encodeSafetensors(Object.fromEntries(state)));
  return file;
}

beforeAll(() => {
  requireBuilt();
  writeBars(join(folder, "bars"), { train: 96, test: 12 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("models lists all, at most 80 columns wide", async () => {
  const { code, stdout } = await downhill(folder, "models");
  expect(code).toBe(0);
  const lines = stdout.split("\n");
  for (const { name } of models)
    expect(
      lines.some((line) => line.startsWith(`${name} `)),
      name,
    ).toBe(true);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
});

test("an unknown model is refused with its neighbour", async () => {
  const { code, stderr } = await downhill(folder, "train", "./bars", "--model", "resnet81");
  expect(code).toBe(2);
  expect(stderr).toMatch(/--model: got "resnet81"; expected one of mlp, cnn, .*gpt, tabular\. Did you mean resnet/s);
});

test("weights of other classes are refused by name, and left out on request", { timeout: 120_000 }, async () => {
  const file = checkpoint(10);
  const args = ["train", "./bars", ...RUN, "--weights", file];
  const refused = await downhill(folder, ...args);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("2 of another type");
  expect(refused.stderr).toContain("got f32[10,64] for linear.weight; expected f32[3,64].");
  expect(refused.stderr).toContain("--no-strict leaves out what does not fit");
  const taken = await downhill(folder, ...args, "--no-strict", "--freeze", "conv1, layer1", "--out", "tuned");
  expect(taken.stderr).toBe("");
  expect(taken.stdout).toContain(`114 arrays from ${file}`);
  expect(taken.stdout).toContain("of another size, so drawn anew: linear.weight, linear.bias");
  const place = /Saved to (\S+)/.exec(taken.stdout)?.[1] ?? "";
  const saved = decodeSafetensors(readFileSync(join(folder, place, "model.safetensors"))).tensors;
  const given = decodeSafetensors(readFileSync(file)).tensors;
  expect(saved["layer1.0.conv1.weight"]?.data).toEqual(given["module.layer1.0.conv1.weight"]?.data);
  expect(saved["layer3.0.conv2.weight"]?.data).not.toEqual(given["module.layer3.0.conv2.weight"]?.data);

  const again = await downhill(folder, "train", "./bars", ...RUN, "--weights", place);
  expect(again.code).toBe(0);
  expect(again.stdout).toContain(`116 arrays from ${place}`);
});

test("weights that cannot be read, or belong elsewhere, are refused", async () => {
  const absent = await downhill(folder, "train", "./bars", ...RUN, "--weights", "none.safetensors");
  expect([absent.code, absent.stderr]).toEqual([2, expect.stringContaining("--weights: cannot read none.safetensors")]);
  const alone = await downhill(folder, "train", "./bars", "--no-strict");
  expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining("--no-strict: got it without --weights")]);
});
