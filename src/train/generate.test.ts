import { beforeAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../backends/wasm/index.ts";
import { array, type HostArray } from "../core/host-array.ts";
import { keyOf } from "../core/prng.ts";
import { textData } from "../data/text.ts";
import { byteTokenizer } from "../data/tokenizer.ts";
import { trainBpe } from "../data/tokenizer-training.ts";
import * as nn from "../nn/index.ts";
import * as optim from "../optim/index.ts";
import type { TrainEvent } from "./events.ts";
import { fitWith, type Run } from "./fit.ts";
import { generate, generateText, type LanguageModel, sampleToken } from "./generate.ts";
import { loadModel } from "./load-model.ts";

const fit = fitWith(() => wasmBackend());

/** Logits that want the successor of each token, modulo the size. */
const successor = (block: number, vocabSize: number): LanguageModel => ({
  sample: { dtype: "i32", shape: [block] },
  outputs: (inputs) => {
    const rows = Array.from(inputs.data, (token) =>
      Array.from({ length: vocabSize }, (_, next) => (next === (token + 1) % vocabSize ? 5 : 0)),
    );
    return Promise.resolve(array(rows));
  },
});

const all = async (tokens: AsyncIterable<number>): Promise<number[]> => {
  const list: number[] = [];
  for await (const token of tokens) list.push(token);
  return list;
};

describe("sampleToken", () => {
  const logits = [1, 3, 2, 3, Number.NEGATIVE_INFINITY];
  const share = (options: Parameters<typeof sampleToken>[1]): number[] => {
    const counts = new Array<number>(5).fill(0);
    const draws = 20_000;
    for (let i = 0; i < draws; i++) {
      const token = sampleToken(logits, options, keyOf(5), i);
      counts[token] = (counts[token] ?? 0) + 1 / draws;
    }
    return counts;
  };
  const close = (got: readonly number[], wanted: readonly number[]): void => {
    // 20,000 draws: four deviations of a share are below 0.015.
    got.forEach((value, i) => {
      expect(Math.abs(value - (wanted[i] ?? 0))).toBeLessThan(0.015);
    });
  };
  const softmax = (z: readonly number[]): number[] => {
    const e = z.map(Math.exp);
    return e.map((x) => x / e.reduce((a, b) => a + b));
  };

  test("samples the softmax, at any temperature", () => {
    close(share({}), softmax(logits));
    close(share({ temperature: 0.5 }), softmax(logits.map((z) => z / 0.5)));
    close(share({ temperature: 1e9 }), [0.25, 0.25, 0.25, 0.25, 0]);
  });
  test("greedy takes the first of the largest", () => {
    expect(sampleToken(logits, { temperature: 0 }, keyOf(1), 0)).toBe(1);
  });
  test("topK and topP cut the tail", () => {
    close(share({ topK: 2 }), [0, 0.5, 0, 0.5, 0]);
    const [, a = 0, b = 0] = softmax(logits);
    close(share({ topP: 2 * a + 0.01 }), [0, a / (2 * a + b), b / (2 * a + b), a / (2 * a + b), 0]);
    close(share({ topP: 0.01 }), [0, 1, 0, 0, 0]);
  });
});

describe("generate", () => {
  test("goes on past the block, from prompts shorter and longer than it", async () => {
    const greedy = { temperature: 0, tokens: 6 };
    expect(await all(generate(successor(4, 7), [2], greedy))).toEqual([3, 4, 5, 6, 0, 1]);
    expect(await all(generate(successor(4, 7), [0, 0, 0, 0, 0, 5], greedy))).toEqual([6, 0, 1, 2, 3, 4]);
  });
  test("the same seed gives the same tokens, another seed others", async () => {
    const run = (seed: number) => all(generate(successor(4, 50), [2], { seed, tokens: 30, temperature: 3 }));
    expect(await run(3)).toEqual(await run(3));
    expect(await run(3)).not.toEqual(await run(4));
  });
  test("ends when aborted", async () => {
    const stop = new AbortController();
    const got: number[] = [];
    for await (const token of generate(successor(4, 7), [0], { temperature: 0, signal: stop.signal })) {
      got.push(token);
      if (got.length === 3) stop.abort();
    }
    expect(got).toEqual([1, 2, 3]);
  });
  test.each([
    [{ temperature: -1 }, [1], "got temperature -1"],
    [{ topK: 0 }, [1], "got topK 0"],
    [{ topP: 0 }, [1], "got topP 0"],
    [{ tokens: 1.5 }, [1], "got tokens 1.5"],
    [{}, [], "empty prompt"],
    [{}, [7], "got token 7; expected 0 to 6"],
  ] as const)("refuses %o for %o", async (options, prompt, text) => {
    await expect(all(generate(successor(4, 7), prompt, options))).rejects.toThrow(text);
  });
  test("refuses a model that is not one of tokens", async () => {
    const pictures: LanguageModel = { ...successor(4, 7), sample: { dtype: "f32", shape: [1, 4, 4] } };
    await expect(all(generate(pictures, [1]))).rejects.toThrow("expected one of tokens");
  });
});

describe("a GPT on a small text", () => {
  const text = "the cat sat on the mat. the dog sat on the log. ".repeat(40);
  const tokenizer = trainBpe(text, { vocabSize: 270 });
  const tokens = tokenizer.encode(text);
  const { train, validation } = textData(tokenizer, tokens, { block: 16, name: "cats" });
  const events: TrainEvent[] = [];
  const during: HostArray[] = [];
  let run: Run<HostArray, HostArray>;

  beforeAll(async () => {
    if (validation === undefined) throw new Error("nothing held out");
    run = await fit(nn.gpt({ vocabSize: tokenizer.vocabSize, blockSize: 16, layers: 1, heads: 2, width: 32 }), {
      train,
      validation,
      epochs: 12,
      batchSize: 4,
      seed: 1,
      loss: nn.crossEntropy({ classAxis: -1 }),
      optimizer: optim.adamw(0.01),
      callbacks: [
        {
          name: "watch",
          on: async (event, control) => {
            events.push(event);
            if (event.type === "epoch") during.push((await control.outputs(array(tokens.slice(0, 16)))) as HostArray);
          },
        },
      ],
    });
  }, 120_000);

  test("learns more than how often each token comes", () => {
    const counts = new Map<number, number>();
    for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
    const entropy = [...counts.values()].reduce((sum, n) => sum - (n / tokens.length) * Math.log(n / tokens.length), 0);
    const last = run.history.at(-1);
    expect(last?.validation.loss).toBeLessThan(entropy / 4);
    expect(last?.train.loss).toBeLessThan(entropy / 4);
  });

  test("callbacks see the model's outputs as they are at that time", () => {
    expect(during.length).toBe(12);
    expect(during[0]?.shape).toEqual([16, tokenizer.vocabSize]);
    expect(during[0]?.data).not.toEqual(during[11]?.data);
  });

  test("goes on with the text; saved and loaded the same", async () => {
    const pieces = async (model: Parameters<typeof generateText>[0]): Promise<string> => {
      let out = "";
      for await (const piece of generateText(model, "the dog sat", { tokens: 20, temperature: 0 })) out += piece;
      return out;
    };
    const text = await pieces(run);
    expect(text).toMatch(/^ on the (log|mat)\. the (cat|dog|mat|log)/);
    const loaded = loadModel(await run.toBytes(), "model.safetensors", wasmBackend());
    expect(loaded.tokenizer?.config).toEqual(tokenizer.config);
    expect(await pieces(loaded)).toBe(text);
  });

  test("evaluates on the held-out end exactly as the last epoch did", async () => {
    if (validation === undefined) throw new Error("nothing held out");
    expect((await run.evaluate(validation)).loss).toBeCloseTo(run.history.at(-1)?.validation.loss ?? 0, 10);
  });

  test("refuses a share of the windows as validation", async () => {
    const options = {
      train,
      validation: 0.1,
      epochs: 1,
      loss: nn.crossEntropy({ classAxis: -1 }),
      optimizer: optim.sgd(0.1),
    };
    await expect(
      Promise.resolve(fit(nn.gpt({ vocabSize: 270, blockSize: 16, layers: 1, heads: 1, width: 8 }), options)),
    ).rejects.toThrow("expected a part of its own, as textData gives it");
  });
});

test("a batch of windows is the tokens from each start on", async () => {
  const tokenizer = byteTokenizer();
  const tokens = Int32Array.from({ length: 24 }, (_, i) => i);
  const { train } = textData(tokenizer, tokens, { block: 5, validation: 0, sampling: "random" });
  const seen: number[][] = [];
  // Its loss is the sum of inputs times 1000 plus targets, so that each batch can be told.
  const run = await fit(
    nn.sequential(
      nn.lambda("echo", (x) => x.cast("f32").unsqueeze(-1)),
      nn.linear(1, { bias: false, weightInit: nn.init.constant(1) }),
    ),
    {
      train,
      epochs: 2,
      batchSize: 1,
      seed: 4,
      loss: {
        name: "echo",
        config: { kind: "echo" },
        apply: (output, target) => output.sum().mul(1000).add(target.cast("f32").sum()),
      },
      optimizer: optim.sgd(0),
      callbacks: [{ name: "see", on: (e) => void (e.type === "step" && seen.push([e.epoch, e.metrics.loss ?? 0])) }],
    },
  );
  const wanted = [0, 1].flatMap((epoch) =>
    [...train.windows.starts(4, epoch)].map((start) => [epoch + 1, (5 * start + 10) * 1000 + 5 * start + 15]),
  );
  expect(seen).toEqual(wanted);
  await run.close();
});
