import { HostArray } from "../../core/host-array.ts";
import { encodePng } from "../../io/png.ts";

/** A picture as it stands in a page. */
export type InlinePicture = { readonly uri: string; readonly width: number; readonly height: number };

export async function inline(picture: HostArray): Promise<InlinePicture> {
  const [height, width] = picture.shape.slice(-2) as [number, number];
  const bytes = Buffer.from(await encodePng(picture));
  return { uri: `data:image/png;base64,${bytes.toString("base64")}`, width, height };
}

/** Longer sides are halved until they are no longer than this. */
const MAX_SIDE = 128;

/** Whether samples [C, H, W] or [H, W] can be shown. */
export function arePictures(sample: readonly number[]): boolean {
  const [channels, height = 0, width = 0] = sample.length === 2 ? [1, ...sample] : sample;
  return sample.length < 4 && (channels === 1 || channels === 3) && Math.min(height, width) > 1;
}

/** Input `index` as a picture u8 [C, H, W]; floats from their smallest to their largest. */
export function pictureOf(inputs: HostArray, index: number): HostArray {
  const shape = inputs.shape.length === 3 ? [1, ...inputs.shape.slice(1)] : inputs.shape.slice(1);
  const size = shape.reduce((a, b) => a * b, 1);
  const values = inputs.data.subarray(index * size, (index + 1) * size);
  if (inputs.dtype === "u8") return halved(new HostArray("u8", shape, Uint8Array.from(values)));
  const [low, high] = rangeOf(values);
  const grey = Uint8Array.from(values, (value) => (high > low ? Math.round((255 * (value - low)) / (high - low)) : 0));
  return halved(new HostArray("u8", shape, grey));
}

function rangeOf(values: ArrayLike<number>): readonly [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i] as number);
    high = Math.max(high, values[i] as number);
  }
  return [low, high];
}

/** A map of what is not below 0 as glowing colours u8 [4, H, W], clear where it is 0. */
export function glow(map: ArrayLike<number>, height: number, width: number): HostArray {
  const [, high] = rangeOf(map);
  const size = height * width;
  const data = new Uint8Array(4 * size);
  for (let i = 0; i < size; i++) {
    const share = high > 0 ? Math.max(0, (map[i] as number) / high) : 0;
    data.set([255], i);
    data.set([Math.round(60 + 180 * share)], size + i);
    data.set([Math.round(235 * share)], 3 * size + i);
  }
  return halved(new HostArray("u8", [4, height, width], data));
}

function halved(picture: HostArray): HostArray {
  const [channels, height, width] = picture.shape as [number, number, number];
  if (Math.max(height, width) <= MAX_SIDE || Math.min(height, width) < 2) return picture;
  const [h, w] = [Math.floor(height / 2), Math.floor(width / 2)];
  const data = new Uint8Array(channels * h * w);
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        const at = (c * height + 2 * y) * width + 2 * x;
        const sum = [at, at + 1, at + width, at + width + 1].reduce(
          (total, i) => total + (picture.data[i] as number),
          0,
        );
        data[(c * h + y) * w + x] = Math.round(sum / 4);
      }
  return halved(new HostArray("u8", [channels, h, w], data));
}

const MAX_FILTERS = 64;

/** Filters [O, C, h, w] of 1 or 3 channels side by side, as many across as down; grey in the middle stands for 0. */
export function mosaic(filters: HostArray): HostArray {
  const [all, channels, height, width] = filters.shape as [number, number, number, number];
  const shown = Math.min(all, MAX_FILTERS);
  const across = Math.min(shown, Math.ceil(Math.sqrt(2 * shown)));
  const down = Math.ceil(shown / across);
  const [h, w] = [down * (height + 1) - 1, across * (width + 1) - 1];
  const data = new Uint8Array(4 * h * w);
  const size = channels * height * width;
  for (let n = 0; n < shown; n++) {
    const values = filters.data.subarray(n * size, (n + 1) * size);
    const [low, high] = rangeOf(values);
    const largest = Math.max(Math.abs(low), Math.abs(high)) || 1;
    const [top, left] = [Math.floor(n / across) * (height + 1), (n % across) * (width + 1)];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const at = (top + y) * w + left + x;
        for (let c = 0; c < 3; c++) {
          const value = values[((channels === 1 ? 0 : c) * height + y) * width + x] as number;
          data[c * h * w + at] = Math.round(127.5 + (127.5 * value) / largest);
        }
        data[3 * h * w + at] = 255;
      }
  }
  return new HostArray("u8", [4, h, w], data);
}

/** Filters of the first layer that sees pixels, as [O, C, h, w], with its name: a convolution's, or a linear layer's over whole pictures. */
export function firstFilters(
  weights: Readonly<Record<string, HostArray>>,
  sample: readonly number[],
): { readonly name: string; readonly filters: HostArray } | undefined {
  if (!arePictures(sample)) return undefined;
  const picture = sample.length === 2 ? [1, ...sample] : sample;
  const size = picture.reduce((a, b) => a * b, 1);
  for (const [name, { dtype, shape, data }] of Object.entries(weights)) {
    if (dtype !== "f32" || shape.length < 2) continue;
    const [outputs, inputs] = shape as [number, number];
    if (
      shape.length === 4 &&
      (inputs === 1 || inputs === 3) &&
      inputs === picture[0] &&
      Math.max(...shape.slice(2)) > 1
    )
      return { name, filters: new HostArray("f32", shape, data) };
    if (shape.length === 2 && inputs === size)
      return { name, filters: new HostArray("f32", [outputs, ...picture], data) };
    return undefined;
  }
  return undefined;
}
