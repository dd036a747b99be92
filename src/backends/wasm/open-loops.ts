import type { FuncBuilder } from "./asm/module.ts";
import type { ExpressionEmitter } from "./expression.ts";
import { HIGH, LOW } from "./kernel-code.ts";
import type { SizedLoop } from "./nest.ts";

/** Opens loops outside in; the first takes the range of jobs given to the function. `body` runs inside all of them. */
export function openLoops(
  f: FuncBuilder,
  e: ExpressionEmitter,
  loops: readonly SizedLoop[],
  ranged: boolean,
  body: () => void,
): void {
  const [first, ...rest] = loops;
  if (!first) {
    body();
    return;
  }
  const local = f.local("i32");
  e.loopLocals.set(first.loop, local);
  const run = (): void => openLoops(f, e, rest, false, body);
  if (ranged) f.get(LOW).set(local);
  else f.i32(0).set(local);
  f.loop((again) => {
    run();
    f.get(local).i32(1).op("i32.add").tee(local);
    if (ranged) f.get(HIGH);
    else f.i32(first.size);
    f.op("i32.lt_s").brIf(again);
  });
  e.loopLocals.delete(first.loop);
  f.release(local);
}
