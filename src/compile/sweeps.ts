import { type Index, type Loop, Loops, loopIndex, type Scalar } from "../ir/loops.ts";
import type { Buffer, Kernel, Node, ReduceKernel, Store, SweepKernel, SweepSlot, View } from "./kernel.ts";
import { partsOf } from "./scalar-parts.ts";
import { touches } from "./touches.ts";

type Array = SweepKernel["arrays"][number];
type Form = {
  readonly kind: SweepKernel["kind"];
  readonly key: string;
  readonly slots: readonly SweepSlot[];
  readonly stores: SweepKernel["stores"];
  readonly array: Array;
};
type Sweep = { readonly at: number; readonly first: Kernel; readonly form: Form; readonly arrays: Array[] };

/** From this many elements on a sum is one for all threads. */
const LARGE_SUM = 32_768;

/**
 * Joins the updates of many parameters: maps of one form, none of which needs another's result, become one kernel. Its code is
 * written once, threads share all of its elements evenly, and they wait for each other once instead of after each parameter.
 */
export function formSweeps(nodes: readonly Node[]): Node[] {
  const out: Node[] = [];
  const sweeps: Sweep[] = [];
  const open = new Map<string, Sweep>();
  const loops = new Loops();
  const loop = loops.loop(2 ** 31);
  const written = new Map<Buffer, number>();
  const touched = new Map<Buffer, number>();
  /** Nothing moves to before this. */
  let floor = 0;
  for (const node of nodes) {
    if (node.kind !== "kernel" && node.kind !== "stage") {
      out.push(node);
      floor = out.length;
      continue;
    }
    const all = (node.kind === "kernel" ? [node.kernel] : node.kernels).map(touches);
    const reads = all.flatMap((t) => t.reads);
    const writes = all.flatMap((t) => t.writes);
    let at = out.length;
    const form = node.kind === "kernel" ? formOf(node.kernel, loops, loop) : null;
    const known = form && open.get(form.key);
    const earliest = Math.max(
      floor,
      ...reads.map((b) => (written.get(b) ?? -1) + 1),
      ...writes.map((b) => (touched.get(b) ?? -1) + 1),
    );
    if (form && known && known.at >= earliest) {
      at = known.at;
      known.arrays.push(form.array);
    } else {
      out.push(node);
      if (form && node.kind === "kernel") {
        const sweep = { at, first: node.kernel, form, arrays: [form.array] };
        open.set(form.key, sweep);
        sweeps.push(sweep);
      }
    }
    for (const b of writes) written.set(b, Math.max(written.get(b) ?? 0, at));
    for (const b of [...reads, ...writes]) touched.set(b, Math.max(touched.get(b) ?? 0, at));
  }
  for (const { at, form, first, arrays } of sweeps) {
    const { slots, stores, kind } = form;
    const [{ size }] = arrays as [Array];
    if (arrays.length === 1 && (kind === "sweep" || size < LARGE_SUM)) continue;
    const name = arrays.length === 1 ? first.name : `${first.name} and ${arrays.length - 1} more`;
    out[at] = { kind: "kernel", kernel: { kind, name, phase: first.phase, loop, slots, stores, arrays } };
  }
  return out;
}

/** Whether a sum of all elements becomes `sums`. */
export function isFlatSum(kernel: ReduceKernel): boolean {
  const loops = new Loops();
  return formOf(kernel, loops, loops.loop(2 ** 31)) !== null;
}

const LASTING: ReadonlySet<string> = new Set(["store", "result"]);

type Work = {
  readonly kind: SweepKernel["kind"];
  readonly over: readonly Loop[];
  readonly stores: readonly Store[];
  readonly operands: readonly View[];
};

/** Maps that write state and results (elsewhere one that moves up would keep what it writes alive), and sums of all elements. */
function workOf(kernel: Kernel): Work | null {
  if (kernel.kind === "map") {
    const { loops, stores, operands } = kernel;
    const lasting = stores.every(({ view }) => LASTING.has(view.buffer.home.kind));
    return lasting && loops.length > 0 ? { kind: "sweep", over: loops, stores, operands } : null;
  }
  if (kernel.kind !== "reduce" || kernel.op !== "sum" || kernel.loops.length > 0) return null;
  const { reduced, target, index, value, operands } = kernel;
  if (reduced.length === 0 || target.buffer.dtype !== "f32") return null;
  const stride = strides(value);
  const over = reduced.toSorted((a, b) => stride(b) - stride(a));
  return { kind: "sums", over, stores: [{ view: target, index, value }], operands };
}

