/** Writes Fashion-MNIST as a folder of 70,000 PNG files, `<folder>/train/<class>/00001.png` and `<folder>/test/...`: node bench/fashion-folder.mjs <folder>. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { array, encodePng, fashionMnist } from "../dist/bundled/index.node.js";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("expected a folder to write to");
const { train, test } = await fashionMnist();
for (const [part, data] of Object.entries({ train, test })) {
  const { inputs, targets, classes } = /** @type {any} */ (data);
  const folders = classes.map((/** @type {string} */ name) => join(folder, part, name.replaceAll("/", "-")));
  for (const each of folders) mkdirSync(each, { recursive: true });
  const [count = 0, , height = 0, width = 0] = inputs.shape;
  for (let i = 0; i < count; i++) {
    const picture = array(inputs.data.slice(i * height * width, (i + 1) * height * width), [height, width]);
    const name = `${String(i).padStart(5, "0")}.png`;
    writeFileSync(join(folders[targets.data[i] ?? 0] ?? "", name), await encodePng(picture));
  }
}
