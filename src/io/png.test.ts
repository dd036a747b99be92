import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { HostArray } from "../core/host-array.ts";
import { encodePng } from "./png.ts";

/** Areas of one colour, slopes and noise, so that each filter is the best for some row. */
function picture(channels: number, height: number, width: number): HostArray {
  const data = new Uint8Array(channels * height * width);
  let noise = 1;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        noise = (Math.imul(noise, 1103515245) + 12345) >>> 0;
        const kind = y % 5;
        const slope = (3 * x + 5 * y + 40 * c) & 255;
        data[(c * height + y) * width + x] =
          kind === 0 ? 7 : kind === 1 ? slope : kind === 2 ? noise >>> 24 : kind === 3 ? (x * x) & 255 : (x + y) & 255;
      }
  return new HostArray("u8", [channels, height, width], data);
}

describe("encodePng", () => {
  test.each([
    ["grey", 1, "b-w"],
    ["RGB", 3, "srgb"],
    ["RGBA", 4, "srgb"],
  ])("of %s is read by libpng with the same pixels", async (_, channels, space) => {
    for (const [height, width] of [
      [1, 1],
      [13, 9],
      [40, 300],
    ] as const) {
      const given = picture(channels, height, width);
      const png = await encodePng(given);
      const metadata = await sharp(png).metadata();
      expect([metadata.format, metadata.depth, metadata.space]).toEqual(["png", "uchar", space]);
      const { data, info } = await sharp(png).toColourspace(space).raw().toBuffer({ resolveWithObject: true });
      expect([info.height, info.width, info.channels]).toEqual([height, width, channels]);
      const planes = Uint8Array.from(given.data, (_, i) => {
        const pixels = height * width;
        return data[(i % pixels) * channels + Math.floor(i / pixels)] as number;
      });
      expect(planes).toEqual(given.data);
    }
  });

  test("of [H, W] is grey, and far smaller than its pixels where they repeat", async () => {
    const png = await encodePng(new HostArray("u8", [200, 200], new Uint8Array(40_000).fill(9)));
    expect((await sharp(png).metadata()).channels).toBe(1);
    expect(png.length).toBeLessThan(1000);
  });

  test.each([
    [[2, 4, 4], "u8[2,4,4]"],
    [[0, 4], "u8[0,4]"],
    [[1, 1, 2, 2], "u8[1,1,2,2]"],
  ])("refuses %s", async (shape, shown) => {
    const size = shape.reduce((n, k) => n * k, 1);
    await expect(encodePng(new HostArray("u8", shape, new Uint8Array(size)))).rejects.toThrow(
      `png: got ${shown}; expected u8[H,W] or u8[C,H,W]`,
    );
  });
});
