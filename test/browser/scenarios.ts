/** What the tests run in Node and, with its types stripped, in the browser. All else comes in as `downhill`. */
import type * as Downhill from "../../src/index.node.ts";

/** An entry, as far as it is the same in Node and in the browser. */
export type Library = Pick<typeof Downhill, "array" | "dataset" | "fit" | "load" | "nn" | "optim" | "schedule">;
type Web = Pick<typeof import("../../src/index.web.ts"), "array" | "runFunction" | "webBackend">;
type Choice = { readonly threads?: number; readonly out?: string };
export type Scenario = "mlp" | "cnn";

/** 20 updates, the last of each epoch on a shorter batch, with dropout and decaying rates. */
export function scenario({ array, dataset, nn, optim, schedule }: Library, which: Scenario) {
  const count = 76;
  const size = 12;
  const pixels = Uint8Array.from({ length: count * size * size }, (_, i) => (i * 2_654_435_761) >>> 24);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const shape = which === "cnn" ? [count, 1, size, size] : [count, size * size];
  const train = dataset(array(pixels, shape), array(labels, [count]), { classes: ["a", "b", "c"] });
  const common = { train, validation: 12, epochs: 2, batchSize: 7, seed: 3, metrics: [nn.accuracy()] };
  const model =
    which === "mlp"
      ? nn.sequential(nn.flatten(), nn.linear(33), nn.gelu(), nn.dropout(0.3), nn.linear(17), nn.tanh(), nn.linear(3))
      : nn.sequential(
          nn.conv2d(5, 3, { padding: 1 }),
          nn.batchNorm(),
          nn.relu(),
          nn.maxPool2d(2),
          nn.conv2d(6, 3, { stride: 2 }),
          nn.elu(),
          nn.flatten(),
          nn.dropout(0.4),
          nn.linear(3),
        );
  const optimizer =
    which === "mlp"
      ? optim.adam(schedule.exponentialDecay(0.02, { decay: 0.3 }))
      : optim.momentum(schedule.stepDecay(0.05, { everySteps: 4, factor: 0.7 }), { momentum: 0.9 });
  return { model, options: { ...common, loss: nn.crossEntropy(), optimizer } };
}

export type Outcome = {
  /** SHA-256 of the weights and all else that a saved model holds. */
  readonly weights: string;
  /** Training and validation loss of each epoch, in full. */
  readonly losses: string;
  /** The run's folder. */
  readonly place: string | undefined;
};

/** Trains, on a backend of the entry's own choice, and ends its workers. */
export async function train(downhill: Library, which: Scenario, choice: Choice = {}): Promise<Outcome> {
  const { model, options } = scenario(downhill, which);
  const run = await downhill.fit(model, { ...options, ...choice });
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await run.toBytes()));
  await run.close();
  return {
    weights: [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    losses: run.history.map(({ train, validation }) => `${train.loss} ${validation.loss}`).join(", "),
    place: run.place,
  };
}

/** All class probabilities of the scenario's samples, as numbers that survive JSON. */
export async function predict(downhill: Library, which: Scenario, source: string): Promise<Prediction[]> {
  const model = await downhill.load(source);
  const found = await model.predict(scenario(downhill, which).options.train.inputs);
  await model.close();
  return found.map(({ label, probabilities }) => ({ label, probabilities: [...probabilities] }));
}

export type Prediction = { readonly label: string; readonly probabilities: readonly number[] };

/** Whether a matrix product compiled in this mode fuses its multiply-adds. */
export async function isFused(downhill: Web, mode: "fast" | "reproducible"): Promise<boolean> {
  const backend = downhill.webBackend({ mode });
  const { compile } = backend;
  let text = "";
  const looking = Object.assign(backend, {
    compile: async (...args: Parameters<typeof compile>) => {
      const executable = await compile.apply(backend, args);
      text = executable.print("target");
      return executable;
    },
  });
  await downhill.runFunction(looking, (x) => x.matmul(x), [downhill.array(new Float32Array(64), [8, 8])]);
  await backend.close();
  return text.includes("f32x4.relaxed_madd");
}
