import { expect, test } from "vitest";
import { parseConfig, suggest } from "./settings.ts";

const refusal = (json: unknown): string => {
  try {
    parseConfig(json, "config.json");
  } catch (error) {
    return (error as Error).message;
  }
  return "";
};

test("an unknown key is answered with the known one that is near", () => {
  expect(refusal({ learningRate: 1, batchsize: 4 })).toContain('got the unknown key "learningRate"');
  expect(refusal({ batchsize: 4 })).toMatch(/unknown key "batchsize".*Did you mean batchSize\?$/);
  expect(suggest("epoch", ["epochs", "seed"])).toBe(" Did you mean epochs?");
  expect(suggest("zzz", ["epochs", "seed"])).toBe("");
});

test("a key of a damaged file is shown by its beginning, however long it is", () => {
  const message = refusal({ [`x\n${"y".repeat(50_000)}`]: 1 });
  expect(message).toMatch(/^config\.json: got the unknown key "x\\nyyy[y]+\.\.\."; expected one of data, /);
  expect(message.length).toBeLessThan(3_000);
});
