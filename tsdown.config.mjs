import { defineConfig } from "tsdown";

/**
 * What Node loads: all entries and the command line in a few files that share their parts, since 300 files take it 0.1 s longer. Browsers'
 * bundlers, which leave out whole files, get the library as tsc emitted it. `package.json` says which gets what.
 */
const node = defineConfig({
  entry: {
    "cli/main": "src/cli/main.ts",
    "bundled/index": "src/index.ts",
    "bundled/index.node": "src/index.node.ts",
    "bundled/index.web": "src/index.web.ts",
    "bundled/testing": "src/testing/index.ts",
    // A thread's own file, which the parts beside it start.
    "bundled/parquet-worker": "src/node/tables/parquet-worker.ts",
  },
  outDir: "dist",
  platform: "node",
  target: "node20.19",
  format: "esm",
  outExtensions: () => ({ js: ".js" }),
  outputOptions: {
    chunkFileNames: "bundled/[name].js",
    codeSplitting: {
      groups: [{ name: "library", test: /[\\/]src[\\/](?!cli|node|native|web|testing|index)\w+[\\/]/ }],
    },
    comments: false,
  },
  dts: false,
  clean: false,
  deps: {
    alwaysBundle: ["commander", "valibot", "tinyglobby", "hyparquet", "hyparquet-writer"],
    neverBundle: ["koffi", "sharp"],
  },
});

/** Scripts of the pages that `downhill serve` and `downhill export --page` give: a file each, that a page from a disk may load too. */
const pages = ["serve", "static"].map((name) =>
  defineConfig({
    entry: { [`page/${name}`]: `src/web/page/${name}.ts` },
    outDir: "dist",
    platform: "browser",
    target: "es2023",
    format: "iife",
    minify: true,
    outExtensions: () => ({ js: ".js" }),
    outputOptions: { codeSplitting: false, comments: false },
    dts: false,
    clean: false,
  }),
);

export default [node, ...pages];
