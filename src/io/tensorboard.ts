import { OptionError } from "../core/errors.ts";
import { crc32c } from "./crc.ts";
import type { Histogram } from "./histogram.ts";
import { bytesField, doubleField, doublesField, floatField, integerField } from "./protobuf.ts";

/** What TensorBoard shows under a tag. `plugin` is what is none of the others, by the plugin that reads it. */
export type Summary = { readonly tag: string } & (
  | { readonly kind: "scalar"; readonly value: number }
  | { readonly kind: "histogram"; readonly histogram: Histogram }
  | { readonly kind: "image"; readonly width: number; readonly height: number; readonly png: Uint8Array }
  /** Shown as Markdown. */
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "plugin"; readonly plugin: string; readonly content: Uint8Array }
);

/** One record of an event file. */
export type SummaryEvent = {
  /** Seconds since 1970. */
  readonly time: number;
  readonly step: number;
  readonly summaries: readonly Summary[];
  /** Alone in its event. "start": training began, or went on, here: a reader forgets what it has of this step and later ones. */
  readonly session?: "start";
  /** The first record's. */
  readonly version?: string;
};

/** The version that a file's first record says. */
export const EVENT_VERSION = "brain.Event:2";

const DT_FLOAT = 1;
const DT_STRING = 7;
const DATA_CLASS_TENSOR = 2;
const SESSION_START = 1;

/**
 * An event as the bytes of a TFRecord, to be appended to a file `events.out.tfevents.*` whose first event has `version`
 * (`EVENT_VERSION`). Scalars are rounded to f32.
 *
 * Errors: OptionError for a step that is no whole number. Source: `tensorboard/compat/proto/event.proto`, `summary.proto`.
 *
 * @example
 * encodeSummaryEvent({ time: 0, step: 1, summaries: [{ tag: "loss", kind: "scalar", value: 0.5 }] }).length // -> 44
 */
export function encodeSummaryEvent(event: SummaryEvent): Uint8Array<ArrayBuffer> {
  const { time, step, summaries, session, version } = event;
  if (!Number.isSafeInteger(step))
    throw new OptionError(`tensorboard: got step ${step}; expected a whole number.`, "step");
  const fields = [doubleField(1, time)];
  if (step !== 0) fields.push(integerField(2, step));
  if (version !== undefined) fields.push(bytesField(3, version));
  if (summaries.length > 0) fields.push(bytesField(5, ...summaries.map((each) => bytesField(1, ...fieldsOf(each)))));
  if (session !== undefined) fields.push(bytesField(7, integerField(1, SESSION_START)));
  return recordOf(fields);
}

/** Fields of a `Summary.Value`. */
function fieldsOf(summary: Summary): Uint8Array[] {
  const tag = bytesField(1, summary.tag);
  switch (summary.kind) {
    case "scalar":
      return [tag, floatField(2, summary.value)];
    case "histogram":
      return [tag, bytesField(5, ...histogramFields(summary.histogram))];
    case "image": {
      const { width, height, png } = summary;
      return [
        tag,
        bytesField(
          4,
          integerField(1, height),
          integerField(2, width),
          integerField(3, channelsOf(png)),
          bytesField(4, png),
        ),
      ];
    }
    case "text":
      return [
        tag,
        bytesField(8, integerField(1, DT_STRING), bytesField(2), bytesField(8, summary.text)),
        bytesField(9, pluginField("text", new Uint8Array(0)), integerField(4, DATA_CLASS_TENSOR)),
      ];
    case "plugin":
      // A tensor without elements, which readers ask for.
      return [
        tag,
        bytesField(8, integerField(1, DT_FLOAT), bytesField(2, bytesField(2))),
        bytesField(9, pluginField(summary.plugin, summary.content)),
      ];
  }
}

function pluginField(name: string, content: Uint8Array): Uint8Array {
  return bytesField(1, bytesField(1, name), ...(content.length === 0 ? [] : [bytesField(2, content)]));
}

function histogramFields({ min, max, count, sum = 0, sumOfSquares = 0, limits, counts }: Histogram): Uint8Array[] {
  return [
    // A zero is what a reader takes where there is nothing.
    ...[min, max, count, sum, sumOfSquares].flatMap((value, i) => (value === 0 ? [] : [doubleField(i + 1, value)])),
    doublesField(6, limits),
    doublesField(7, counts),
  ];
}

/** By the colour type in a PNG's header, which `colorspace` repeats. */
function channelsOf(png: Uint8Array): number {
  return { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 }[png[25] ?? 0] ?? 3;
}

const MASK_DELTA = 0xa282ead8;

/** A record's checksum: CRC-32C, turned right by 15 bits, plus a constant. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}

/** u64 length, its checksum, the bytes, their checksum; all little-endian. */
export function recordOf(fields: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = fields.reduce((sum, field) => sum + field.length, 0);
  const out = new Uint8Array(length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(length), true);
  view.setUint32(8, maskedCrc(out.subarray(0, 8)), true);
  let at = 12;
  for (const field of fields) {
    out.set(field, at);
    at += field.length;
  }
  view.setUint32(at, maskedCrc(out.subarray(12, at)), true);
  return out;
}

/**
 * The settings of a run for TensorBoard's HParams page, which takes runs of one `group` for repetitions of one trial; a later
 * `hyperparametersEnd` says how it ended.
 */
export function hyperparameters(
  values: Readonly<Record<string, number | string | boolean>>,
  { group, time }: { readonly group?: string; readonly time: number },
): Summary {
  const entries = Object.entries(values).map(([name, value]) =>
    bytesField(
      1,
      bytesField(1, name),
      bytesField(
        2,
        // google.protobuf.Value: 2 number, 3 text, 4 truth.
        typeof value === "number"
          ? doubleField(2, value)
          : typeof value === "string"
            ? bytesField(3, value)
            : integerField(4, value ? 1 : 0),
      ),
    ),
  );
  const content = bytesField(
    3,
    ...entries,
    ...(group === undefined ? [] : [bytesField(4, group)]),
    doubleField(5, time),
  );
  return { tag: "_hparams_/session_start_info", kind: "plugin", plugin: "hparams", content };
}

export function hyperparametersEnd(ended: "success" | "failure", time: number): Summary {
  const content = bytesField(4, integerField(1, ended === "success" ? 1 : 2), doubleField(2, time));
  return { tag: "_hparams_/session_end_info", kind: "plugin", plugin: "hparams", content };
}
