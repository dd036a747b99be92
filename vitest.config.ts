import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Biome's own rule against focused tests takes our `fit` for Jasmine's.
    allowOnly: false,
    pool: "forks",
    maxWorkers: 2,
  },
});
