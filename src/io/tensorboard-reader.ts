import { DataError } from "../core/errors.ts";
import type { Histogram } from "./histogram.ts";
import { floatsOf, integerOf, type ProtobufField, protobufFields, textOf } from "./protobuf.ts";
import { maskedCrc, type Summary, type SummaryEvent } from "./tensorboard.ts";

/** Of the length, and of what follows it. */
const HEADER_BYTES = 12;
const FOOTER_BYTES = 4;

/**
 * The events of a file `events.out.tfevents.*`: this library's, TensorFlow's or PyTorch's, with summaries in the old form
 * (simple_value, histo, image) or as tensors. `torn` counts the bytes of a last record that is not all there: the file is
 * being written. What has another form (audio, graphs) comes as `plugin` or not at all.
 *
 * Throws DataError naming `name` and the byte for a record whose checksum does not fit, or that is no event.
 *
 * @example
 * decodeSummaryEvents(encodeSummaryEvent({ time: 0, step: 1, summaries: [{ tag: "loss", kind: "scalar", value: 0.5 }] }))
 *   .events // -> [{ time: 0, step: 1, summaries: [{ tag: "loss", kind: "scalar", value: 0.5 }] }]
 */
export function decodeSummaryEvents(
  file: Uint8Array,
  name = "events.out.tfevents",
): { readonly events: readonly SummaryEvent[]; readonly torn: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const events: SummaryEvent[] = [];
  let at = 0;
  const fail = (text: string, byte: number): never => {
    throw new DataError(`tensorboard: ${name}, record ${events.length} ${text}`, `${name}, byte ${byte}`);
  };
  while (file.length - at >= HEADER_BYTES) {
    if (view.getUint32(at + 8, true) !== maskedCrc(file.subarray(at, at + 8)))
      fail("has a length whose checksum does not fit; expected an event file.", at);
    const length = view.getBigUint64(at, true);
    if (length > BigInt(file.length - at - HEADER_BYTES - FOOTER_BYTES)) break;
    const start = at + HEADER_BYTES;
    const end = start + Number(length);
    if (view.getUint32(end, true) !== maskedCrc(file.subarray(start, end)))
      fail("is damaged: its checksum does not fit.", start);
    events.push(readEvent({ bytes: file.subarray(start, end), at: start }, name));
    at = end + FOOTER_BYTES;
  }
  return { events, torn: file.length - at };
}

/** A message inside the file. */
type Message = Pick<ProtobufField, "bytes" | "at">;

const fieldsIn = ({ bytes, at }: Message, name: string): Iterable<ProtobufField> => protobufFields(bytes, name, at);

/** One number of a field that holds one; 0 where its bytes are too few, as protobuf's default. */
const numberOf = (field: ProtobufField, width: 4 | 8): number => floatsOf(field, width)[0] ?? 0;

function readEvent(message: Message, name: string): SummaryEvent {
  let [time, step] = [0, 0];
  let version: string | undefined;
  let session = false;
  const summaries: Summary[] = [];
  for (const field of fieldsIn(message, name)) {
    if (field.number === 1) time = numberOf(field, 8);
    else if (field.number === 2) step = integerOf(field);
    else if (field.number === 3) version = textOf(field);
    else if (field.number === 5) {
      for (const value of fieldsIn(field, name)) if (value.number === 1) summaries.push(...readValue(value, name));
    } else if (field.number === 7)
      for (const { number, integer } of fieldsIn(field, name)) session ||= number === 1 && integer === 1n;
  }
  return {
    time,
    step,
    summaries,
    ...(session ? { session: "start" } : {}),
    ...(version === undefined ? {} : { version }),
  };
}

/** A `Summary.Value`: none, one, or of several pictures under one tag each. */
function readValue(message: Message, name: string): Summary[] {
  let tag = "";
  let plugin: { readonly name: string; readonly content: Uint8Array } | undefined;
  let tensor: Tensor | undefined;
  const found: Summary[] = [];
  const parts = [...fieldsIn(message, name)];
  for (const field of parts) if (field.number === 1) tag = textOf(field);
  for (const field of parts) {
    if (field.number === 2) found.push({ tag, kind: "scalar", value: numberOf(field, 4) });
    else if (field.number === 4) found.push({ tag, kind: "image", ...readImage(field, name) });
    else if (field.number === 5) found.push({ tag, kind: "histogram", histogram: readHistogram(field, name) });
    else if (field.number === 8) tensor = readTensor(field, name);
    else if (field.number === 9) plugin = readPlugin(field, name);
  }
  if (found.length > 0 || plugin === undefined) return found;
  return (
    (tensor && ofTensor(tag, plugin.name, tensor)) ?? [
      { tag, kind: "plugin", plugin: plugin.name, content: plugin.content },
    ]
  );
}

