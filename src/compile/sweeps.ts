import { type Index, type Loop, Loops, loopIndex, type Scalar } from "../ir/loops.ts";
import type { Buffer, Kernel, MapKernel, Node, SweepKernel, SweepSlot } from "./kernel.ts";
import { touches } from "./touches.ts";

type Array = SweepKernel["arrays"][number];
type Form = {
  readonly key: string;
  readonly slots: readonly SweepSlot[];
  readonly stores: SweepKernel["stores"];
  readonly array: Array;
};
type Sweep = { readonly at: number; readonly form: Form; readonly kernels: MapKernel[]; readonly arrays: Array[] };

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
      known.kernels.push(kernelOf(node) as MapKernel);
      known.arrays.push(form.array);
    } else {
      out.push(node);
      if (form) {
        const sweep = { at, form, kernels: [kernelOf(node) as MapKernel], arrays: [form.array] };
        open.set(form.key, sweep);
        sweeps.push(sweep);
      }
    }
    for (const b of writes) written.set(b, Math.max(written.get(b) ?? 0, at));
    for (const b of [...reads, ...writes]) touched.set(b, Math.max(touched.get(b) ?? 0, at));
  }
  for (const { at, form, kernels, arrays } of sweeps) {
    const [first] = kernels as [MapKernel];
    if (kernels.length === 1) continue;
    const { slots, stores } = form;
    const name = `${first.name} and ${kernels.length - 1} more`;
    out[at] = { kind: "kernel", kernel: { kind: "sweep", name, phase: first.phase, loop, slots, stores, arrays } };
  }
  return out;
}

const kernelOf = (node: Node): Kernel | null => (node.kind === "kernel" ? node.kernel : null);

const LASTING: ReadonlySet<string> = new Set(["store", "result"]);

/**
 * A map over flat memory with its loops as one and its arrays as numbers; null where it is none. Equal forms have equal keys,
 * since all are written in one `Loops`. Only what writes state and results: elsewhere a kernel that moves up would keep what it writes alive.
 */
function formOf(kernel: Kernel, loops: Loops, loop: Loop): Form | null {
  if (kernel.kind !== "map" || kernel.loops.length === 0) return null;
  if (kernel.stores.some(({ view }) => !LASTING.has(view.buffer.home.kind))) return null;
  const slots: SweepSlot[] = [];
  const operands: { readonly buffer: Buffer; readonly base: number }[] = [];
  let flat = true;
  const slotOf = (buffer: Buffer, index: Index): number => {
    const moves = index.terms.some(([, c]) => c !== 0);
    flat &&= !index.dynamic && (!moves || isFlat(index, kernel.loops)) && index.base >= 0;
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
        const slot = slotOf(
          (kernel.operands[node.source] as { readonly buffer: Buffer }).buffer,
          node.index[0] as Index,
        );
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
  const stores = kernel.stores.map(({ view, index, value }) => ({
    value: rewrite(value),
    slot: slotOf(view.buffer, index),
  }));
  if (!flat || stores.some(({ slot }) => !slots[slot]?.moves)) return null;
  const key = [
    kernel.phase,
    stores.map(({ slot, value }) => `${slot}=${value.id}`),
    slots.map(({ dtype, moves }) => `${dtype}${moves}`),
  ].join(";");
  return {
    key,
    slots,
    stores,
    array: { name: kernel.name, size: kernel.loops.reduce((n, l) => n * l.size, 1), operands },
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
