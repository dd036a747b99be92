import type { PictureForm } from "../../data/picture-form.ts";
import type { Part, Skipped } from "./find.ts";
import type { Distinct, GoodPicture } from "./held-out.ts";

type Size = readonly [width: number, height: number];

/** What was found in a folder of pictures, as plain data: what is trained on, and what is not and why. */
export type DataCard = {
  readonly source: string;
  readonly form: PictureForm;
  /** What decoded the pictures. */
  readonly decoder: string;
  readonly pictures: number;
  readonly classes: readonly ({ readonly name: string } & Readonly<Record<Part, number>>)[];
  /** Before they were resized, as they are shown. The median is of widths and heights by themselves. */
  readonly sizes: { readonly smallest: Size; readonly median: Size; readonly largest: Size };
  readonly formats: Readonly<Record<string, number>>;
  readonly transparent: number;
  /** Turned because their EXIF says so. */
  readonly rotated: number;
  /** Of more than 8 bits a channel. */
  readonly deep: number;
  /** Without colour. */
  readonly grey: number;
  readonly links: number;
  readonly skipped: readonly Skipped[];
  readonly broken: readonly Skipped[];
  readonly duplicates: readonly Skipped[];
  readonly leaks: readonly Skipped[];
  readonly contradictions: readonly Skipped[];
  /** Sentences about what should give pause. */
  readonly warnings: readonly string[];
};

/** The largest class has this many times the pictures of the smallest when a warning is due. */
const IMBALANCE = 3;
const FEW = 10;

export function dataCard(
  said: Pick<DataCard, "source" | "form" | "decoder" | "links" | "skipped" | "broken">,
  found: Distinct,
  parts: readonly Part[],
  classes: readonly string[],
): DataCard {
  const { pictures, duplicates, leaks, contradictions } = found;
  const counts = classes.map((name) => ({ name, train: 0, validation: 0, test: 0 }));
  const index = new Map(classes.map((name, i) => [name, i]));
  pictures.forEach(({ label }, i) => {
    const own = counts[index.get(label) as number];
    if (own) own[parts[i] as Part]++;
  });
  const count = (is: (each: GoodPicture) => boolean): number => pictures.filter(is).length;
  const formats: Record<string, number> = {};
  for (const { picture } of pictures) formats[picture.format] = (formats[picture.format] ?? 0) + 1;
  const bySize = [...pictures].sort((a, b) => area(a) - area(b));
  const sizeOf = (each: GoodPicture | undefined): Size => [each?.picture.width ?? 0, each?.picture.height ?? 0];
  return {
    ...said,
    pictures: pictures.length,
    classes: counts,
    sizes: {
      smallest: sizeOf(bySize[0]),
      median: [
        median(pictures.map(({ picture }) => picture.width)),
        median(pictures.map(({ picture }) => picture.height)),
      ],
      largest: sizeOf(bySize.at(-1)),
    },
    formats,
    transparent: count(({ picture }) => picture.alpha),
    rotated: count(({ picture }) => picture.rotated),
    deep: count(({ picture }) => picture.deep),
    grey: count(({ picture }) => isGrey(picture.pixels)),
    duplicates,
    leaks,
    contradictions,
    warnings: warningsOf(counts, leaks.length),
  };
}

const area = ({ picture }: GoodPicture): number => picture.width * picture.height;

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Whether a picture of channels red, green, blue has no colour; decoders round by one. */
export function isGrey(pixels: Uint8Array): boolean {
  for (let i = 0; i < pixels.length; i += 3) {
    const [r, g, b] = [pixels[i] as number, pixels[i + 1] as number, pixels[i + 2] as number];
    if (Math.abs(r - g) > 1 || Math.abs(g - b) > 1) return false;
  }
  return true;
}

function warningsOf(classes: DataCard["classes"], leaks: number): string[] {
  const sorted = [...classes].sort((a, b) => a.train - b.train);
  const [least, most] = [sorted[0], sorted.at(-1)] as [DataCard["classes"][number], DataCard["classes"][number]];
  const few = sorted.filter(({ train }) => train < FEW);
  const list = (names: readonly string[]): string =>
    names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  return [
    ...(most.train > IMBALANCE * least.train
      ? [
          `${most.name} has ${most.train} pictures to train on and ${least.name} ${least.train}. Weigh them alike with --class-weights balanced.`,
        ]
      : []),
    ...(few.length > 0 ? [`Fewer than ${FEW} pictures to train on: ${list(few.map(({ name }) => name))}.`] : []),
    ...(leaks > 0
      ? [`${leaks} pictures to train on were also among those that are held out; they are not trained on.`]
      : []),
  ];
}
