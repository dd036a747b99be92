import { expect, test } from "vitest";
import { callSite } from "./call-site.ts";

const marked = (...frames: string[]): Error => {
  const mark = new Error("mark");
  mark.stack = frames.join("\n");
  return mark;
};

test("is the innermost frame outside the library and its packages, in every engine's form", () => {
  const v8 = marked(
    "Error: mark",
    "    at markSite (file:///app/node_modules/downhill/dist/core/call-site.js:9:16)",
    "    at configOf (file:///app/node_modules/downhill/dist/nn/layer.js:12:3)",
    "    at file:///app/node_modules/other/index.js:1:1",
    "    at new Trainer (file:///app/src/my model.ts:14:22)",
    "    at async main (file:///app/src/main.ts:3:1)",
  );
  expect(callSite(v8)).toBe("/app/src/my model.ts:14:22");
  const firefox = marked(
    "markSite@https://example.org/lib/core/call-site.js:9:16",
    "linear@https://example.org/lib/nn/linear.js:40:9",
    "@https://example.org/app.js:7:5",
  );
  expect(callSite(firefox)).toBe("https://example.org/app.js:7:5");
  const windows = marked(
    "Error: mark",
    "    at markSite (file:///C:/dh/dist/core/call-site.js:9:16)",
    "    at Object.<anonymous> (C:\\work\\train.js:5:10)",
  );
  expect(callSite(windows)).toBe("C:\\work\\train.js:5:10");
});

test("is unknown in one bundle, and where there is no stack", () => {
  const bundle = marked(
    "Error: mark",
    "    at a (https://example.org/app.js:1:9)",
    "    at https://example.org/app.js:2:7",
  );
  expect(callSite(bundle)).toBeUndefined();
  expect(callSite(marked())).toBeUndefined();
});
