import { readFileSync } from "node:fs";
import { DataError } from "../core/errors.ts";

/** Of the page's own files alone; WebAssembly is compiled by them. */
export const PAGE_POLICY: string = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src blob: data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** A page that its scripts fill. One that no server of ours gives says its policy itself. */
export const pageHtml = (scripts: readonly string[], policy?: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
${
  policy === undefined
    ? ""
    : `<meta http-equiv="content-security-policy" content="${policy}">
`
}<meta name="viewport" content="width=device-width, initial-scale=1">
<title>downhill</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<body><noscript>This page needs JavaScript.</noscript></body>
${scripts.map((script) => `<script src="${script}" defer></script>`).join("\n")}
</html>
`;

export const PAGE_CSS = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: #8886; --bar: #3b82c4; }
body { margin: 2rem auto; max-width: 34rem; padding: 0 1rem; }
h1 { font-size: 1.1rem; font-weight: 600; overflow-wrap: anywhere; margin-bottom: 0; }
.about { margin-top: .25rem; opacity: .75; overflow-wrap: anywhere; }
label { display: block; border: 2px dashed var(--line); border-radius: .75rem; padding: 2rem 1rem; text-align: center; cursor: pointer; }
label.over, label:focus-within { border-color: var(--bar); }
input { position: absolute; opacity: 0; width: 1px; height: 1px; }
img { display: block; max-width: 100%; max-height: 16rem; margin: 1rem auto; }
img[hidden] { display: none; }
textarea { width: 100%; height: 8rem; font: 13px/1.4 ui-monospace, monospace; box-sizing: border-box; }
[aria-busy] { opacity: .5; }
ol { list-style: none; padding: 0; }
li { display: grid; grid-template-columns: minmax(6rem, 1fr) 2fr 4.5rem; gap: .5rem; align-items: center; margin: .3rem 0; }
li span { overflow-wrap: anywhere; }
li b { font-weight: 400; text-align: right; font-variant-numeric: tabular-nums; }
li i { height: .7rem; border-radius: .2rem; background: var(--bar); }
[role=alert] { color: #c43b3b; }
[role=alert]:empty { display: none; }
`;

/** A script that the build made for the pages. */
export function pageScript(name: "serve" | "static"): string {
  const file = new URL(`../page/${name}.iife.js`, import.meta.url);
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new DataError(
      `page: cannot read ${file.pathname}; expected it beside the program. Hint: install it again.`,
      "page",
    );
  }
}