/** How far the first array that an expression reads moves along a loop: a sum may go through it as it lies. */
function strides(value: Scalar): (loop: Loop) => number {
  const find = (node: Scalar): Index | undefined => {
    if (node.kind === "load" && (node.index[0]?.terms.length ?? 0) > 0) return node.index[0];
    for (const part of partsOf(node)) {
      const found = find(part);
      if (found) return found;
    }
    return undefined;
  };
  const terms = new Map(find(value)?.terms ?? []);
  return (loop) => terms.get(loop) ?? 0;
}

/**
 * A kernel over flat memory with its loops as one and its arrays as numbers; null where it is none. Equal forms have equal keys,
 * since all are written in one `Loops`.
 */
function formOf(kernel: Kernel, loops: Loops, loop: Loop): Form | null {
  const work = workOf(kernel);
  if (!work) return null;
  const { kind, over } = work;
  const slots: SweepSlot[] = [];
  const operands: { readonly buffer: Buffer; readonly base: number }[] = [];
  let flat = true;
  const slotOf = (buffer: Buffer, index: Index): number => {
    const moves = index.terms.some(([, c]) => c !== 0);
    flat &&= !index.dynamic && (!moves || isFlat(index, over)) && index.base >= 0;
    const found = operands.findIndex(
      (o, i) => o.buffer === buffer && o.base === index.base && slots[i]?.moves === moves,
    );
    if (found >= 0) return found;
    slots.push({ dtype: buffer.dtype, moves });
    return operands.push({ buffer, base: index.base }) - 1;
  };
  const memo = new Map<Scalar, Scalar>();
  const rewrite = (node: Scalar): Scalar => {
    const known = memo.get(node);
    if (known || !flat) return known ?? node;
    const made = rewritten(node);
    memo.set(node, made);
    return made;
  };
  const rewritten = (node: Scalar): Scalar => {
    switch (node.kind) {
      case "const":
        return loops.constant(node.value, node.lane);
      case "load": {
        const slot = slotOf((work.operands[node.source] as { readonly buffer: Buffer }).buffer, node.index[0] as Index);
        return loops.load(slot, node.dtype, [slotIndex(slots[slot] as SweepSlot, loop)]);
      }
      case "unary":
        return loops.unary(node.op, rewrite(node.a));
      case "binary":
        return loops.binary(node.op, rewrite(node.a), rewrite(node.b));
      case "select":
        return loops.select(rewrite(node.condition), rewrite(node.a), rewrite(node.b));
      case "cast":
        return loops.cast(node.to, rewrite(node.a));
      default:
        flat = false;
        return node;
    }
  };
  const stores = work.stores.map(({ view, index, value }) => ({
    value: rewrite(value),
    slot: slotOf(view.buffer, index),
  }));
  if (!flat || stores.some(({ slot }) => slots[slot]?.moves !== (kind === "sweep"))) return null;
  const key = [
    kind,
    kernel.phase,
    stores.map(({ slot, value }) => `${slot}=${value.id}`),
    slots.map(({ dtype, moves }) => `${dtype}${moves}`),
  ].join(";");
  return {
    kind,
    key,
    slots,
    stores,
    array: { name: kernel.name, size: over.reduce((n, l) => n * l.size, 1), operands },
  };
}

/** The index of a slot's element. */
export function slotIndex(slot: SweepSlot, loop: Loop): Index {
  return slot.moves ? loopIndex(loop) : { base: 0, terms: [] };
}

/** The loops, outer first, go through memory without a gap. */
function isFlat(index: Index, loops: readonly Loop[]): boolean {
  let stride = 1;
  return loops.toReversed().every((loop) => {
    const fits = (index.terms.find(([l]) => l === loop)?.[1] ?? 0) === stride;
    stride *= loop.size;
    return fits;
  });
}
