import type { PrimitiveName } from "../../ops/table.ts";
import { elementwiseRows } from "./elementwise-rows.ts";
import type { Refusal, Row } from "./row.ts";
import { structureRows } from "./structure-rows.ts";

/** How each primitive is written in ONNX's operators, or why it is not. */
export const ROWS: Readonly<Record<PrimitiveName, Row | Refusal>> = { ...elementwiseRows, ...structureRows };
