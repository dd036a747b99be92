import * as downhill from "downhill/web";
import { train } from "../scenarios.ts";

/** What a bundler has to find and rename, as `docs/browser.md` writes it. */
const worker = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

globalThis.fromText = (which) => train(downhill, which, { threads: 2 });
globalThis.fromFile = (which) => train(downhill, which, { threads: 2, worker });
