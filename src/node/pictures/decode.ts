import { DataError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import type { PictureForm } from "../../data/picture-form.ts";
import { reasonOf } from "../file-store.ts";
import { loadSharp } from "./sharp.ts";

/** What a file's header says of its picture; width and height as it is shown, after EXIF rotation. */
export type PictureHeader = {
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly alpha: boolean;
  /** More than 8 bits a channel. */
  readonly deep: boolean;
  readonly rotated: boolean;
};

/** Channels last, red, green and blue, whatever the form's channels: 3 height width bytes. */
export type DecodedPicture = PictureHeader & { readonly pixels: Uint8Array };

/**
 * The header of a picture from its file's bytes. Throws DataError where it is none.
 */
export async function readHeader(bytes: Uint8Array, name: string): Promise<PictureHeader> {
  const sharp = await loadSharp();
  try {
    const { format, depth, hasAlpha, orientation = 1, autoOrient } = await sharp(bytes, OPEN).metadata();
    return {
      format,
      width: autoOrient.width,
      height: autoOrient.height,
      alpha: hasAlpha,
      deep: depth !== "uchar",
      rotated: orientation > 1,
    };
  } catch (error) {
    throw damaged(error, name);
  }
}

/** Warnings are for pictures that can be shown all the same; a truncated one is broken. */
const OPEN = { failOn: "error", animated: false } as const;

/**
 * A picture as a form wants it, from its file's bytes: turned as EXIF says, in sRGB, 8 bits a channel, over the background
 * where it is transparent, resized by Lanczos' kernel. Of an animation the first frame. Throws DataError where it cannot be decoded.
 */
export async function decodePixels(bytes: Uint8Array, form: PictureForm, name: string): Promise<DecodedPicture> {
  const sharp = await loadSharp();
  const header = await readHeader(bytes, name);
  const [r, g, b] = form.background;
  const background = { r, g, b };
  try {
    const { data, info } = await sharp(bytes, OPEN)
      .rotate()
      .flatten({ background })
      .toColourspace("srgb")
      .resize(form.width, form.height, { fit: form.fit, background })
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3 || info.width !== form.width || info.height !== form.height)
      throw new Error(`came out as ${info.channels} channels of ${info.height}x${info.width}`);
    return { ...header, pixels: data };
  } catch (error) {
    throw damaged(error, name);
  }
}

/** libvips tells in several lines, some of them twice. */
function damaged(error: unknown, name: string): DataError {
  const [reason = ""] = reasonOf(error)
    .replace(/^Input \w+ /, "")
    .split("\n");
  return new DataError(`picture: ${name} cannot be decoded: ${reason}.`, name);
}

/** Red, green and blue, channels last, as the form's channels [C, H, W]; of one channel the luma of BT.601. */
export function toForm(pixels: Uint8Array, { channels, height, width }: PictureForm, out: Uint8Array, at = 0): void {
  const plane = height * width;
  if (channels === 3)
    for (let channel = 0; channel < 3; channel++)
      for (let i = 0; i < plane; i++) out[at + channel * plane + i] = pixels[3 * i + channel] as number;
  else
    for (let i = 0; i < plane; i++) {
      const [r, g, b] = [pixels[3 * i] as number, pixels[3 * i + 1] as number, pixels[3 * i + 2] as number];
      out[at + i] = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
    }
}

/**
 * A picture as the model's input u8 [C, H, W], from its file's bytes (JPEG, PNG, WebP, GIF, AVIF or TIFF of any mode).
 * Needs the optional dependency `sharp`.
 *
 * Errors: DataError naming the file where it is damaged or no picture.
 *
 * @example
 * const form = { channels: 3, height: 64, width: 64, fit: "contain", background: [255, 255, 255] } as const;
 * (await decodePicture(await readFile("cat.jpg"), form, "cat.jpg")).shape // -> [3, 64, 64]
 */
export async function decodePicture(bytes: Uint8Array, form: PictureForm, name = "picture"): Promise<HostArray> {
  const { pixels } = await decodePixels(bytes, form, name);
  const data = new Uint8Array(form.channels * form.height * form.width);
  toForm(pixels, form, data);
  return new HostArray("u8", [form.channels, form.height, form.width], data);
}
