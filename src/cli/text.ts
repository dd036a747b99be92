import { basename } from "node:path";
import type { Aval } from "../core/dtype.ts";
import { OptionError } from "../core/errors.ts";
import { type TextData, type TextExamples, textData } from "../data/text.ts";
import { byteTokenizer, charactersOf, characterTokenizer, TextStream } from "../data/tokenizer.ts";
import type { Tokenizer } from "../data/tokenizer-config.ts";
import { trainBpe } from "../data/tokenizer-training.ts";
import * as nn from "../nn/index.ts";
import { KNOWN_DATASETS } from "../node/known-datasets.ts";
import { readBpe, readText } from "../node/text.ts";
import type { Transform } from "../optim/transform.ts";
import type { Callback, Control, TrainEvent } from "../train/events.ts";
import { generate } from "../train/generate.ts";
import type { TrainedModel } from "../train/trained-model.ts";
import { finished, fitRun } from "./fit-run.ts";
import { epochOf, formatBytes, formatCount, formatDuration, formatNumber, progressLine } from "./format.ts";
import { backendLines, programLines, REDRAW_MS } from "./progress.ts";
import { type Recipe, shownEpochs } from "./recipe.ts";
import { TEXT_REPORT } from "./run-report.ts";
import type { Screen } from "./screen.ts";
import type { Session } from "./session.ts";
import { wrapText } from "./text-format.ts";
import type { TextRecipe } from "./text-recipe.ts";
import { TimeLeft } from "./time-left.ts";

/** Tokens that a run sees when nobody says for how many epochs. */
const TOKENS_TO_SEE = 600_000;
const MAX_EPOCHS = 30;
/** The share of a text that is held out when nobody says. */
export const VALIDATION = 0.1;
const SAMPLE_TOKENS = 160;
const SAMPLE_TEMPERATURE = 0.8;

type TextRun = Recipe & { readonly text: TextRecipe };

/** `downhill train` of a gpt on a text: answers the exit code. */
export async function trainText(
  screen: Screen,
  given: TextRun,
  optimizer: Transform,
  session: Session,
): Promise<number> {
  const { data: file } = given;
  if (KNOWN_DATASETS.some(({ name }) => name === file))
    throw new OptionError(`--model: got gpt for ${file}; expected a text file, such as book.txt.`, "model");
  const bytes = readText(file);
  const { tokenizer, data } = prepareText(bytes, given);
  const windows = data.train.inputs.shape[0] as number;
  const batchSize = Math.min(given.batchSize, windows);
  const epochs = given.text.epochs ?? defaultEpochs(windows * given.text.block);
  const totalSteps = epochs * Math.ceil(windows / batchSize);
  const sampleEvery = given.text.sampleEvery ?? Math.max(1, Math.ceil(totalSteps / 10));
  const prompt = given.text.sample ?? firstLine(tokenizer, data.train);
  const recipe: TextRun = { ...given, epochs, text: { ...given.text, sampleEvery, sample: prompt } };
  const promptTokens = tokenizer.encode(prompt);
  describe(screen, recipe, bytes.length, data);

  const { layers, heads, width, block, dropout } = recipe.text;
  const perByte = data.validation === undefined ? undefined : tokensPerByte(data.validation);
  const model = nn.gpt({ vocabSize: tokenizer.vocabSize, blockSize: block, layers, heads, width, dropout });
  const ended = await fitRun(screen, { recipe, session }, model as never, {
    train: data.train,
    validation: data.validation ?? 0,
    loss: nn.crossEntropy({ classAxis: -1 }),
    metrics: [],
    optimizer,
    name: `${basename(file)
      .replace(/\.\w+$/, "")
      .replaceAll(/[^\w.-]+/g, "-")}-gpt`,
    before: [new TextProgress(screen, { epochs: shownEpochs(recipe), block, perByte, verbose: session.verbose })],
    after: (signal) => [new Samples(screen, { ...recipe, tokenizer, promptTokens, every: sampleEvery, signal })],
  });
  if (ended.run === undefined) return ended.exitCode;
  const { run, sink } = ended;
  const last = run.history.at(-1);
  screen.line();
  if (last?.validation.loss !== undefined)
    screen.line(screen.bold(`Validation loss ${measures(last.validation.loss, perByte)}`));
  return finished(screen, { run, sink, session }, { without: TEXT_REPORT }, [
    `Go on with: downhill generate ${sink.place} --prompt "..."`,
  ]);
}

