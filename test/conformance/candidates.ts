import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";

export type Candidate = { readonly name: string; readonly create: () => Backend };

/** Every backend that must give the reference's results. */
export const candidates: readonly Candidate[] = [{ name: "reference", create: () => referenceBackend() }];
