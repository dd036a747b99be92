import type { Spawn, WorkerHandle } from "../backends/wasm/crew.ts";
import { TrainingError } from "../core/errors.ts";

const WAYS_OUT =
  "Hint: a Content-Security-Policy must allow it (worker-src blob:), or pass `worker` to start a file of your own, or train on the calling thread with `backend: wasmBackend()`.";

/** One address for each source text, kept as long as the page: an engine may still be reading it when the constructor returns. */
const addresses = new Map<string, string>();

/**
 * Starts workers from source text, at a `blob:` address, so that no file has to be found beside a bundle.
 * A page's Content-Security-Policy must allow them: `worker-src blob:`, and `script-src 'wasm-unsafe-eval'` for WebAssembly.
 *
 * Errors: TrainingError where the page forbids it; some engines tell only later, and the call under way rejects.
 */
export const spawnWebWorker: Spawn = (source) => {
  let address = addresses.get(source);
  if (address === undefined) {
    // Bundlers that keep the names of functions wrap each in a helper of this name, which the text alone does not have.
    const code = `const __name = (f) => f;
(${source})({ post: (m) => postMessage(m), onMessage: (f) => addEventListener("message", (e) => f(e.data)) });`;
    address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    addresses.set(source, address);
  }
  const from = address;
  return handle(() => new Worker(from, { name: "downhill" }), `a blob: worker could not be started. ${WAYS_OUT}`);
};

/** Starts workers with a function of the user's. Their file is `downhill/web/worker`, or imports it. */
export function spawnWith(start: () => Worker): Spawn {
  return () =>
    handle(
      start,
      "its file could not be loaded. Hint: check its address, the policy's worker-src, and that it is served with the header Cross-Origin-Embedder-Policy: require-corp.",
    );
}

function handle(start: () => Worker, whenItDoesNot: string): WorkerHandle {
  let worker: Worker;
  try {
    worker = start();
  } catch (error) {
    throw new TrainingError(`worker: ${whenItDoesNot} (${error instanceof Error ? error.message : String(error)})`);
  }
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener("message", ({ data }) => listener(data)),
    onError: (listener) => {
      // An event without a message says that the script was not loaded; one with it, what the script threw.
      worker.addEventListener("error", ({ message }) => listener(new Error(message || whenItDoesNot)));
      worker.addEventListener("messageerror", () => listener(new Error("a message could not be read by this page")));
    },
    // Nothing keeps a page alive.
    hold: () => undefined,
    letGo: () => undefined,
    terminate: async () => worker.terminate(),
  };
}
