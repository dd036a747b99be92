// Three trainings of 200 updates whose every bit must be the same on every engine. Data come from integers alone.
// @ts-check

/** @typedef {import("../../src/index.node.ts")} Downhill */

export const TRAININGS = /** @type {const} */ (["mlp", "cnn", "transformer"]);

/** Integers below `limit` that look like chance. */
const integers = (/** @type {number} */ count, /** @type {number} */ limit, seed = 1) =>
  Int32Array.from(
    { length: count },
    (_, i) => ((Math.imul(i + 1, 2_654_435_761) ^ Math.imul(seed, 40_503)) >>> 8) % limit,
  );

/** @param {Downhill} downhill @param {string} which */
function training({ array, nn, optim, schedule }, which) {
  if (which === "mlp")
    return {
      model: nn.sequential(
        nn.linear(67),
        nn.gelu(),
        nn.layerNorm(),
        nn.dropout(0.2),
        nn.linear(33),
        nn.tanh(),
        nn.linear(5),
      ),
      train: {
        inputs: array(
          Float32Array.from(integers(320 * 50, 256), (x) => x / 256),
          [320, 50],
        ),
        targets: array(integers(320, 5, 2), [320]),
      },
      loss: nn.crossEntropy(),
      optimizer: optim.adam(schedule.parseSchedule("warmup 5% | cosine", 0.01)),
    };
  if (which === "cnn")
    return {
      model: nn.sequential(
        nn.conv2d(13, 3, { padding: 1 }),
        nn.batchNorm(),
        nn.relu(),
        nn.conv2d(16, 3, { padding: 1 }),
        nn.silu(),
        nn.maxPool2d(2),
        nn.conv2d(9, 3, { stride: 2 }),
        nn.elu(),
        nn.flatten(),
        nn.dropout(0.3),
        nn.linear(4),
      ),
      train: {
        inputs: array(Uint8Array.from(integers(320 * 3 * 12 * 12, 256)), [320, 3, 12, 12]),
        targets: array(integers(320, 4, 3), [320]),
      },
      loss: nn.crossEntropy({ labelSmoothing: 0.1 }),
      optimizer: optim.momentum(schedule.exponentialDecay(0.05, { decay: 0.1 }), { weightDecay: 1e-4 }),
    };
  const tokens = integers(320 * 17, 41, 4);
  const cut = (/** @type {number} */ from) =>
    Int32Array.from({ length: 320 * 16 }, (_, i) => Number(tokens[Math.floor(i / 16) * 17 + (i % 16) + from]));
  return {
    model: nn.gpt({ vocabSize: 41, blockSize: 16, layers: 2, heads: 2, width: 24, dropout: 0.1 }),
    train: { inputs: array(cut(0), [320, 16]), targets: array(cut(1), [320, 16]) },
    loss: nn.crossEntropy({ classAxis: -1 }),
    optimizer: optim.chain(
      optim.clipByGlobalNorm(1),
      optim.adamw(schedule.inverseTimeDecay(0.003, { decay: 0.2 }), { weightDecay: 0.1 }),
    ),
  };
}

/**
 * SHA-256 over the loss of each of the 200 updates and every bit of the weights.
 *
 * @param {Downhill} downhill @param {string} which @param {object} [choice] @returns {Promise<string>}
 */
export async function bitsOf(downhill, which, choice = {}) {
  const { model, train, loss, optimizer } = training(downhill, which);
  /** @type {number[]} */
  const losses = [];
  const run = await downhill.fit(/** @type {any} */ (model), {
    train: /** @type {any} */ (train),
    validation: 0,
    epochs: 10,
    batchSize: 16,
    seed: 11,
    loss: /** @type {any} */ (loss),
    optimizer,
    callbacks: [
      { name: "losses", on: (event) => void (event.type === "step" && losses.push(Number(event.metrics.loss))) },
    ],
    ...choice,
  });
  const weights = Object.entries(await run.weights()).flatMap(([name, { data }]) => [
    new TextEncoder().encode(name),
    new Uint8Array(data.slice().buffer),
  ]);
  await run.close();
  if (losses.length !== 200) throw new Error(`${which}: got ${losses.length} updates; expected 200.`);
  const parts = [new Uint8Array(Float64Array.from(losses).buffer), ...weights];
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
