import { defineConfig } from "tsdown";

/**
 * What Node loads, in few files: reading some 400 modules one by one takes longer than compiling a model. Bundlers for browsers read the
 * modules themselves, as tsc emitted them, and leave out what is not used.
 */
export default defineConfig({
  entry: {
    index: "src/index.ts",
    "index.node": "src/index.node.ts",
    testing: "src/testing/index.ts",
    main: "src/cli/main.ts",
    // The parts that the benchmark measures one by one.
    internals: "bench/internals.mjs",
  },
  outDir: "dist/bundle",
  platform: "node",
  target: "node20.19",
  format: "esm",
  outExtensions: () => ({ js: ".js" }),
  dts: false,
  clean: false,
  deps: { alwaysBundle: ["commander", "valibot"] },
});
