import type { Buffer, Kernel, Node, ReduceKernel, Stage } from "./kernel.ts";
import { ownerOf, touches } from "./touches.ts";

/** Elements from which an array read twice is worth keeping in the cache in between. */
const LARGE = 32_768;

type Joined = { readonly at: number; readonly chunks: number; readonly kernels: Kernel[] };

/**
 * Reductions of chunks of the same arrays, such as both sums of a normalisation's gradient, become one stage: all of them reduce one
 * chunk before the next, so that the second finds in the cache what the first has read. One that comes later moves up where it can.
 */
export function joinReductions(nodes: readonly Node[]): Node[] {
  const out: Node[] = [];
  let open: Joined[] = [];
  const joined: Joined[] = [];
  const written = new Map<Buffer, number>();
  const touched = new Map<Buffer, number>();
  for (const node of nodes) {
    if (node.kind !== "kernel" && node.kind !== "stage") {
      out.push(node);
      open = [];
      continue;
    }
    const all = (node.kind === "kernel" ? [node.kernel] : node.kernels).map(touches);
    const reads = all.flatMap((t) => t.reads).map(ownerOf);
    const writes = all.flatMap((t) => t.writes).map(ownerOf);
    const kernel = node.kind === "kernel" ? node.kernel : null;
    const chunks = kernel?.kind === "reduce" ? chunksOf(kernel) : 0;
    const earliest = Math.max(
      0,
      ...reads.map((b) => (written.get(b) ?? -1) + 1),
      ...writes.map((b) => (touched.get(b) ?? -1) + 1),
    );
    const large = reads.filter((b) => b.layout.size >= LARGE);
    const partner = open.find(
      (o) =>
        o.at >= earliest &&
        o.chunks === chunks &&
        o.kernels[0]?.phase === kernel?.phase &&
        o.kernels.some((other) => touches(other).reads.some((b) => large.includes(ownerOf(b)))),
    );
    let at = out.length;
    if (kernel && partner) {
      at = partner.at;
      partner.kernels.push(kernel);
    } else {
      out.push(node);
      if (kernel && chunks > 0) {
        const made = { at, chunks, kernels: [kernel] };
        open.push(made);
        joined.push(made);
      }
    }
    for (const b of writes) written.set(b, Math.max(written.get(b) ?? 0, at));
    for (const b of [...reads, ...writes]) touched.set(b, Math.max(touched.get(b) ?? 0, at));
  }
  for (const { at, chunks, kernels } of joined)
    if (kernels.length > 1) {
      const stage: Stage = { kind: "stage", images: chunks, grain: 1, kernels };
      out[at] = stage;
    }
  return out;
}

/** Iterations of the outermost loop of a reduction into several parts, each with results of its own; else 0. */
function chunksOf({ loops, target, index, op }: ReduceKernel): number {
  const [chunk] = loops;
  if (!chunk || loops.length < 2 || op === "argmax" || target.shape[0] !== chunk.size) return 0;
  return index.terms.some(([loop, c]) => loop === chunk && c === target.strides[0]) ? chunk.size : 0;
}
