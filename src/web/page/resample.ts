/** Red, green, blue, channels last: 3 height width numbers. */
export type Pixels = { readonly data: Uint8ClampedArray; readonly width: number; readonly height: number };

/** The pixels of one line that a new one is made of: from `first` on, with these shares; past the sides the last repeat. */
type Mix = { readonly first: number; readonly shares: readonly number[] };

/** Lobes of Lanczos' kernel. */
const LOBES = 3;

function lanczos(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle);
}

/** Catmull and Rom's kernel. */
function cubic(x: number): number {
  const d = Math.abs(x);
  if (d >= 2) return 0;
  return d < 1 ? 1.5 * d ** 3 - 2.5 * d ** 2 + 1 : -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2;
}

function mix(centre: number, reach: number, kernel: (x: number) => number): Mix {
  const first = Math.ceil(centre - reach);
  const shares = Array.from({ length: Math.floor(centre + reach) - first + 1 }, (_, k) => kernel(first + k - centre));
  const sum = shares.reduce((a, b) => a + b, 0);
  return { first, shares: shares.map((share) => share / sum) };
}

/** One axis: means of blocks of pixels, and what each new pixel is of those. */
type Axis = { readonly block: number; readonly mixes: readonly Mix[] };

/**
 * As libvips does it, which sharp uses: down to between two and three times the size by means of blocks and from there by Lanczos' kernel; up by
 * a cubic one, from the left pixel's middle. `step` old pixels are a new one, about `from` / `to`.
 */
function axisOf(from: number, to: number, step: number): Axis {
  const each = (make: (i: number) => Mix): readonly Mix[] => Array.from({ length: to }, (_, i) => make(i));
  if (step < 1) return { block: 1, mixes: each((i) => mix(i * step - 0.5, 2, cubic)) };
  const block = Math.max(1, Math.floor(step / 2));
  const rest = step / block;
  if (rest === 1 && from / block === to) return { block, mixes: each((i) => ({ first: i, shares: [1] })) };
  // What the new pixels do not cover is left out at both sides alike.
  const start = (from - step * to) / 2 / block;
  return { block, mixes: each((i) => mix(start + (i + 0.5) * rest - 0.5, LOBES * rest, (x) => lanczos(x / rest))) };
}

/** Lines of `stride` numbers each, along an axis on which there are `from`: as whole numbers from 0 to 255, as libvips has them in between. */
function alongLines(data: Uint8ClampedArray, from: number, stride: number, { block, mixes }: Axis): Uint8ClampedArray {
  const means = block === 1 ? data : new Uint8ClampedArray(stride * Math.ceil(from / block));
  const count = means.length / stride;
  const line = new Float64Array(stride);
  if (block > 1)
    for (let y = 0; y < count; y++) {
      line.fill(0);
      for (let k = 0; k < block; k++) add(line, data, Math.min(from - 1, y * block + k), 1 / block);
      means.set(line, y * stride);
    }
  const out = new Uint8ClampedArray(stride * mixes.length);
  for (const [y, { first, shares }] of mixes.entries()) {
    line.fill(0);
    for (const [k, share] of shares.entries()) add(line, means, Math.min(count - 1, Math.max(0, first + k)), share);
    out.set(line, y * stride);
  }
  return out;
}

function add(sum: Float64Array, data: Uint8ClampedArray, at: number, share: number): void {
  const from = at * sum.length;
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + share * (data[from + i] as number);
}

/** Rows as columns. */
function turned({ data, width, height }: Pixels): Uint8ClampedArray {
  const out = new Uint8ClampedArray(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) out[3 * (x * height + y) + c] = data[3 * (y * width + x) + c] as number;
  return out;
}

/** How many old pixels are a new one, across and down. */
export type Steps = readonly [across: number, down: number];

/** The picture in another size, within a level or two of sharp's. */
export function resample(picture: Pixels, toWidth: number, toHeight: number, steps?: Steps): Pixels {
  const { data, width, height } = picture;
  const [across, down] = steps ?? [width / toWidth, height / toHeight];
  // Where libvips makes one axis larger it moves the other by half a pixel.
  const half = (to: number): Axis => ({
    block: 1,
    mixes: Array.from({ length: to }, (_, i) => mix(i - 0.5, 2, cubic)),
  });
  const resized = (lines: Uint8ClampedArray, from: number, to: number, stride: number, own: number, other: number) => {
    const out = alongLines(lines, from, stride, axisOf(from, to, own));
    return other < 1 && own >= 1 ? alongLines(out, to, stride, half(to)) : out;
  };
  const low = resized(data, height, toHeight, 3 * width, down, across);
  const columns = turned({ data: low, width, height: toHeight });
  const narrow = resized(columns, width, toWidth, 3 * toHeight, across, down);
  return { data: turned({ data: narrow, width: toHeight, height: toWidth }), width: toWidth, height: toHeight };
}
