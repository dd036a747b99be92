import { HostArray } from "../../core/host-array.ts";
import type { PictureForm } from "../../data/picture-form.ts";
import { type Pixels, resample } from "./resample.ts";

/** Pictures of more pixels are made smaller by the browser first: its canvases end somewhere. */
const MOST_PIXELS = 16e6;

/**
 * A picture's file as a form wants it, u8 [C, H, W], as sharp makes it for training but for its decoders' rounding: turned as EXIF says,
 * over the background where it is transparent, resized by Lanczos' kernel.
 */
export async function readPicture(file: Blob, form: PictureForm): Promise<HostArray> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error("This file cannot be shown: it is no picture that this browser knows, or it is damaged.");
  });
  const shown = pixelsOf(bitmap, form);
  bitmap.close();
  const placed = place(shown, form);
  const plane = form.height * form.width;
  const out = new Uint8Array(form.channels * plane);
  const at = (i: number, channel: number): number => placed[3 * i + channel] as number;
  for (let i = 0; i < plane; i++)
    if (form.channels === 3) for (let channel = 0; channel < 3; channel++) out[channel * plane + i] = at(i, channel);
    else out[i] = (19595 * at(i, 0) + 38470 * at(i, 1) + 7471 * at(i, 2) + 32768) >> 16;
  return new HostArray("u8", [form.channels, form.height, form.width], out);
}

function pixelsOf(bitmap: ImageBitmap, form: PictureForm): Pixels {
  const shrink = Math.max(1, Math.ceil(Math.sqrt((bitmap.width * bitmap.height) / MOST_PIXELS)));
  const [width, height] = [Math.ceil(bitmap.width / shrink), Math.ceil(bitmap.height / shrink)];
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("This browser gives no canvas to read the picture with.");
  context.fillStyle = `rgb(${form.background})`;
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const rgb = new Uint8ClampedArray(3 * width * height);
  for (let i = 0; i < width * height; i++)
    for (let channel = 0; channel < 3; channel++) rgb[3 * i + channel] = data[4 * i + channel] as number;
  return { data: rgb, width, height };
}

/** Resized and cut or with borders; sizes and places round as sharp's. */
export function place(pixels: Pixels, { width, height, fit, background }: PictureForm): Uint8ClampedArray {
  if (fit === "fill") return resample(pixels, width, height).data;
  const scales = [width / pixels.width, height / pixels.height] as const;
  const scale = fit === "cover" ? Math.max(...scales) : Math.min(...scales);
  const size = (side: number): number => Math.max(1, Math.round(side * scale));
  const { data, ...inner } = resample(pixels, size(pixels.width), size(pixels.height), [1 / scale, 1 / scale]);
  const out = new Uint8ClampedArray(3 * width * height);
  const left = Math.floor((width - inner.width) / 2);
  const top = Math.floor((height - inner.height) / 2);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [ix, iy] = [x - left, y - top];
      const inside = ix >= 0 && iy >= 0 && ix < inner.width && iy < inner.height;
      for (let channel = 0; channel < 3; channel++)
        out[3 * (y * width + x) + channel] = inside
          ? (data[3 * (iy * inner.width + ix) + channel] as number)
          : (background[channel] as number);
    }
  return out;
}
