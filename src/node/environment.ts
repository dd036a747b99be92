import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

/** What ran a training: stands in its record. */
export type Environment = {
  readonly downhill: string;
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
  readonly processor: string;
  readonly processors: number;
};

export function environment(): Environment {
  return {
    downhill: version(),
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? "unknown",
    processors: availableParallelism(),
  };
}

/** The version in the package's manifest, two folders up in the sources as in what is published. */
export function version(): string {
  const manifest = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
