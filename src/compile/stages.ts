import { boundsOf, type Index, type Loop, type Scalar } from "../ir/loops.ts";
import type { Buffer, ContractKernel, Kernel, MapKernel, Node, Stage, View } from "./kernel.ts";
import { partsOf } from "./scalar-parts.ts";
import { touches } from "./touches.ts";

/**
 * Joins kernels that work by image into stages. Kernels that need a whole stage's results wait behind it; those that need none of
 * them go ahead of it; so a chain of convolutions, poolings and their gradients becomes one stage.
 */
export function formStages(nodes: readonly Node[]): Node[] {
  const out: Node[] = [];
  let run: Kernel[] = [];
  let waiting: Kernel[] = [];
  let images = 0;
  const close = (): void => {
    const stage = run.some((k) => k.kind === "contract" && k.images);
    if (stage && run.length > 1) out.push({ kind: "stage", images, grain: grainOf(run), kernels: run });
    else for (const kernel of run) out.push({ kind: "kernel", kernel });
    for (const kernel of waiting) out.push({ kind: "kernel", kernel });
    run = [];
    waiting = [];
    images = 0;
  };
  for (const node of nodes) {
    if (node.kind !== "kernel") {
      close();
      out.push(node.kind === "stage" ? node : inside(node));
      continue;
    }
    const { kernel } = node;
    const size = batchOf(kernel);
    if (run.length > 0 && kernel.phase !== run[0]?.phase) close();
    if (run.length === 0) {
      if (size > 1) {
        run = [kernel];
        images = size;
      } else out.push(node);
      continue;
    }
    const meetsWaiting = waiting.some((other) => conflict(other, kernel));
    const meetsRun = run.some((other) => conflict(other, kernel));
    if (size === images && !meetsWaiting && staysInImage(kernel, run)) run.push(kernel);
    else if (!meetsRun && !meetsWaiting && size !== images) out.push(node);
    else if (size !== images) waiting.push(kernel);
    else {
      close();
      run = [kernel];
      images = size;
    }
  }
  close();
  return out;
}

function inside(node: Exclude<Node, { readonly kind: "kernel" } | Stage>): Node {
  if (node.kind === "cond")
    return { ...node, whenTrue: formStages(node.whenTrue), whenFalse: formStages(node.whenFalse) };
  if (node.kind === "while") return { ...node, test: formStages(node.test), body: formStages(node.body) };
  return { ...node, body: formStages(node.body) };
}

/** Images of a kernel that works by image, else 0. */
function batchOf(kernel: Kernel): number {
  if (kernel.kind === "contract") return kernel.images?.size ?? 0;
  if (kernel.kind !== "map") return 0;
  const loop = kernel.loops[0];
  if (!loop || kernel.loops.length < 2) return 0;
  const own = kernel.stores.every((s) => withinImage(s.view.buffer, s.index, loop));
  return own && loads(kernel).every(({ view, index }) => movesByImage(view.buffer, index, loop)) ? loop.size : 0;
}

const coefficient = (index: Index, loop: Loop): number => index.terms.find(([l]) => l === loop)?.[1] ?? 0;

/** The index stays inside the loop's image of the buffer. */
function withinImage(buffer: Buffer, index: Index, loop: Loop): boolean {
  const stride = buffer.layout.strides[0] ?? 0;
  if (buffer.shape[0] !== loop.size || coefficient(index, loop) !== stride || index.dynamic) return false;
  const [low, high] = boundsOf({ base: index.base, terms: index.terms.filter(([l]) => l !== loop) });
  return low >= 0 && high < stride;
}

/** Reads its own image, or what all images share. */
function movesByImage(buffer: Buffer, index: Index, loop: Loop): boolean {
  return buffer.home.kind !== "arena" || coefficient(index, loop) === 0 || withinImage(buffer, index, loop);
}

function loads(kernel: MapKernel): { readonly view: View; readonly index: Index }[] {
  const found: { view: View; index: Index }[] = [];
  const seen = new Set<Scalar>();
  const visit = (node: Scalar): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === "load") found.push({ view: kernel.operands[node.source] as View, index: node.index[0] as Index });
    for (const part of partsOf(node)) visit(part);
  };
  for (const store of kernel.stores) visit(store.value);
  return found;
}

/** What the kernel shares with the stage so far, it shares image by image. */
function staysInImage(kernel: Kernel, run: readonly Kernel[]): boolean {
  const written = new Set(run.flatMap((k) => touches(k).writes));
  const read = new Set(run.flatMap((k) => touches(k).reads));
  const { reads, writes } = touches(kernel);
  if (writes.some((b) => read.has(b) || written.has(b))) return false;
  const shared = reads.filter((b) => written.has(b));
  if (shared.some((b) => run.some((k) => k.kind === "contract" && k.images && k.images.chunk > 0 && k.c === b)))
    return false;
  if (kernel.kind === "contract") return shared.every((b) => imageStride(kernel, b) === b.layout.strides[0]);
  if (kernel.kind !== "map") return false;
  const loop = kernel.loops[0] as Loop;
  return loads(kernel).every(
    ({ view, index }) => !shared.includes(view.buffer) || withinImage(view.buffer, index, loop),
  );
}

function imageStride(kernel: ContractKernel, buffer: Buffer): number | undefined {
  const part = kernel.parts[0];
  const batch = kernel.images && (kernel.images.chunk > 0 ? part?.k[0] : part?.outer[0]);
  if (!batch) return undefined;
  return buffer === kernel.a ? batch.a : batch.b;
}

function conflict(a: Kernel, b: Kernel): boolean {
  const [x, y] = [touches(a), touches(b)];
  return (
    x.writes.some((buffer) => y.reads.includes(buffer) || y.writes.includes(buffer)) ||
    x.reads.some((buffer) => y.writes.includes(buffer))
  );
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Threads take whole chunks of every chunked sum. */
function grainOf(kernels: readonly Kernel[]): number {
  let grain = 1;
  for (const k of kernels)
    if (k.kind === "contract" && k.images && k.images.chunk > 0)
      grain = (grain * k.images.chunk) / gcd(grain, k.images.chunk);
  return grain;
}
