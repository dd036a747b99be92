import { Worker } from "node:worker_threads";
import type { Spawn } from "../backends/wasm/crew.ts";

/**
 * Starts worker threads from source text, so that no file has to be found beside a bundle. An idle one never keeps the process alive.
 * `imports` is code: an expression, `(memory) => imports`, for what programs may import beside the memory.
 */
export function threadSpawn(imports?: string): Spawn {
  return (source) => {
    const bootstrap = `const { parentPort } = require("node:worker_threads");
const __name = (f) => f; // bundlers that keep names call this
const imports = ${imports ?? "undefined"};
(${source})({ imports, post: (m) => parentPort.postMessage(m), onMessage: (f) => parentPort.on("message", f) });`;
    const worker = new Worker(bootstrap, { eval: true });
    return {
      post: (message) => worker.postMessage(message),
      onMessage: (listener) => worker.on("message", listener),
      onError: (listener) => worker.on("error", listener),
      hold: () => worker.ref(),
      letGo: () => worker.unref(),
      terminate: async () => {
        await worker.terminate();
      },
    };
  };
}

/** Worker threads that offer nothing but the memory. */
export const spawnThread: Spawn = threadSpawn();
