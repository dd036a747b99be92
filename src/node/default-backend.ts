import { referenceBackend } from "../backends/reference/index.ts";
import type { Backend } from "../compile/backend.ts";

export type NodeBackendOptions = {
  /** Worker threads. Default: as many as there are processors, at most 4. Results do not depend on it. */
  readonly threads?: number;
};

export function nodeBackend(_options: NodeBackendOptions = {}): Backend {
  return referenceBackend();
}
