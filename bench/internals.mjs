/** What the benchmark takes from inside the library; it is bundled with it, so that both are the same modules. */
export { hasRelaxedSimd } from "../src/backends/wasm/index.ts";
export { simplify } from "../src/compile/simplify.ts";
export { compileStep } from "../src/compile/step.ts";
export { mapTree } from "../src/core/tree.ts";
export * as downhill from "../src/index.node.ts";
export { findBlas } from "../src/native/blas.ts";
export { enableWide } from "../src/node/wide.ts";
export { inPhase } from "../src/trace/trace.ts";
