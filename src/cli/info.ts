import { availableParallelism } from "node:os";
import { hasRelaxedSimd } from "../backends/wasm/index.ts";
import { findBlas } from "../native/blas.ts";
import { enableWide } from "../node/wide.ts";
import type { Screen } from "./screen.ts";

/** What of this machine and engine a training can use; `reason` where something cannot be used. */
export type Info = {
  readonly version: string;
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
  readonly processors: number;
  readonly fusedMultiplyAdd: boolean;
  readonly wide: { readonly usable: boolean; readonly gain?: number; readonly reason?: string };
  readonly native: {
    readonly usable: boolean;
    readonly name?: string;
    readonly file?: string;
    readonly integers?: number;
    readonly reason?: string;
  };
};

function gather(version: string): Info {
  const { blas, ...absent } = findBlas();
  const { on, ...wide } = enableWide();
  return {
    version,
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    processors: availableParallelism(),
    fusedMultiplyAdd: hasRelaxedSimd(),
    wide: { usable: on, ...wide },
    native: blas
      ? { usable: true, name: blas.name, file: blas.file, integers: blas.integers }
      : { usable: false, ...absent },
  };
}

/** `downhill info`: what training can use here, tried just now. */
export function info(screen: Screen, version: string, json: boolean): void {
  const found = gather(version);
  if (json) {
    screen.line(JSON.stringify(found, null, 2));
    return;
  }
  const { wide, native } = found;
  const rows = [
    ["downhill", found.version],
    ["Node", `${found.node} (V8 ${found.v8}), ${found.platform}, ${found.processors} processors`],
    [
      "--mode fast",
      found.fusedMultiplyAdd ? "fused multiply-add" : "no fused multiply-add: this engine has no relaxed SIMD",
    ],
    ["--wide", wide.usable ? `yes: a product ran at ${wide.gain?.toFixed(2)} times the speed` : `no: ${wide.reason}`],
    [
      "--native",
      native.usable ? `${native.name}: ${native.file}, integers of ${native.integers} bits` : `no: ${native.reason}`,
    ],
  ];
  for (const [name = "", text] of rows) screen.line(`${screen.bold(name.padEnd(11))}  ${text}`);
}
