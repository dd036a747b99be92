export { checkProgram } from "./check.ts";
export { type ReferenceOptions, referenceBackend } from "./reference.ts";
export type { Precision } from "./store.ts";
