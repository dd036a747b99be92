import { DataError } from "../core/errors.ts";

/** How a picture of another shape becomes one of the model's: with borders, cut, or stretched. CSS's `object-fit`, as sharp has it. */
export type PictureFit = "contain" | "cover" | "fill";

/**
 * What every picture becomes before preprocessing: u8 [channels, height, width]. Plain data, saved with the model, so that
 * pictures are read the same way when it is used.
 */
export type PictureForm = {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  readonly fit: PictureFit;
  /** Red, green and blue from 0 to 255 of borders and behind transparent pictures. */
  readonly background: readonly [number, number, number];
};

export const PICTURE_FITS: readonly PictureFit[] = ["contain", "cover", "fill"];

/**
 * Checks a form that came from JSON. `where` names the file in errors. Throws DataError.
 *
 * @example
 * readPictureForm({ channels: 1, height: 28, width: 28, fit: "contain", background: [0, 0, 0] }, "run.json").height // -> 28
 */
export function readPictureForm(value: unknown, where: string): PictureForm {
  const { channels, height, width, fit, background } = (
    typeof value === "object" && value !== null ? value : {}
  ) as Partial<Record<keyof PictureForm, unknown>>;
  const isSide = (side: unknown): boolean =>
    Number.isSafeInteger(side) && (side as number) >= 1 && (side as number) <= 16_384;
  const good =
    (channels === 1 || channels === 3) &&
    isSide(height) &&
    isSide(width) &&
    PICTURE_FITS.includes(fit as PictureFit) &&
    Array.isArray(background) &&
    background.length === 3 &&
    background.every((level) => Number.isInteger(level) && level >= 0 && level <= 255);
  if (!good)
    throw new DataError(
      `pictures: ${where} has the form ${JSON.stringify(value)}; expected { channels: 1 or 3, height, width, fit: ${PICTURE_FITS.join(" or ")}, background: [r, g, b] }.`,
      where,
    );
  return value as PictureForm;
}
