import type { Kernel, Node } from "./kernel.ts";

/** A kernel of a step and where it stands: in a stage it is called for each of so many images. */
export type PlacedKernel = {
  readonly kernel: Kernel;
  readonly stage: readonly Kernel[] | null;
  readonly images: number;
};

/** Every kernel of a step, in the order in which they stand. */
export function placedKernels(nodes: readonly Node[]): readonly PlacedKernel[] {
  return nodes.flatMap((node): readonly PlacedKernel[] => {
    switch (node.kind) {
      case "kernel":
        return [{ kernel: node.kernel, stage: null, images: 1 }];
      case "stage":
        return node.kernels.map((kernel) => ({ kernel, stage: node.kernels, images: node.images }));
      case "cond":
        return placedKernels([...node.whenTrue, ...node.whenFalse]);
      case "while":
        return placedKernels([...node.test, ...node.body]);
      default:
        return placedKernels(node.body);
    }
  });
}
