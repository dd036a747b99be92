// Rewrites the values of opcodes.golden.json: the bytes that wabt's assembler gives each line of text. New lines are
// added to the JSON by hand, as keys. Run in this folder: node opcodes.golden.mjs
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const file = new URL("opcodes.golden.json", import.meta.url);
const lines = Object.keys(JSON.parse(readFileSync(file, "utf8")));
const funcs = lines.map((line) => `(func (param i32 f32) unreachable ${line} unreachable)`);
const folder = mkdtempSync(join(tmpdir(), "opcodes-"));
const [wat, wasm] = [join(folder, "all.wat"), join(folder, "all.wasm")];
writeFileSync(wat, `(module (memory 1 1 shared) (global (mut i32) (i32.const 0)) (func $callee)\n${funcs.join("\n")})`);
execFileSync(
  "npx",
  ["--yes", "--package=wabt@1.0.39", "wat2wasm", wat, "-o", wasm, "--enable-threads", "--enable-relaxed-simd"],
  { stdio: "inherit" },
);
const bytes = readFileSync(wasm);
rmSync(folder, { recursive: true });

let at = 8;
const u32 = () => {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++];
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
};
while (bytes[at++] !== 10) {
  const size = u32();
  at += size;
}
u32();
const bodies = Array.from({ length: u32() }, () => {
  const size = u32();
  at += size;
  return bytes.subarray(at - size, at);
}).slice(1);
// A body is: no locals (00), unreachable (00), the line, unreachable (00), end (0b).
const golden = Object.fromEntries(lines.map((line, i) => [line, bodies[i].subarray(2, -2).toString("hex")]));
writeFileSync(file, `${JSON.stringify(golden, null, 2)}\n`);
