import type { Axis, Buffer, ContractKernel, ContractPart } from "../../compile/kernel.ts";
import { mergeAxes } from "../../compile/merge-axes.ts";
import { gemmOf } from "../../compile/native-products.ts";
import type { FuncBuilder, ModuleBuilder } from "./asm/module.ts";
import { panelsOf, splitK } from "./contract-plan.ts";
import { decode, startPointers, workOf } from "./contract-pointers.ts";
import { type ContractOptions, PartWriter } from "./contract-tile.ts";
import { emitGemm } from "./gemm.ts";
import { HIGH, type KernelCode, kernelFunction, LOW, type Target } from "./kernel-code.ts";

/** With at least this many outer indices threads share those; else they share columns too. */
const OUTER_JOBS = 8;

export function emitContract(
  module: ModuleBuilder,
  target: Target,
  kernel: ContractKernel,
  options: ContractOptions,
): KernelCode[] {
  return kernel.parts.map((part, i) => {
    const gemm = options.gemm && gemmOf(options.gemm.rule, part, kernel.images);
    const suffix = `${kernel.parts.length > 1 ? `.${i}` : ""}${gemm ? " by BLAS" : ""}`;
    const f = kernelFunction(module, `${kernel.name}${suffix}`);
    if (options.gemm && gemm) return emitGemm(f, target, kernel, part, gemm, options.gemm.call);
    return kernel.images
      ? emitByImage(f, target, kernel, kernel.images, part, options)
      : emitByTile(f, target, kernel, part, options);
  });
}

/** Jobs are images: all products of one, then of the next. */
function emitByImage(
  f: FuncBuilder,
  target: Target,
  kernel: ContractKernel,
  images: NonNullable<ContractKernel["images"]>,
  part: ContractPart,
  options: ContractOptions,
): KernelCode {
  const { chunk, chunkStride, size } = images;
  const [batch, ...outer] = chunk > 0 ? [part.k[0] as Axis, ...part.outer] : (part.outer as [Axis, ...Axis[]]);
  const { outside, inside } = splitK(chunk > 0 ? part.k.slice(1) : part.k);
  const writer = new PartWriter(f, target, kernel, part, inside, chunk > 0 ? [] : outside, options);
  const nested = chunk > 0 ? [...mergeAxes(outer), ...outside] : mergeAxes(outer);
  const panels = panelsOf(part.n.size, kernel.panel);
  const image = f.local("i32");
  const first = chunk > 0 ? f.local("i32") : null;
  f.get(LOW).set(image);
  f.loop((again) => {
    const pointers = startPointers(f, target, kernel);
    const [pa, pb, pc] = pointers;
    const add = (pointer: number, buffer: Buffer, stride: number): void => {
      if (stride !== 0 && !target.scratch.has(buffer))
        f.get(pointer)
          .get(image)
          .i32(4 * stride)
          .op("i32.mul")
          .op("i32.add")
          .set(pointer);
    };
    add(pa, kernel.a, batch.a);
    add(pb, kernel.b, batch.b);
    if (first === null) add(pc, kernel.c, batch.c);
    else {
      f.get(pc)
        .get(image)
        .i32(chunk)
        .op("i32.div_s")
        .i32(4 * chunkStride)
        .op("i32.mul")
        .op("i32.add")
        .set(pc);
      f.get(image).i32(chunk).op("i32.rem_s").op("i32.eqz").set(first);
    }
    writer.under(nested, pointers, () => writer.allPanels(panels, pa, pb, pc, first));
    for (const pointer of pointers) f.release(pointer);
    f.get(image).i32(1).op("i32.add").tee(image).get(HIGH).op("i32.lt_s").brIf(again);
  });
  return { func: f, jobs: size, work: workOf(part) };
}

/** Jobs are outer indices, or where those are few, outer indices times panels of columns. */
function emitByTile(
  f: FuncBuilder,
  target: Target,
  kernel: ContractKernel,
  part: ContractPart,
  options: ContractOptions,
): KernelCode {
  const { outside, inside } = splitK(part.k);
  const outerAxes = mergeAxes(part.outer);
  const outerCount = outerAxes.reduce((n, a) => n * a.size, 1);
  const panels = panelsOf(part.n.size, kernel.panel);
  const byPanel = outerCount < OUTER_JOBS;
  const writer = new PartWriter(f, target, kernel, part, inside, outside, options);
  const jobs = byPanel ? outerCount * panels.length : outerCount;
  const job = f.local("i32");
  const index = f.local("i32");
  f.get(LOW).set(job);
  f.loop((again) => {
    const [pa, pb, pc] = startPointers(f, target, kernel);
    f.get(job);
    if (byPanel && panels.length > 1) f.i32(panels.length).op("i32.div_s");
    f.set(index);
    decode(f, index, outerAxes, pa, pb, pc);
    if (byPanel) {
      f.get(job).i32(panels.length).op("i32.rem_s").set(index);
      writer.onePanel(panels, index, pa, pb, pc);
    } else writer.allPanels(panels, pa, pb, pc, null);
    for (const pointer of [pa, pb, pc]) f.release(pointer);
    f.get(job).i32(1).op("i32.add").tee(job).get(HIGH).op("i32.lt_s").brIf(again);
  });
  return { func: f, jobs, work: workOf(part) };
}
