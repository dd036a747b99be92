import { DataError } from "../core/errors.ts";
import type { TrainEvent } from "./events.ts";

type Check = (value: unknown) => boolean;
const isNumber: Check = (value) => typeof value === "number" || value === null;
const isText: Check = (value) => typeof value === "string";
const isRecord: Check = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** What a reader of each event relies on. A number that is not finite is null in JSON. */
const FIELDS: Readonly<Record<Exclude<TrainEvent["type"], "resume">, Readonly<Record<string, Check>>>> = {
  start: { run: isText, config: isRecord, totalSteps: isNumber, stepsPerEpoch: isNumber, parameters: isNumber },
  step: { step: isNumber, epoch: isNumber, rate: isNumber, metrics: isRecord },
  epoch: { epoch: isNumber, step: isNumber, rate: isNumber, train: isRecord, validation: isRecord },
  intervention: { step: isNumber, hyper: isText, value: isNumber },
  checkpoint: { step: isNumber, epoch: isNumber, file: isText },
  rollback: { step: isNumber, to: isNumber, rateFactor: isNumber, text: isText },
  finding: { step: isNumber, severity: isText, text: isText },
  test: { metrics: isRecord },
  end: { reason: isText, step: isNumber },
};

/**
 * The events of a run's `events.jsonl`. `torn` is what follows the last line's end: the beginning of a line that a process was
 * killed in. Throws DataError naming `name`, the line and the byte for a line that is no event.
 */
export function decodeEventLog(
  file: Uint8Array,
  name = "events.jsonl",
): { readonly events: readonly TrainEvent[]; readonly torn: string } {
  const events: TrainEvent[] = [];
  const decoder = new TextDecoder();
  let at = 0;
  for (let end = file.indexOf(0x0a); end >= 0; end = file.indexOf(0x0a, at)) {
    const fail = (what: string): never => {
      const line = events.length + 1;
      throw new DataError(`event log: ${name}, line ${line} ${what}`, `${name}, line ${line}, byte ${at}`);
    };
    let event: unknown;
    try {
      event = JSON.parse(decoder.decode(file.slice(at, end)));
    } catch {
      fail("is no JSON; expected an event.");
    }
    const { type } = (isRecord(event) ? event : {}) as Readonly<Record<string, unknown>>;
    if (typeof type !== "string" || !Object.hasOwn(FIELDS, type))
      fail(
        `is no event: got the type ${JSON.stringify(type)?.slice(0, 60)}; expected one of ${Object.keys(FIELDS).join(", ")}.`,
      );
    const fields = Object.entries(FIELDS[type as keyof typeof FIELDS]);
    const wrong = fields.find(([field, check]) => !check((event as Readonly<Record<string, unknown>>)[field]));
    if (wrong !== undefined) fail(`is a damaged ${type}: ${wrong[0]} is missing or of another type.`);
    events.push(event as TrainEvent);
    at = end + 1;
  }
  return { events, torn: decoder.decode(file.slice(at)) };
}
