import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as optim from "./index.ts";
import * as schedule from "./schedules/index.ts";

/** The examples of docstrings that print a result: `code` and, after an arrow, what its last line gives. */
function examplesIn(source: string): { readonly code: string; readonly result: string }[] {
  return [...source.matchAll(/^ \* @example\n((?: \* .*\n)+)/gm)].flatMap(([, lines = ""]) => {
    const [code, result] = lines.replaceAll(/^ \* /gm, "").split("// ->");
    return result === undefined ? [] : [{ code: (code as string).trim(), result: result.trim() }];
  });
}

const folder = new URL("./", import.meta.url);
const examples = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
  .flatMap((file) => examplesIn(readFileSync(new URL(file, folder), "utf8")).map((example) => ({ file, ...example })));

function evaluate(code: string): unknown {
  const lines = code.split("\n");
  const body = `"use strict"; ${lines.slice(0, -1).join("\n")}\nreturn (${(lines.at(-1) as string).replace(/;$/, "")});`;
  return new Function("optim", "schedule", body)(optim, schedule);
}

test.each(examples)("$file: $code", ({ code, result }) => {
  expect(evaluate(code)).toEqual(evaluate(result));
});

test("every rule and schedule has an example", () => {
  const shown = (name: string): boolean => examples.some(({ code }) => code.includes(`.${name}(`));
  const names = [...optim.table.map((rule) => rule.name), ...schedule.table.map((form) => form.kind)];
  expect(names.filter((name) => !shown(name))).toEqual([]);
});
