import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LOSSES } from "../../src/nn/losses/from-config.ts";
import { METRICS } from "../../src/nn/metrics/from-config.ts";

const page = readFileSync(new URL("../../docs/losses-and-metrics.md", import.meta.url), "utf8");

test.each([...Object.keys(LOSSES), ...Object.keys(METRICS)])("%s stands on the page of losses and metrics", (kind) => {
  expect(page).toMatch(new RegExp(`\`(nn\\.)?${kind}\\(`));
});