function readImage(message: Message, name: string): { width: number; height: number; png: Uint8Array } {
  let [width, height] = [0, 0];
  let png: Uint8Array = new Uint8Array(0);
  for (const field of fieldsIn(message, name)) {
    if (field.number === 1) height = integerOf(field);
    else if (field.number === 2) width = integerOf(field);
    else if (field.number === 4) png = field.bytes.slice();
  }
  return { width, height, png };
}

function readHistogram(message: Message, name: string): Histogram {
  const numbers = [0, 0, 0, 0, 0];
  const limits: number[] = [];
  const counts: number[] = [];
  for (const field of fieldsIn(message, name)) {
    if (field.number >= 1 && field.number <= 5) numbers[field.number - 1] = numberOf(field, 8);
    else if (field.number === 6) append(limits, floatsOf(field, 8));
    else if (field.number === 7) append(counts, floatsOf(field, 8));
  }
  const [min, max, count, sum, sumOfSquares] = numbers as [number, number, number, number, number];
  return { min, max, count, sum, sumOfSquares, limits, counts };
}

function readPlugin(message: Message, name: string): { name: string; content: Uint8Array } {
  let plugin = "";
  let content: Uint8Array = new Uint8Array(0);
  for (const data of fieldsIn(message, name)) {
    if (data.number !== 1) continue;
    for (const field of fieldsIn(data, name)) {
      if (field.number === 1) plugin = textOf(field);
      else if (field.number === 2) content = field.bytes.slice();
    }
  }
  return { name: plugin, content };
}

/** A `TensorProto` of floats, doubles or texts. */
type Tensor = { readonly numbers: readonly number[]; readonly texts: readonly Uint8Array[] };

function readTensor(message: Message, name: string): Tensor {
  const numbers: number[] = [];
  const texts: Uint8Array[] = [];
  let type = 0n;
  let content: ProtobufField | undefined;
  for (const field of fieldsIn(message, name)) {
    if (field.number === 1) type = field.integer;
    else if (field.number === 4) content = field;
    else if (field.number === 5) append(numbers, floatsOf(field, 4));
    else if (field.number === 6) append(numbers, floatsOf(field, 8));
    else if (field.number === 8) texts.push(field.bytes.slice());
  }
  if (content !== undefined) append(numbers, floatsOf(content, type === 2n ? 8 : 4));
  return { numbers, texts };
}

/** Without spreading: a list from a file may be longer than a call's arguments. */
function append(list: number[], more: readonly number[]): void {
  for (const value of more) list.push(value);
}

/** What a plugin's tensor says; undefined where it has not that plugin's form. */
function ofTensor(tag: string, plugin: string, { numbers, texts }: Tensor): Summary[] | undefined {
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  if (plugin === "scalars" && numbers[0] !== undefined) return [{ tag, kind: "scalar", value: numbers[0] }];
  if (plugin === "text" && texts.length > 0) return [{ tag, kind: "text", text: texts.map(text).join("\n") }];
  if (plugin === "histograms") return [{ tag, kind: "histogram", histogram: ofBuckets(numbers) }];
  const [width, height, ...pictures] = texts;
  if (plugin !== "images" || width === undefined || height === undefined) return undefined;
  const size = { width: Number(text(width)), height: Number(text(height)) };
  return pictures.map((png) => ({ tag, kind: "image", ...size, png }));
}

/** Of rows [left, right, count]. */
function ofBuckets(rows: readonly number[]): Histogram {
  const column = (at: number): number[] => rows.filter((_, i) => i % 3 === at);
  const counts = column(2);
  const limits = column(1);
  const count = counts.reduce((sum, each) => sum + each, 0);
  return { min: rows[0] ?? 0, max: limits.at(-1) ?? 0, count, limits, counts };
}
