import type { PrimitiveName } from "../../ops/table.ts";
import { contractSamples } from "./contract.ts";
import { elementwiseSamples } from "./elementwise.ts";
import { moveSamples } from "./move.ts";
import type { SampleRow } from "./sample.ts";

/** How each primitive is tried: by the gradient table, by the backends' conformance suite and in random programs. */
export const samplePrimitives: Readonly<Record<PrimitiveName, SampleRow>> = {
  ...elementwiseSamples,
  ...moveSamples,
  ...contractSamples,
};