/** The tokenizer, and the text's windows. What a tokenizer learns, it learns from the training part. */
export function prepareText(
  bytes: Uint8Array,
  { data: file, validation: held, text }: TextRun,
): { tokenizer: Tokenizer; data: TextData } {
  const share = held ?? VALIDATION;
  const training = share < 1 ? bytes.subarray(0, bytes.length - Math.round(share * bytes.length)) : bytes;
  const tokenizer = tokenizerOf(text, training, bytes);
  const tokens = tokenizer.encode(bytes);
  if (share >= tokens.length)
    throw new OptionError(
      `--validation: got ${share} of ${formatCount(tokens.length)} tokens; expected fewer than there are.`,
      "validation",
    );
  const validation = share < 1 ? share : share / tokens.length;
  return { tokenizer, data: textData(tokenizer, tokens, { block: text.block, validation, name: file }) };
}

function tokenizerOf({ tokenizer, vocab }: TextRecipe, training: Uint8Array, all: Uint8Array): Tokenizer {
  if (tokenizer === "byte") return byteTokenizer();
  // A character that stands in the validation part alone must have a token too.
  if (tokenizer === "character") return characterTokenizer(charactersOf(new TextDecoder().decode(all)));
  return tokenizer === "bpe" ? trainBpe(training, { vocabSize: vocab ?? 512 }) : readBpe(tokenizer);
}

function defaultEpochs(tokens: number): number {
  return Math.max(1, Math.min(MAX_EPOCHS, Math.round(TOKENS_TO_SEE / tokens)));
}

/** What a sample starts from when nobody says: the first words of the text. */
function firstLine(tokenizer: Tokenizer, { windows }: TextExamples): string {
  const stream = new TextStream(tokenizer);
  let text = "";
  for (const token of windows.tokens.data.subarray(0, 64)) {
    text += stream.push(token);
    if (/\S\s*\n/.test(text) || text.length > 40) break;
  }
  const [line] = /^\s*\S[^\n]*/.exec(text) ?? [text];
  return line === "" ? "\n" : line;
}

/** Tokens of a part for each of its bytes: what makes bits per byte of nats per token. */
export function tokensPerByte({ windows, tokenizer }: TextExamples): number {
  const { data } = windows.tokens;
  let bytes = 0;
  for (const token of data) bytes += tokenizer.bytesOf(token).length;
  return data.length / bytes;
}

/** `1.6204: 2.338 bits a byte, perplexity 5.055`. */
export function measures(loss: number, perByte: number | undefined): string {
  const bits = perByte === undefined ? "" : `${((loss / Math.LN2) * perByte).toFixed(3)} bits a byte, `;
  return `${formatNumber(loss)} (${bits}perplexity ${formatNumber(Math.exp(loss))})`;
}

/** A whole text, or its held-out end, in windows of the model's block. */
export function textToEvaluate(
  bytes: Uint8Array,
  file: string,
  { tokenizer, sample }: Pick<TrainedModel, "tokenizer" | "sample">,
  held: number | undefined,
): TextExamples {
  if (tokenizer === undefined)
    throw new OptionError(`evaluate: got a model without a tokenizer for ${file}; expected one of texts.`, file);
  const tokens = tokenizer.encode(bytes);
  const [block = 1] = (sample as Aval).shape;
  const share = held === undefined || held < 1 ? held : held / tokens.length;
  const { train, validation } = textData(tokenizer, tokens, { block, validation: share ?? 0, name: file });
  return validation ?? train;
}

/** What a guess loses that knows nothing but how often each token comes. */
function unigramEntropy(tokens: ArrayLike<number>, vocabSize: number): number {
  const counts = new Float64Array(vocabSize);
  for (let i = 0; i < tokens.length; i++) counts[tokens[i] as number] = (counts[tokens[i] as number] as number) + 1;
  return counts.reduce((sum, n) => (n === 0 ? sum : sum - (n / tokens.length) * Math.log(n / tokens.length)), 0);
}

function describe(screen: Screen, recipe: TextRun, size: number, { train, validation }: TextData): void {
  const { text, lr, schedule, epochs } = recipe;
  const held = validation === undefined ? "" : ` and ${formatCount(validation.windows.tokens.data.length)} validation`;
  const { data } = train.windows.tokens;
  const { tokenizer } = train;
  screen.line(
    `${basename(recipe.data)}: ${formatBytes(size)}, ${formatCount(data.length)} training${held} tokens, ` +
      `${formatCount(tokenizer.vocabSize)} different (${text.tokenizer})`,
  );
  screen.line(
    `By how often each comes alone, the loss would be ${formatNumber(unigramEntropy(data, tokenizer.vocabSize))}`,
  );
  screen.line(
    `gpt, ${text.layers} layers, ${text.heads} heads, width ${text.width}, block ${text.block}, dropout ${text.dropout}`,
  );
  const rate = lr === undefined ? "" : `, rate ${lr} (${schedule})`;
  const hypers = Object.entries({ ...recipe.hypers, ...recipe.processing }).map(
    ([name, value]) => `, ${name} ${[value].flat().join("; ")}`,
  );
  screen.line(`${recipe.optimizer}${rate}${hypers.join("")}`);
  screen.line(`batch ${recipe.batchSize}, ${epochs} epoch${epochs === 1 ? "" : "s"}, seed ${recipe.seed}`);
}

