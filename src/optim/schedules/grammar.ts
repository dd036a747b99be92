import { OptionError } from "../../core/errors.ts";
import { constant } from "./constant.ts";
import type { StageForm } from "./form.ts";
import { fromJSON } from "./from-json.ts";
import { isJoin, join, type Stage } from "./join.ts";
import { isMultiply, multiply } from "./multiply.ts";
import { readPhrases, writePhrases } from "./phrases.ts";
import { isReactive, type Reactive } from "./reactive.ts";
import { formatSpan, Reader } from "./reader.ts";
import { type Repeat, repeat } from "./repeat.ts";
import type { Schedule } from "./schedule.ts";
import { readSpan, type Span, type SpanOptions } from "./span.ts";
import { reactions, stages, table } from "./table.ts";

const WORDS = [...stages.map((form) => form.word), "repeat"].join(", ");
const REACTIONS = reactions.map((form) => form.word).join(", ");
const EXAMPLE = "warmup 5% | cosine";

const reactionNext = (reader: Reader) => reactions.find(({ word }) => reader.comesNext(word));
const stageNext = (reader: Reader) => stages.find(({ word }) => reader.comesNext(word));

/** One stage without its length: a group, a repetition or a word with its phrases. */
function parseAtom(reader: Reader, rate: number, last: boolean): Schedule {
  if (reader.accept("(")) {
    const inner = parseProduct(reader, rate);
    reader.show(EXAMPLE);
    if (!reader.accept(")")) throw reader.fail('"|", "*" or ")"');
    return inner;
  }
  if (reader.accept("repeat")) {
    const every = reader.span('a length after "repeat", as in 10ep');
    return repeat(parseAtom(reader, rate, false), every);
  }
  const form = stageNext(reader);
  if (form === undefined) throw reader.fail(`one of ${WORDS}${last ? `, ${REACTIONS}` : ""}, "("`);
  reader.accept(form.word);
  reader.show(form.text);
  const given = reader.accept("at") ? reader.number("a rate") : rate;
  const { rate: own = given, ...options } = readPhrases(reader, form.phrases);
  return form.build(own as number, options);
}

function parseStage(reader: Reader, rate: number): Stage {
  const schedule = parseAtom(reader, rate, true);
  const length = reader.accept("for") ? reader.span("a length, as in 10ep, 500st or 5%") : undefined;
  return { schedule, ...length };
}

const hasLength = (stage: Stage): boolean => readSpan("schedule", stage) !== undefined;
const lasts = (kind: string): boolean => stages.some((form) => form.kind === kind && form.lasts);

/** `warmup 5% |`: the schedule's own length is the stage's, and within the stage it spans the whole. */
function withLength(reader: Reader, stage: Stage): Stage {
  if (hasLength(stage)) return stage;
  const { steps, epochs, fraction, ...rest } = stage.schedule.toJSON() as SpanOptions;
  const own = lasts(stage.schedule.kind) ? readSpan("schedule", { ...stage.schedule.toJSON() }) : undefined;
  if (own === undefined) throw reader.fail('how long it lasts before "|", as in "for 10ep"');
  return { schedule: fromJSON(rest), ...own };
}

/** Stages with `|` between them; a reaction after the last bar is one on what comes before. */
function parseStages(reader: Reader, rate: number): Schedule {
  const read: Stage[] = [];
  do {
    if (read.length > 0 && reactionNext(reader) !== undefined) {
      read.push({ schedule: constant(rate) });
      break;
    }
    read.push(parseStage(reader, rate));
    if (reader.comesNext("|")) read.push(withLength(reader, read.pop() as Stage));
  } while (reader.accept("|"));
  const [first] = read as [Stage];
  if (read.length === 1 && hasLength(first)) throw reader.fail('"|" and what comes after');
  return read.length === 1 ? first.schedule : join(read);
}

/** Factors with `*` between them; the rate is the first one's. A reaction is a factor on all before it, and the last. */
function parseProduct(reader: Reader, rate: number): Schedule {
  const factors: Schedule[] = [];
  if (reactionNext(reader) === undefined) {
    do factors.push(parseStages(reader, factors.length === 0 ? rate : 1));
    while (reactionNext(reader) === undefined && reader.accept("*") && reactionNext(reader) === undefined);
  }
  const [first = constant(rate)] = factors;
  const base = factors.length > 1 ? multiply(factors) : first;
  const form = reactionNext(reader);
  if (form === undefined) return base;
  reader.accept(form.word);
  reader.show(form.text);
  return form.build(base, readPhrases(reader, form.phrases));
}

