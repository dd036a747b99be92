import { mkdir, readdir, readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { OptionError } from "../core/errors.ts";
import { writeFileAtomic } from "../node/file-store.ts";
import { load } from "../node/load-run.ts";
import { formOf } from "../train/form-of.ts";
import { MODEL_FILE } from "../train/load.ts";
import { PAGE_CSS, PAGE_POLICY, pageHtml, pageScript } from "./page-html.ts";

/** In the order in which they are written: without its first page a folder shows nothing. */
const FILES = ["page.css", "page.js", "model.js", "index.html"];

/**
 * A folder that is a page which classifies pictures in the browser: from any web server, or opened from a disk. Throws OptionError for a run
 * that does not take pictures and for a folder that holds something else.
 */
export async function exportPage(run: string, folder: string): Promise<string> {
  const file = run.endsWith(".safetensors") ? run : join(run, MODEL_FILE);
  const model = await load(run, { threads: 1 });
  await model.close();
  if (model.table !== undefined || model.tokenizer !== undefined)
    throw new OptionError(
      `export: ${run} was trained on a ${model.table ? "table" : "text"}; expected one that was trained on pictures. Hint: downhill ${model.table ? "serve" : "generate"}.`,
      "page",
    );
  formOf(model, run);
  const bytes = await readFile(file);
  await mkdir(folder, { recursive: true });
  const others = (await readdir(folder)).filter((name) => !FILES.includes(name));
  if (others.length > 0)
    throw new OptionError(
      `export: ${folder} holds ${others.slice(0, 3).join(", ")}; expected an empty folder, or one that --page wrote.`,
      "page",
    );
  const name = basename(resolve(run));
  const contents: Readonly<Record<string, string>> = {
    "page.css": PAGE_CSS,
    "page.js": pageScript("static"),
    "model.js": `downhillPage(${JSON.stringify({ name, base64: bytes.toString("base64") })});\n`,
    "index.html": pageHtml(["page.js", "model.js"], PAGE_POLICY),
  };
  for (const each of FILES) await writeFileAtomic(join(folder, each), new TextEncoder().encode(contents[each]));
  return `A page that classifies pictures: ${join(folder, "index.html")}`;
}
