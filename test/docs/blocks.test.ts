import { expect, test } from "vitest";
import { blocksOf, expectedOutput, matches } from "./blocks.ts";

const page = [
  "# Title",
  "```ts",
  "console.log(1); // -> 1",
  "```",
  "```sh",
  "```ts is text here",
  "```",
  "~~~typescript no-run",
  "fit();",
  "~~~",
].join("\n");

test("blocks are found with their place, and other languages are not", () => {
  expect(blocksOf("a.md", page)).toEqual([
    { page: "a.md", line: 3, source: "console.log(1); // -> 1", run: true },
    { page: "a.md", line: 9, source: "fit();", run: false },
  ]);
});

test("an unknown word after the language and an open block are errors", () => {
  expect(() => blocksOf("a.md", "```ts norun\n```")).toThrow('a.md:1: got "norun" after "ts"');
  expect(() => blocksOf("a.md", "\n```ts\nx")).toThrow("a.md:2: the code block is not closed");
});

test("expected output is read in order, beside code and alone", () => {
  expect(expectedOutput("log(a); // -> one\n// -> two  \nlog(b); // a note\n// ->")).toEqual(["one", "two", ""]);
});

test("dots in an expectation stand for any text, all else for itself", () => {
  expect(matches("loss 0.1... in ... s", "loss 0.123 in 4.5 s")).toBe(true);
  expect(matches("loss 0.1", "loss 0x1")).toBe(false);
  expect(matches("[1, 2]", "[1, 2]")).toBe(true);
  expect(matches("1", "12")).toBe(false);
});
