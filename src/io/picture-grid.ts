import { formatAval } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";

export type PictureGridOptions = {
  /** Pictures in a row. Default: as many as make a square. */
  readonly columns?: number;
  /** What becomes black and white: the least and largest value of each picture, of all, or 0 and 255. Default: 0 and 255 of u8, else "all". */
  readonly range?: "each" | "all" | "u8";
  /** Pixels of the grid's lines. Default 1. */
  readonly gap?: number;
  /** Each pixel becomes a square of so many. Default: as many as make pictures of 24 pixels, and at least 1. */
  readonly zoom?: number;
};

/** Of the lines and of cells without a picture. */
const LINE = 128;
const LEAST_SIDE = 24;

/**
 * Pictures [N, H, W] or [N, C, H, W] (1 or 3 channels) side by side as one, u8 [C, ...].
 *
 * Errors: ShapeError for another shape.
 *
 * @example
 * pictureGrid(zeros([4, 1, 28, 28], "u8")).shape // -> [1, 57, 57]
 */
export function pictureGrid(pictures: HostArray, options: PictureGridOptions = {}): HostArray {
  const { shape } = pictures;
  const [count, channels, height, width] = (shape.length === 3 ? [shape[0], 1, shape[1], shape[2]] : shape) as [
    number,
    number,
    number,
    number,
  ];
  if (shape.length < 3 || shape.length > 4 || (channels !== 1 && channels !== 3) || pictures.data.length === 0)
    throw new ShapeError(
      `pictureGrid: got ${formatAval(pictures.aval)}; expected pictures [N,H,W] or [N,C,H,W] with 1 or 3 channels.`,
    );
  const { gap = 1, columns = Math.ceil(Math.sqrt(count)), range = pictures.dtype === "u8" ? "u8" : "all" } = options;
  const zoom = options.zoom ?? Math.max(1, Math.ceil(LEAST_SIDE / Math.min(height, width)));
  const rows = Math.ceil(count / columns);
  const [cellHeight, cellWidth] = [height * zoom + gap, width * zoom + gap];
  const [allHeight, allWidth] = [rows * cellHeight - gap, columns * cellWidth - gap];
  const out = new Uint8Array(channels * allHeight * allWidth).fill(LINE);
  const size = channels * height * width;
  const all = range === "all" ? rangeOf(pictures.data, 0, pictures.data.length) : ([0, 255] as const);
  for (let n = 0; n < count; n++) {
    const [low, high] = range === "each" ? rangeOf(pictures.data, n * size, size) : all;
    const scale = high > low ? 255 / (high - low) : 0;
    const top = Math.floor(n / columns) * cellHeight;
    const left = (n % columns) * cellWidth;
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < height * zoom; y++)
        for (let x = 0; x < width * zoom; x++) {
          const from = n * size + (c * height + Math.floor(y / zoom)) * width + Math.floor(x / zoom);
          const value = ((pictures.data[from] as number) - low) * scale;
          // What is not a number becomes 0.
          out[(c * allHeight + top + y) * allWidth + left + x] = Math.min(255, Math.max(0, Math.round(value)));
        }
  }
  return new HostArray("u8", [channels, allHeight, allWidth], out);
}

/** The least and the largest finite value. */
function rangeOf(data: ArrayLike<number>, from: number, length: number): readonly [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (let i = from; i < from + length; i++) {
    const value = data[i] as number;
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [0, 255];
}
