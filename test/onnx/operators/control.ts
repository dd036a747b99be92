import type { Tensor } from "../../../src/ops/tensor.ts";
import { cond, scan } from "../../../src/trace/control.ts";
import { type Call, Unsupported } from "../call.ts";
import type { Operators } from "./operator.ts";

function choose(call: Call): readonly Tensor[] {
  const branch = (name: string) => (): readonly Tensor[] => call.runGraph(call.graph(name), []);
  return cond(call.tensor(0).reshape([]), branch("then_branch"), branch("else_branch"), {});
}

function scanOver(call: Call): readonly Tensor[] {
  if (call.opset < 9) throw new Unsupported("Scan with a batch axis (operator set 8)");
  const scanned = call.attribute("num_scan_inputs", 0);
  const all = Array.from({ length: call.count }, (_, i) => call.tensor(i));
  const states = all.length - scanned;
  const body = call.graph("body");
  const step = (carry: readonly Tensor[], each: readonly Tensor[]): readonly [readonly Tensor[], readonly Tensor[]] => {
    const results = call.runGraph(body, [...carry, ...each]);
    return [results.slice(0, states), results.slice(states)];
  };
  return scan(step, all.slice(0, states), all.slice(states)).flat();
}

export const controlOperators: Operators = { If: choose, Scan: scanOver };
