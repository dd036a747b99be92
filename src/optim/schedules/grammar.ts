import { OptionError } from "../../core/errors.ts";
import { constant } from "./constant.ts";
import type { StageForm } from "./form.ts";
import { fromJSON } from "./from-json.ts";
import { type Join, join, type Stage } from "./join.ts";
import { formatPlateau, type PlateauOptions, parsePlateau } from "./plateau.ts";
import { formatSpan, Reader } from "./reader.ts";
import { isReduceOnPlateau, reduceOnPlateau } from "./reduce-on-plateau.ts";
import type { Schedule } from "./schedule.ts";
import { readSpan, type Span, type SpanOptions } from "./span.ts";
import { stages, table } from "./table.ts";

const WORDS = [...stages.map((form) => form.word), "plateau"].join(", ");

function parseStage(reader: Reader, baseRate: number): Stage {
  const form = stages.find(({ word }) => word === reader.peekWord());
  if (form === undefined) throw reader.fail(`one of ${WORDS}`);
  reader.accept(form.word);
  const rate = reader.accept("at") ? reader.number("a rate") : baseRate;
  const schedule = form.parse(reader, rate);
  const length = reader.accept("for") ? reader.span("a length, as in 10ep, 500st or 5%") : undefined;
  return { schedule, ...length };
}

const hasLength = (stage: Stage): boolean => readSpan("schedule", stage) !== undefined;

/** `warmup 5% |`: the schedule's own length is the stage's, and within the stage it spans the whole. */
function withLength(reader: Reader, stage: Stage): Stage {
  if (hasLength(stage)) return stage;
  const { steps, epochs, fraction, ...rest } = stage.schedule.toJSON() as SpanOptions;
  const own = readSpan("schedule", stage.schedule.toJSON() as SpanOptions);
  if (own === undefined) throw reader.fail('how long it lasts before "|", as in "for 10ep"');
  return { schedule: fromJSON(rest), ...own };
}

/**
 * The schedule that a command line's text says, with `baseRate` for its rate.
 *
 * One or more stages with `|` between them; a stage before a bar ends after its length. Lengths carry a unit: `ep` epochs,
 * `st` steps, `%` of the run.
 *
 * | text | schedule |
 * |---|---|
 * | `constant` | the base rate |
 * | `step 0.5/5ep` | `stepDecay`: times 0.5 every 5 epochs |
 * | `exp 0.05`, `exp 0.001/st`, `exp 0.05 staircase` | `exponentialDecay`, k per epoch or per step |
 * | `1/t 0.1`, `1/t 0.001/st` | `inverseTimeDecay` |
 * | `cosine`, `cosine 20ep to 0.001` | `cosine` |
 * | `warmup 5% \| cosine`, `constant for 10ep \| exp 0.05` | `join` |
 * | `plateau 0.5`, `plateau 0.1 patience 10 like pytorch`, `cosine * plateau 0.5` | `reduceOnPlateau` |
 * | `warmup 5% \| constant at 0.01` | another rate than the base rate |
 *
 * Throws OptionError for text that is none of these: it names the position, what was expected there and the forms.
 *
 * @example
 * const run = { stepsPerEpoch: 100, totalSteps: 1_000 };
 * schedule.parseSchedule("step 0.5/5ep", 0.1).at(500, run) // -> 0.05
 */
export function parseSchedule(text: string, baseRate: number): Schedule {
  const reader = new Reader(
    text,
    table.map((form) => form.text),
  );
  const read: Stage[] = [];
  let decision: PlateauOptions | undefined;
  do {
    if (reader.accept("plateau")) {
      decision = parsePlateau(reader);
      read.push({ schedule: constant(baseRate) });
      break;
    }
    read.push(parseStage(reader, baseRate));
    if (reader.comesNext("|")) read.push(withLength(reader, read.pop() as Stage));
  } while (reader.accept("|"));
  if (decision === undefined && reader.accept("*")) {
    if (!reader.accept("plateau")) throw reader.fail("plateau");
    decision = parsePlateau(reader);
  }
  if (!reader.done) throw reader.fail(decision === undefined ? 'the end, "|" or "* plateau"' : "the end");
  const [first] = read as [Stage];
  if (read.length === 1 && hasLength(first)) throw reader.fail('"|" and what comes after');
  const base = read.length === 1 ? first.schedule : join(read);
  return decision === undefined ? base : reduceOnPlateau(base, decision);
}

function formOf(schedule: Schedule): StageForm {
  const form = stages.find(({ kind }) => kind === schedule.kind);
  if (form === undefined)
    throw new OptionError(
      `formatSchedule: got a schedule of kind ${schedule.kind} here; expected one of ${stages.map(({ kind }) => kind).join(", ")}.`,
      "schedule",
    );
  return form;
}

function formatStage(schedule: Schedule, baseRate: number, span?: Span): string {
  const form = formOf(schedule);
  const data = schedule.toJSON();
  const rate = data.rate === baseRate ? "" : ` at ${String(data.rate)}`;
  const spansStage = "fraction" in form.options && readSpan("schedule", data as SpanOptions) === undefined;
  const text = form.format(span !== undefined && spansStage ? { ...data, ...span } : data);
  const length = span === undefined || spansStage ? "" : ` for ${formatSpan(span)}`;
  return `${form.word}${rate}${text.slice(form.word.length)}${length}`;
}

const isJoin = (schedule: Schedule): schedule is Join => schedule.kind === "join";

/** The rate of the (first) schedule: what `parseSchedule` needs besides the text. */
export function baseRateOf(schedule: Schedule): number {
  if (isReduceOnPlateau(schedule)) return baseRateOf(schedule.base);
  if (isJoin(schedule)) return baseRateOf((schedule.stages as readonly [Stage])[0].schedule);
  formOf(schedule);
  return schedule.toJSON().rate as number;
}

/**
 * The text that `parseSchedule` reads back to the same schedule, given the same base rate (by default the first stage's).
 *
 * Throws OptionError for what has no text form: a schedule of the user's own, or a `join` within a `join`.
 *
 * @example
 * schedule.formatSchedule(schedule.stepDecay(0.05, { everyEpochs: 5, factor: 0.5 })) // -> "step 0.5/5ep"
 */
export function formatSchedule(schedule: Schedule, baseRate: number = baseRateOf(schedule)): string {
  if (isReduceOnPlateau(schedule)) {
    const base = formatSchedule(schedule.base, baseRate);
    const factor = formatPlateau(schedule.plateau.options);
    return base === "constant" ? factor : `${base} * ${factor}`;
  }
  if (!isJoin(schedule)) return formatStage(schedule, baseRate);
  if (schedule.stages.length === 1)
    throw new OptionError("formatSchedule: got a join of one stage; expected two or more.", "schedule");
  return schedule.stages.map((stage) => formatStage(stage.schedule, baseRate, readSpan("schedule", stage))).join(" | ");
}
