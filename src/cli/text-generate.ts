import { OptionError } from "../core/errors.ts";
import { load } from "../node/load-run.ts";
import { generateText } from "../train/generate.ts";
import { EXIT_CODES } from "./interrupts.ts";
import type { Screen } from "./screen.ts";
import { printable } from "./text-format.ts";

export type GenerateFlags = {
  readonly run: string;
  readonly prompt: string;
  readonly tokens: number;
  readonly temperature: number;
  readonly topK: number | undefined;
  readonly topP: number | undefined;
  readonly seed: number;
};

/** `downhill generate`: the prompt, and how a saved model goes on from it, as it comes. A terminal is shown plain text only. */
export async function generateCommand(screen: Screen, flags: GenerateFlags): Promise<void> {
  const { run, prompt, topK, topP, ...options } = flags;
  const stop = new AbortController();
  const model = await load(run);
  try {
    if (model.tokenizer === undefined)
      throw new OptionError(`generate: ${run} has no tokenizer; expected a run that was trained on a text.`, run);
    const write = (text: string): void => {
      const shown = screen.isTerminal ? printable(text.replaceAll("\r", "")) : text;
      process.stdout.write(shown);
    };
    // A reader that went away, as in `| head`.
    process.stdout.on("error", () => stop.abort());
    process.once("SIGINT", () => {
      process.exitCode = EXIT_CODES.SIGINT;
      stop.abort();
    });
    let begun = false;
    const limits = { ...(topK === undefined ? {} : { topK }), ...(topP === undefined ? {} : { topP }) };
    for await (const piece of generateText(model, prompt, { ...options, ...limits, signal: stop.signal })) {
      // Errors come before the first piece, and then nothing was written.
      write(begun ? piece : prompt + piece);
      begun = true;
    }
    write(begun ? "\n" : `${prompt}\n`);
  } finally {
    await model.close();
  }
}
