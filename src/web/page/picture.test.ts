import { describe, expect, test } from "vitest";
import type { PictureFit } from "../../data/picture-form.ts";
import { decodePixels } from "../../node/pictures/decode.ts";
import { loadSharp } from "../../node/pictures/sharp.ts";
import { place } from "./picture.ts";

/** Soft shapes with hard edges, no two rows or columns alike. */
function drawn(width: number, height: number): Uint8Array {
  const out = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const inside = (x / width - 0.4) ** 2 + (y / height - 0.6) ** 2 < 0.08;
      const at = 3 * (y * width + x);
      out[at] = inside ? 250 : (255 * x) / width;
      out[at + 1] = 128 + 100 * Math.sin((x + 2 * y) / 5);
      out[at + 2] = inside ? 0 : (200 * y) / height;
    }
  return out;
}

describe("pictures on the page", () => {
  test.each([
    [200, 100, 32, 32],
    [281, 257, 32, 32],
    [97, 350, 64, 48],
    [33, 50, 28, 28],
    [32, 32, 32, 32],
    [20, 15, 32, 32],
    [20, 90, 32, 32],
    [90, 400, 16, 16],
    [1, 1, 8, 8],
  ])("%i x %i as %i x %i are those that training sees", async (width, height, toWidth, toHeight) => {
    const pixels = drawn(width, height);
    const sharp = await loadSharp();
    const file = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    for (const fit of ["contain", "cover", "fill"] satisfies PictureFit[]) {
      const form = { channels: 3, width: toWidth, height: toHeight, fit, background: [255, 128, 0] } as const;
      const wanted = (await decodePixels(file, form, "made.png")).pixels;
      const found = place({ data: new Uint8ClampedArray(pixels), width, height }, form);
      const errors = Array.from(found, (level, i) => Math.abs(level - (wanted[i] as number)));
      expect(found.length).toBe(wanted.length);
      // libvips computes with rounded shares; beyond the sides of a picture made larger it goes on in another way.
      expect(errors.reduce((a, b) => a + b, 0) / errors.length, `mean of ${fit}`).toBeLessThan(1);
      if (toWidth <= width && toHeight <= height) expect(Math.max(...errors), fit).toBeLessThanOrEqual(3);
    }
  });
});
