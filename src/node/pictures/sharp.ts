import type sharpFunction from "sharp";
import { DataError } from "../../core/errors.ts";

export type Sharp = typeof sharpFunction;

let loading: Promise<Sharp> | undefined;

/** The optional dependency that decodes pictures. Throws DataError where it is not installed. */
export function loadSharp(): Promise<Sharp> {
  loading ??= import("sharp").then(
    ({ default: sharp }) => {
      // Many pictures are decoded side by side instead, and each only once.
      sharp.concurrency(1);
      sharp.cache(false);
      return sharp;
    },
    (error: unknown) => {
      loading = undefined;
      const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
      throw new DataError(
        `pictures: sharp, which decodes them, cannot be loaded (${reason}). Hint: npm install sharp.`,
        "sharp",
      );
    },
  );
  return loading;
}

/** What decides the pixels beside the file and the form. */
export function decoderOf({ versions }: Sharp): string {
  return `sharp ${versions.sharp ?? "?"}, libvips ${versions.vips}`;
}
