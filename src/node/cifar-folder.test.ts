import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { resolveDataset } from "./datasets.ts";
import { isPictures } from "./pictures/is-pictures.ts";

const folder = mkdtempSync(join(tmpdir(), "downhill-cifar-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Pictures of one colour each; their labels are the bytes before. */
function pictures(labels: readonly (readonly number[])[]): Uint8Array {
  const width = (labels[0]?.length ?? 0) + 3072;
  const bytes = new Uint8Array(labels.length * width);
  for (const [i, label] of labels.entries()) {
    bytes.fill(10 * (i + 1), i * width, (i + 1) * width);
    bytes.set(label, i * width);
  }
  return bytes;
}

function folderOf(name: string, files: Readonly<Record<string, Uint8Array>>): string {
  mkdirSync(join(folder, name));
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, name, file), bytes);
  return join(folder, name);
}

test("a folder with some of CIFAR-10's .bin files is read as that, in the batches' order", async () => {
  const source = folderOf("cifar-10-batches-bin", {
    "data_batch_2.bin": pictures([[2], [3]]),
    "data_batch_1.bin": pictures([[9]]),
    "test_batch.bin": pictures([[0], [1], [2]]),
    "batches.meta.txt": new TextEncoder().encode("airplane\n"),
  });
  expect(isPictures(source)).toBe(false);
  const { train, test: held } = await resolveDataset(source);
  expect([...train.targets.data]).toEqual([9, 2, 3]);
  expect(train.classes?.[9]).toBe("truck");
  expect(held.inputs.shape).toEqual([3, 3, 32, 32]);
  expect(held.inputs.data[3072]).toBe(20);
});

test("and CIFAR-100's, by its fine labels", async () => {
  const source = folderOf("cifar-100-binary", {
    "train.bin": pictures([
      [4, 0],
      [1, 99],
    ]),
    "test.bin": pictures([[1, 1]]),
  });
  const { train } = await resolveDataset(source);
  expect([...train.targets.data].map((label) => train.classes?.[label])).toEqual(["apple", "worm"]);
});

test("what is missing, cut off or of the other kind is said with its file", async () => {
  const lone = folderOf("lone", { "data_batch_1.bin": pictures([[1]]) });
  await expect(resolveDataset(lone)).rejects.toThrow(/lone has data_batch_1\.bin, but no test_batch\.bin/);
  const cut = folderOf("cut", { "data_batch_1.bin": pictures([[1]]).slice(9), "test_batch.bin": pictures([[1]]) });
  await expect(resolveDataset(cut)).rejects.toThrow(/data_batch_1\.bin has 3064 bytes; expected a multiple of 3073/);
  const other = folderOf("other", { "train.bin": pictures([[1]]), "test.bin": pictures([[1]]) });
  await expect(resolveDataset(other)).rejects.toThrow(/train\.bin has 3073 bytes; expected a multiple of 3074/);
});
