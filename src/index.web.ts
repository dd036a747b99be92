import { type CompileFunction, compileWith } from "./train/compile.ts";
import { type FitFunction, fitWith } from "./train/fit.ts";
import { type LoadFunction, type LoadSource, loadWith } from "./train/load.ts";
import { type WebBackendOptions, webBackend } from "./web/default-backend.ts";

export * from "./index.ts";
export { type WebBackend, type WebBackendOptions, webBackend } from "./web/default-backend.ts";
export { listRuns, type OpenRunOptions, openRun, type WebRun } from "./web/runs/run.ts";
export type { StorageKind } from "./web/runs/run-files.ts";

/** `fit` on workers where the page is cross-origin isolated, else on the calling thread. */
export const fit: FitFunction<WebBackendOptions> = /* @__PURE__ */ fitWith(webBackend);

/** `load` from an address or from bytes, on workers where the page is cross-origin isolated. */
export const load: LoadFunction<LoadSource, WebBackendOptions> = /* @__PURE__ */ loadWith(webBackend);

/** A training step of your own, on workers where the page is cross-origin isolated. */
export const compile: CompileFunction = /* @__PURE__ */ compileWith(() => webBackend());
