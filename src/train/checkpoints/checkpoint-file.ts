import { DataError } from "../../core/errors.ts";
import { Fingerprint, fingerprintOf } from "../../core/fingerprint.ts";
import { HostArray } from "../../core/host-array.ts";
import { decodeSafetensors, encodeSafetensors } from "../../io/safetensors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { pack, unpack } from "./packed.ts";

const FORMAT = "downhill.checkpoint.1";
/** Arrays beside the state, such as a callback's, by their path. */
const BESIDE = "beside";

/** A checkpoint as the bytes of one safetensors file: arrays by name, all else as JSON in its notes, and a checksum over both. */
export function encodeCheckpoint({ state, ...rest }: Checkpoint): Uint8Array<ArrayBuffer> {
  const doubles = Object.keys(state).filter((path) => state[path]?.data instanceof Float64Array);
  const { text, arrays } = pack({ ...rest, doubles: pickDoubles(state, doubles) }, BESIDE);
  const exact = Object.entries(state).filter(([path]) => !doubles.includes(path));
  const tensors = { ...Object.fromEntries(exact), ...arrays };
  return encodeSafetensors(tensors, { format: FORMAT, checksum: checksumOf(text, tensors), downhill: text });
}

/** Arrays of the f64 reference, which a file's f32 would round. */
function pickDoubles(state: Checkpoint["state"], paths: readonly string[]): Readonly<Record<string, HostArray>> {
  return Object.fromEntries(paths.map((path) => [path, state[path] as HostArray]));
}

function checksumOf(text: string, tensors: Readonly<Record<string, HostArray>>): string {
  const names = Object.keys(tensors).sort();
  const arrays = fingerprintOf(names.map((name) => [name, tensors[name] as HostArray]));
  return new Fingerprint().text(text).text(arrays).digits;
}

/**
 * A checkpoint from its file's bytes. The file is taken as hostile. Throws DataError naming `file` where it is truncated,
 * damaged (its checksum does not fit), or no checkpoint.
 */
export function decodeCheckpoint(bytes: Uint8Array, file: string): Checkpoint {
  const { tensors, metadata } = decodeSafetensors(bytes, file);
  const fail = (what: string): DataError => new DataError(`checkpoint: ${file} ${what}`, file);
  if (metadata.format !== FORMAT)
    throw fail(
      `has ${metadata.format === undefined ? "no format note" : `the format ${metadata.format}`}; expected ${FORMAT}. Is it a checkpoint?`,
    );
  const text = metadata.downhill ?? "";
  const checksum = checksumOf(text, tensors);
  if (metadata.checksum !== checksum)
    throw fail(`is damaged: its contents have the checksum ${checksum}, its notes say ${metadata.checksum}.`);
  const isBeside = (name: string): boolean => name.startsWith(`${BESIDE}.`);
  const named = Object.entries(tensors);
  const notes = unpack({ text, arrays: Object.fromEntries(named.filter(([name]) => isBeside(name))) }, file);
  const wrong = firstWrong(notes);
  if (wrong !== undefined) throw fail(`has damaged notes: ${wrong}.`);
  const { doubles, ...rest } = notes as Omit<Checkpoint, "state"> & { doubles: Checkpoint["state"] };
  return { ...rest, state: { ...Object.fromEntries(named.filter(([name]) => !isBeside(name))), ...doubles } };
}

type Check = (value: unknown) => boolean;
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number";
const isFlag: Check = (value) => typeof value === "boolean";
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const recordOf =
  (check: Check): Check =>
  (value) =>
    isRecord(value) && Object.values(value).every(check);
const shaped =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(checks).every(([key, check]) => check(value[key]));

const FIELDS: Readonly<Record<Exclude<keyof Checkpoint, "state"> | "doubles", Check>> = {
  run: isText,
  identity: shaped({ task: isRecord, data: isRecord, order: isRecord, free: isRecord }),
  step: isCount,
  epoch: (value) => isCount(value) && (value as number) >= 1,
  done: isCount,
  length: shaped({ stepsPerEpoch: isNumber, totalSteps: isNumber }),
  totals: shaped({ loss: isNumber, weight: isNumber, weightless: isNumber, gathered: listOf(isRecord) }),
  history: listOf(shaped({ epoch: isCount, step: isCount, train: recordOf(isNumber), validation: recordOf(isNumber) })),
  overrides: recordOf(isNumber),
  rollbacks: shaped({ count: isCount, rateFactor: isNumber }),
  plateaus: listOf(isRecord),
  callbacks: listOf(shaped({ name: isText })),
  stopReason: orNull(isText),
  events: isCount,
  logged: isFlag,
  metrics: orNull(shaped({ train: recordOf(isNumber), validation: recordOf(isNumber) })),
  pinned: isFlag,
  snapshot: orNull(
    (value) =>
      isRecord(value) &&
      recordOf((array) => array instanceof HostArray)(value.state) &&
      firstWrong({ ...value, doubles: {} }) === undefined,
  ),
  parent: orNull(shaped({ run: isText, step: isCount, checkpoint: isText })),
  timeSpentMs: isNumber,
  timeWritten: isNumber,
  doubles: isRecord,
};

/** The first field that is missing or of another type. */
function firstWrong(notes: unknown): string | undefined {
  if (!isRecord(notes)) return "they are no object";
  const wrong = Object.entries(FIELDS).find(([field, check]) => !check(notes[field]));
  return wrong === undefined ? undefined : `${wrong[0]} is missing or of another type`;
}
