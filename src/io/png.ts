import { joinBytes } from "../core/bytes.ts";
import { formatAval } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { crc32 } from "./crc.ts";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Grey, RGB and RGBA by their number of channels. */
const COLOUR_TYPES: Readonly<Record<number, number>> = { 1: 0, 3: 2, 4: 6 };

/**
 * A PNG file of a picture u8 [H, W] or [C, H, W] with 1 (grey), 3 (RGB) or 4 (RGBA) channels, 8 bits each. Each row takes the
 * filter with the smallest sum of differences, as libpng does.
 *
 * Errors: ShapeError for another type or shape. Source: https://www.w3.org/TR/png-3/.
 *
 * @example
 * const png = await encodePng(array([[0, 255], [255, 0]], [2, 2], "u8"));
 */
export async function encodePng(picture: HostArray): Promise<Uint8Array<ArrayBuffer>> {
  const [channels, height, width] = picture.shape.length === 2 ? [1, ...picture.shape] : picture.shape;
  const colour = COLOUR_TYPES[channels ?? 0];
  if (picture.dtype !== "u8" || picture.shape.length > 3 || colour === undefined || !height || !width)
    throw new ShapeError(
      `png: got ${formatAval(picture.aval)}; expected u8[H,W] or u8[C,H,W] with 1, 3 or 4 channels and at least one pixel.`,
    );
  const rows = filtered(interleaved(picture.data, channels as number, height * width), height, channels as number);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, colour, 0, 0, 0], 8);
  return joinBytes([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("IDAT", await deflate(rows)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

/** [C, pixels] as [pixels, C]. */
function interleaved(data: ArrayLike<number>, channels: number, pixels: number): Uint8Array {
  const out = new Uint8Array(channels * pixels);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < pixels; i++) out[i * channels + c] = data[c * pixels + i] as number;
  return out;
}

/** Each filter's forecast of a byte from the one to its left, above it, and above that to the left (PNG, section 9.2). */
const FORECASTS: readonly ((left: number, up: number, corner: number) => number)[] = [
  () => 0,
  (left) => left,
  (_, up) => up,
  (left, up) => (left + up) >> 1,
  (left, up, corner) => {
    const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
    if (a <= b && a <= c) return left;
    return b <= c ? up : corner;
  },
];

function filtered(bytes: Uint8Array, height: number, channels: number): Uint8Array<ArrayBuffer> {
  const length = bytes.length / height;
  const out = new Uint8Array(height * (length + 1));
  const row = new Uint8Array(length);
  for (let y = 0; y < height; y++) {
    let least = Infinity;
    for (const [filter, forecast] of FORECASTS.entries()) {
      let sum = 0;
      for (let x = 0; x < length; x++) {
        const at = y * length + x;
        const left = x < channels ? 0 : (bytes[at - channels] as number);
        const up = y === 0 ? 0 : (bytes[at - length] as number);
        const corner = x < channels || y === 0 ? 0 : (bytes[at - length - channels] as number);
        const difference = ((bytes[at] as number) - forecast(left, up, corner)) & 255;
        row[x] = difference;
        sum += Math.min(difference, 256 - difference);
      }
      if (sum >= least) continue;
      least = sum;
      out[y * (length + 1)] = filter;
      out.set(row, y * (length + 1) + 1);
    }
  }
  return out;
}

/** In zlib's format, by the platform. */
async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new CompressionStream("deflate");
  const writer = stream.writable.getWriter();
  const written = writer.write(bytes).then(() => writer.close());
  const reader = stream.readable.getReader();
  const parts: Uint8Array[] = [];
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
  await written;
  return joinBytes(parts);
}
