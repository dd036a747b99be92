import { DataError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";

const PIXELS = 3 * 32 * 32;
const KINDS = { cifar10: { labels: [10] }, cifar100: { labels: [20, 100] } } as const;

export type Cifar = {
  /** u8 [N, 3, 32, 32]: red, green, blue. */
  readonly images: HostArray;
  /** i32 [N]: the class; of CIFAR-100 the fine one. */
  readonly labels: HostArray;
  /** i32 [N]: CIFAR-100's 20 groups of classes. */
  readonly coarse?: HostArray;
};

/**
 * The pictures and labels of a CIFAR-10 or CIFAR-100 file, binary version: for each picture one label (or a coarse and a
 * fine one) and 3,072 bytes.
 *
 * Throws DataError naming `name` and the byte where the file is no whole number of pictures, or a label is out of range.
 * Source: https://www.cs.toronto.edu/~kriz/cifar.html
 *
 * @example
 * decodeCifar(new Uint8Array(2 * 3073), "cifar10").images.shape // -> [2, 3, 32, 32]
 */
export function decodeCifar(bytes: Uint8Array, kind: keyof typeof KINDS, name = "cifar"): Cifar {
  const { labels: limits } = KINDS[kind];
  const record = limits.length + PIXELS;
  const count = bytes.length / record;
  if (!Number.isInteger(count) || count === 0)
    throw new DataError(
      `cifar: ${name} has ${bytes.length} bytes; expected a multiple of ${record}, what a picture of ${kind} takes. Is it truncated, or of the other kind?`,
      `${name}, byte ${Math.floor(count) * record}`,
    );
  const images = new Uint8Array(count * PIXELS);
  const labels = limits.map(() => new Int32Array(count));
  for (let n = 0; n < count; n++) {
    limits.forEach((limit, i) => {
      const label = bytes[n * record + i] as number;
      if (label >= limit)
        throw new DataError(
          `cifar: ${name} has the label ${label} for picture ${n}; expected 0 to ${limit - 1}.`,
          `${name}, byte ${n * record + i}`,
        );
      (labels[i] as Int32Array)[n] = label;
    });
    images.set(bytes.subarray(n * record + limits.length, (n + 1) * record), n * PIXELS);
  }
  const [coarse, fine = coarse] = labels.map((values) => new HostArray("i32", [count], values));
  return {
    images: new HostArray("u8", [count, 3, 32, 32], images),
    labels: fine as HostArray,
    ...(limits.length === 2 ? { coarse: coarse as HostArray } : {}),
  };
}
