import { hasRelaxedSimd } from "../backends/wasm/index.ts";
import { findBlas } from "../native/blas.ts";
import { type Environment, environment } from "../node/environment.ts";
import { enableWide } from "../node/wide.ts";
import type { Screen } from "./screen.ts";

/** What of this machine and engine a training can use; `reason` where something cannot be used. */
export type Info = Environment & {
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

function gather(): Info {
  const { blas, ...absent } = findBlas();
  const { on, ...wide } = enableWide();
  return {
    ...environment(),
    fusedMultiplyAdd: hasRelaxedSimd(),
    wide: { usable: on, ...wide },
    native: blas
      ? { usable: true, name: blas.name, file: blas.file, integers: blas.integers }
      : { usable: false, ...absent },
  };
}

/** `downhill info`: what training can use here, tried just now. */
export function info(screen: Screen, json: boolean): void {
  const found = gather();
  if (json) {
    screen.line(JSON.stringify(found, null, 2));
    return;
  }
  const { wide, native } = found;
  const rows = [
    ["downhill", found.downhill],
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
