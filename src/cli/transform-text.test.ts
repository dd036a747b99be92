import { describe, expect, test } from "vitest";
import * as optim from "../optim/index.ts";
import { parseTransform } from "./transform-text.ts";

const rows = (role: "transform" | "wrapper") => optim.table.filter((row) => row.role === role).map((row) => row.name);

/** As a recipe makes them: the text's config, and what it wraps. */
function made(text: string, role: "transform" | "wrapper"): optim.Transform["config"] {
  const config = parseTransform("flag", text, role);
  return optim.fromConfig(role === "wrapper" ? { ...config, transform: { name: "adam" } } : config).config;
}

describe("on the command line", () => {
  test.each(rows("transform"))("--before %s", (name) => {
    const [first] = Object.values(optim.table.find((row) => row.name === name)?.hypers ?? {});
    const needs = first?.type === "number" && first.default === null;
    expect(made(needs ? `${name} 1` : name, "transform")).toMatchObject({ name });
  });

  test.each(rows("wrapper"))("--wrap %s", (name) => {
    expect(made(name, "wrapper")).toMatchObject({ name });
  });

  test("options stand behind the name, numbers as schedules too", () => {
    expect(made("clipByGlobalNorm 0.5 like=pytorch", "transform")).toEqual({
      name: "clipByGlobalNorm",
      maxNorm: 0.5,
      like: "pytorch",
    });
    expect(made("swa startEpochs=3 everySteps=10", "wrapper")).toMatchObject({ startEpochs: 3, everySteps: 10 });
    expect(made('addNoise "step 0.5/2ep"', "transform")).toMatchObject({
      eta: { kind: "stepDecay", rate: 0.01, everyEpochs: 2, factor: 0.5 },
    });
    expect(made("lookahead resetState=true slowRate=0.8", "wrapper")).toMatchObject({
      resetState: true,
      slowRate: 0.8,
    });
  });

  test.each([
    ["centralize 3", "transform", '--flag: got "3" for centralize; expected nothing.'],
    ["swa decay=0.9", "wrapper", '--flag: got "decay=0.9" for swa; expected one of startFraction,'],
    ["clipByNrom 1", "transform", '--flag: got "clipByNrom"; expected one of '],
    ["ema", "transform", '--flag: got "ema"; expected one of '],
    ["ema decay=2", "wrapper", "ema: got decay = 2; expected a number at least 0 and below 1, or a schedule."],
  ] as const)("%s as a %s is refused", (text, role, message) => {
    expect(() => made(text, role)).toThrow(message);
  });
});
