import { formatAval } from "../core/dtype.ts";
import { HostArray } from "../core/host-array.ts";
import type { Equation, Program, Var } from "./program.ts";

function formatParam(value: unknown): string {
  if (value instanceof HostArray) {
    const head = Array.from(value.data.subarray(0, 8)).join(",");
    return `${formatAval(value.aval)}{${head}${value.data.length > 8 ? ",..." : ""}}`;
  }
  if (Array.isArray(value)) return `[${value.map(formatParam).join(",")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .map(([k, v]) => `${k}: ${formatParam(v)}`)
      .join(", ")}}`;
  return typeof value === "string" ? value : String(value);
}

const typed = (v: Var): string => `%${v.id}:${formatAval(v.aval)}`;

function formatEquation(eq: Equation, indent: string): string[] {
  const params = Object.entries(eq.params).filter(([, v]) => v !== undefined);
  const suffix = params.length === 0 ? "" : ` {${params.map(([k, v]) => `${k}: ${formatParam(v)}`).join(", ")}}`;
  const args = eq.inputs.map((v) => ` %${v.id}`).join("");
  const lines = [`${indent}${eq.outputs.map(typed).join(", ")} = ${eq.primitive}${args}${suffix}`];
  for (const nested of eq.programs ?? []) lines.push(...formatLines(nested, `${indent}  `));
  return lines;
}

function formatLines(program: Program, indent: string): string[] {
  const lines = [`${indent}program(${program.inputs.map((i) => `${i.path} ${typed(i.value)}`).join(", ")})`];
  let phase = "";
  for (const eq of program.equations) {
    if (indent === "" && eq.phase !== phase) lines.push(`  # ${eq.phase}`);
    phase = eq.phase;
    lines.push(...formatEquation(eq, `${indent}  `));
  }
  lines.push(`${indent}  return ${program.outputs.map((o) => `${o.path} %${o.value.id}`).join(", ")}`);
  return lines;
}

/**
 * A program as text, one equation a line.
 *
 * @example
 * program(state.w %0:f32[2], batch.x %1:f32[2])
 *   # forward
 *   %2:f32[2] = mul %0 %1
 *   return y %2
 */
export function printProgram(program: Program): string {
  return formatLines(program, "").join("\n");
}
