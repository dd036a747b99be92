export { checkProgram } from "./check.ts";
export { referenceBackend } from "./reference.ts";
