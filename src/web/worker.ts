/** The file of a worker, for pages that may not start one from a `blob:` address: see `worker` of `webBackend`. */
import { makeClock, workerLoop } from "../backends/wasm/crew.ts";

workerLoop(
  {
    post: (message) => postMessage(message),
    onMessage: (listener) => addEventListener("message", ({ data }) => listener(data)),
  },
  makeClock(),
);