/**
 * The schedule that a command line's text says, with `baseRate` for its rate.
 *
 * One or more stages with `|` between them; a stage before a bar ends after its length. `*` between such rows multiplies them; it binds
 * less than `|`, and the rate is the first one's. Parentheses make one stage of many. Lengths carry a unit: `ep` epochs, `st` steps, `%`
 * of the run. A plateau, trend or greedy factor comes last.
 *
 * | text | schedule |
 * |---|---|
 * | `constant` | the base rate |
 * | `step 0.5/5ep` | `stepDecay`: times 0.5 every 5 epochs |
 * | `exp 0.05`, `exp 0.001/st`, `exp 0.05 staircase` | `exponentialDecay`, k per epoch or per step |
 * | `1/t 0.1`, `1/t 0.001/st` | `inverseTimeDecay` |
 * | `cosine`, `cosine 20ep to 0.001` | `cosine` |
 * | `warmup 5% \| cosine`, `constant for 10ep \| exp 0.05` | `join` |
 * | `cosine * step 0.1/30ep` | `multiply` |
 * | `repeat 10ep (warmup 10% \| cosine)` | `repeat` |
 * | `plateau 0.5`, `plateau 0.1 patience 10 like pytorch`, `cosine * plateau 0.5` | `reduceOnPlateau` |
 * | `warmup 5% \| constant at 0.01` | another rate than the base rate |
 *
 * The text of each schedule stands in its documentation, and `schedule.table` has one of each. Throws OptionError for text that is none
 * of these: it names the position, what was expected there and an example.
 *
 * @example
 * const run = { stepsPerEpoch: 100, totalSteps: 1_000 };
 * schedule.parseSchedule("step 0.5/5ep", 0.1).at(500, run) // -> 0.05
 */
export function parseSchedule(text: string, baseRate: number): Schedule {
  const reader = new Reader(text, EXAMPLE);
  const schedule = parseProduct(reader, baseRate);
  if (!reader.done) throw reader.fail(isReactive(schedule) ? "the end" : '"|", "*" or the end');
  return schedule;
}

const isRepeat = (schedule: Schedule): schedule is Repeat => schedule.kind === "repeat";

function formOf(schedule: Schedule): StageForm {
  const form = stages.find(({ kind }) => kind === schedule.kind);
  if (form === undefined)
    throw new OptionError(
      `formatSchedule: got a schedule of kind ${schedule.kind}, which has no text form; expected one of ${table.flatMap(({ kind, text }) => (text === undefined ? [] : [kind])).join(", ")}.`,
      "schedule",
    );
  return form;
}

/** A schedule as one stage: in parentheses where it is many. */
function formatAtom(schedule: Schedule, rate: number, span?: Span): string {
  if (isRepeat(schedule)) return `repeat ${formatSpan(schedule.every)} ${formatAtom(schedule.schedule, rate)}`;
  if (isJoin(schedule) || isMultiply(schedule)) return `(${formatProduct(schedule, rate)})`;
  const form = formOf(schedule);
  const data = schedule.toJSON();
  const other = data.rate === rate ? "" : `at ${String(data.rate)}`;
  const phrases = writePhrases(span === undefined ? data : { ...data, ...span }, form.phrases);
  return [form.word, other, phrases].filter((part) => part !== "").join(" ");
}

function formatStage({ schedule, ...length }: Stage, rate: number): string {
  const span = readSpan("schedule", length);
  if (span === undefined) return formatAtom(schedule, rate);
  const own = lasts(schedule.kind) && readSpan("schedule", { ...schedule.toJSON() }) === undefined;
  return own ? formatAtom(schedule, rate, span) : `${formatAtom(schedule, rate)} for ${formatSpan(span)}`;
}

function formatStages(schedule: Schedule, rate: number): string {
  if (!isJoin(schedule)) return formatAtom(schedule, rate);
  if (schedule.stages.length === 1)
    throw new OptionError("formatSchedule: got a join of one stage; expected two or more.", "schedule");
  return schedule.stages.map((stage) => formatStage(stage, rate)).join(" | ");
}

function formatProduct(schedule: Schedule, rate: number): string {
  if (!isMultiply(schedule)) return formatStages(schedule, rate);
  return schedule.factors.map((factor, i) => formatStages(factor, i === 0 ? rate : 1)).join(" * ");
}

function formatReaction({ kind, reaction }: Reactive): string {
  const form = reactions.find((row) => row.kind === kind);
  if (form === undefined)
    throw new OptionError(
      `formatSchedule: got a schedule of kind ${kind}, which has no text form; expected one of ${reactions.map((row) => row.kind).join(", ")}.`,
      "schedule",
    );
  return [form.word, writePhrases(reaction.options, form.phrases)].filter((part) => part !== "").join(" ");
}

/** The rate of the (first) schedule: what `parseSchedule` needs besides the text. */
export function baseRateOf(schedule: Schedule): number {
  if (isReactive(schedule)) return baseRateOf(schedule.base);
  if (isJoin(schedule)) return baseRateOf((schedule.stages as readonly [Stage])[0].schedule);
  if (isMultiply(schedule)) return baseRateOf((schedule.factors as readonly [Schedule])[0]);
  if (isRepeat(schedule)) return baseRateOf(schedule.schedule);
  formOf(schedule);
  return schedule.toJSON().rate as number;
}

/**
 * The text that `parseSchedule` reads back to the same schedule, given the same base rate (by default the first stage's).
 *
 * Throws OptionError for what has no text form: a schedule of the user's own.
 *
 * @example
 * schedule.formatSchedule(schedule.stepDecay(0.05, { everyEpochs: 5, factor: 0.5 })) // -> "step 0.5/5ep"
 */
export function formatSchedule(schedule: Schedule, baseRate: number = baseRateOf(schedule)): string {
  if (!isReactive(schedule)) return formatProduct(schedule, baseRate);
  const base = formatProduct(schedule.base, baseRate);
  const factor = formatReaction(schedule);
  return base === "constant" ? factor : `${base} * ${factor}`;
}
