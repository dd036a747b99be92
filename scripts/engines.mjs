/**
 * Trains three small networks for 200 updates on Node 20, 22, 24 and 26 with 1, 2 and 4 threads, and compares every bit with
 * test/bits/bits.json; `--update` writes that file from this Node on one thread.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bitsOn, fetchEngines } from "../test/bits/engines.mjs";

const file = fileURLToPath(new URL("../test/bits/bits.json", import.meta.url));
if (process.argv.includes("--update"))
  writeFileSync(file, `${JSON.stringify(await bitsOn(process.execPath, 1), null, 2)}\n`);
const expected = JSON.parse(readFileSync(file, "utf8"));
const { engines, reason } = fetchEngines();
if (reason !== undefined) console.log(`Only this engine: ${reason}`);
const rows = [];
for (const { name, program } of [{ name: `Node ${process.versions.node}`, program: process.execPath }, ...engines])
  for (const threads of [1, 2, 4]) {
    const bits = await bitsOn(program, threads);
    rows.push({
      engine: name,
      threads,
      ...Object.fromEntries(Object.entries(bits).map(([which, hash]) => [which, hash.slice(0, 12)])),
      agree: JSON.stringify(bits) === JSON.stringify(expected),
    });
  }
console.table(rows);
if (!rows.every(({ agree }) => agree)) process.exitCode = 1;