/** Shows how a text is learned: a live line on a terminal, and a line for each epoch. */
class TextProgress implements Callback {
  readonly name = "progress";
  private readonly screen: Screen;
  private readonly options: {
    readonly epochs: number | undefined;
    readonly block: number;
    readonly perByte: number | undefined;
    readonly verbose: boolean;
  };
  private start: (TrainEvent & { type: "start" }) | undefined;
  private readonly timeLeft = new TimeLeft();
  private drawnAt = 0;
  private loss: number | undefined;

  constructor(screen: Screen, options: TextProgress["options"]) {
    this.screen = screen;
    this.options = options;
  }

  on(event: TrainEvent): void {
    const { screen, options } = this;
    this.timeLeft.on(event);
    if (event.type === "start") {
      this.start = event;
      for (const line of backendLines(event, options.verbose)) screen.line(line);
      if (!options.verbose)
        screen.line(`${formatCount(event.parameters)} parameters, ${formatCount(event.totalSteps)} updates`);
      else for (const line of programLines(event)) screen.line(screen.dim(line));
    } else if (event.type === "step") this.step(event);
    else if (event.type === "epoch") {
      const { validation } = event;
      const held = validation.loss === undefined ? "" : `, validation ${measures(validation.loss, options.perByte)}`;
      screen.line(
        screen.bold(epochOf(event.epoch, options.epochs)) +
          `: training loss ${formatNumber(event.train.loss)}${held}, ${formatDuration(event.timeMs)}`,
      );
    } else if (event.type === "end") screen.erase();
  }

  private step(event: TrainEvent & { type: "step" }): void {
    const { start, screen, options } = this;
    const loss = event.metrics.loss ?? Number.NaN;
    // About the last twenty batches.
    this.loss = this.loss === undefined ? loss : this.loss + (loss - this.loss) * 0.05;
    const now = performance.now();
    if (start === undefined || !screen.isTerminal || now - this.drawnAt < REDRAW_MS) return;
    this.drawnAt = now;
    const { batchSize } = start.config as { batchSize: number };
    screen.draw(
      progressLine(
        {
          epoch: event.epoch,
          epochs: options.epochs,
          done: (event.step - (event.epoch - 1) * start.stepsPerEpoch) / start.stepsPerEpoch,
          loss: this.loss,
          accuracy: undefined,
          imagesPerSecond: (batchSize * options.block * 1000) / this.timeLeft.perStep(event.step),
          leftMs: this.timeLeft.after(event.step),
        },
        screen.columns,
      ),
    );
  }
}

type SampleOptions = {
  readonly tokenizer: Tokenizer;
  readonly promptTokens: Int32Array;
  readonly text: TextRecipe;
  readonly seed: number;
  /** 0: never. */
  readonly every: number;
  readonly signal: AbortSignal;
};

/** Shows now and then how the model goes on from a prompt, and at the end. */
class Samples implements Callback {
  readonly name = "samples";
  private readonly screen: Screen;
  private readonly options: SampleOptions;

  constructor(screen: Screen, options: SampleOptions) {
    this.screen = screen;
    this.options = options;
  }

  on(event: TrainEvent, control: Control): Promise<void> | undefined {
    const { every, signal } = this.options;
    if (event.type !== "step" || every === 0 || event.step % every !== 0 || signal.aborted) return undefined;
    return this.show(event, control);
  }

  private async show({ step, metrics }: TrainEvent & { type: "step" }, control: Control): Promise<void> {
    const { screen } = this;
    const { tokenizer, promptTokens, seed, signal, text } = this.options;
    const stream = new TextStream(tokenizer);
    let made = Array.from(promptTokens, (token) => stream.push(token)).join("");
    const model = { sample: { dtype: "i32", shape: [text.block] } as const, outputs: control.outputs };
    const options = { tokens: SAMPLE_TOKENS, temperature: SAMPLE_TEMPERATURE, seed, signal };
    for await (const token of generate(model, promptTokens, options)) made += stream.push(token);
    made = (made + stream.end()).replaceAll(/\n\s*\n\s*\n+/g, "\n\n");
    if (signal.aborted) return;
    screen.line(screen.dim(`--- update ${formatCount(step)}, loss ${formatNumber(metrics.loss)}`));
    for (const line of wrapText(made, Math.min(80, screen.columns), "  ")) screen.line(line);
  }
}
