import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keyOf, uniformAt } from "../../src/core/prng.ts";

export const SIZE = 12;

/** Pictures of a horizontal, a vertical or a diagonal bar over noise, as the four idx files of MNIST's form. */
export function writeBars(folder: string, counts: { readonly train: number; readonly test: number }): string {
  mkdirSync(folder, { recursive: true });
  const parts = [
    ["train", counts.train, 1],
    ["t10k", counts.test, 2],
  ] as const;
  for (const [name, count, seed] of parts) {
    const { images, labels } = bars(count, seed);
    writeFileSync(join(folder, `${name}-images-idx3-ubyte`), idx([count, SIZE, SIZE], images));
    writeFileSync(join(folder, `${name}-labels-idx1-ubyte`), idx([count], labels));
  }
  return folder;
}

export function bars(count: number, seed: number): { images: Uint8Array; labels: Uint8Array } {
  const key = keyOf(seed);
  const images = new Uint8Array(count * SIZE * SIZE);
  const labels = new Uint8Array(count);
  for (let n = 0; n < count; n++) {
    const kind = n % 3;
    labels[n] = kind;
    const place = Math.floor(uniformAt(key, n) * SIZE);
    for (let y = 0; y < SIZE; y++)
      for (let x = 0; x < SIZE; x++) {
        const at = (n * SIZE + y) * SIZE + x;
        const on = kind === 0 ? y === place : kind === 1 ? x === place : (x - y + SIZE) % SIZE === place;
        images[at] = (on ? 180 : 0) + Math.floor(uniformAt(key, count + at) * 60);
      }
  }
  return { images, labels };
}

/** http://yann.lecun.com/exdb/mnist: two zero bytes, the type, the rank, the sizes big-endian, then the elements. */
export function idx(shape: readonly number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt8(8, 2);
  header.writeUInt8(shape.length, 3);
  shape.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([header, data]);
}
