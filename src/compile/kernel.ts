import type { DType, Shape } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import type { Index, Loop, Scalar } from "../ir/loops.ts";
import type { Phase } from "../ir/program.ts";

/**
 * Where each element of a logical array lies: element (i0, i1, ...) at `offset` + sum of i_d * strides_d, in elements.
 * A border of zeros around some axes is only a larger `size` and an offset.
 */
export type Layout = {
  readonly strides: readonly number[];
  readonly offset: number;
  readonly size: number;
  readonly border: boolean;
};

/** What a kernel is for: an operation of the program, which may take several kernels, and the layers that asked for it. */
export type Origin = {
  readonly operation: string;
  /** As errors call the layer, e.g. `sequential.3 (linear)`; empty outside of layers. */
  readonly site: string;
  /** Operations of a product or convolution by the direct algorithm, whatever algorithm computes it; else 0. */
  readonly flops: number;
};

/**
 * A part of another buffer that moves with the iterations of a loop: `base` bytes into it, and `step` bytes further for each
 * iteration. One that `alternates` is in turn at 0 and at `step`; the number is where it stands in iteration 0.
 */
export type Slice = {
  readonly kind: "slice";
  readonly of: Buffer;
  readonly base: number;
  readonly step: number;
  readonly alternates: 0 | 1 | null;
};

/** Who owns a buffer's memory. `arena` memory is reused by liveness; the others keep theirs. */
export type Home =
  | { readonly kind: "store"; readonly path: string }
  | { readonly kind: "feed"; readonly path: string }
  | { readonly kind: "result"; readonly path: string }
  | { readonly kind: "constant"; readonly value: HostArray }
  | { readonly kind: "arena" }
  | Slice;

export type Buffer = {
  readonly id: number;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly layout: Layout;
  home: Home;
};

/** A buffer read or written through strides of a view's own. */
export type View = {
  readonly buffer: Buffer;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
};

export type Store = { readonly view: View; readonly index: Index; readonly value: Scalar };

/** An elementwise nest: for every index of `loops`, outer first, the stores in order. */
export type MapKernel = {
  readonly kind: "map";
  readonly name: string;
  readonly phase: Phase;
  readonly loops: readonly Loop[];
  readonly stores: readonly Store[];
  /** Operands by the `source` numbers of loads. A load's index is one flat element index into the buffer. */
  readonly operands: readonly View[];
};

export type ReduceOp = "sum" | "max" | "min" | "argmax";

/** For every index of `loops`, `op` over all of `reduced`, outer first. */
export type ReduceKernel = {
  readonly kind: "reduce";
  readonly name: string;
  readonly phase: Phase;
  readonly op: ReduceOp;
  readonly loops: readonly Loop[];
  readonly reduced: readonly Loop[];
  readonly value: Scalar;
  readonly target: View;
  readonly index: Index;
  readonly operands: readonly View[];
};

/** An axis of a contraction with its stride in each operand, in elements. */
export type Axis = { readonly size: number; readonly a: number; readonly b: number; readonly c: number };

/**
 * c[outer, m, n] = sum over k of a[outer, m, k] b[outer, k, n]: matrix products and every convolution pass.
 * All strides are known; n is contiguous in b and c. Several `parts` write different elements of one output.
 */
export type ContractPart = {
  readonly outer: readonly Axis[];
  readonly m: readonly Axis[];
  readonly n: Axis;
  readonly k: readonly Axis[];
  readonly offsetA: number;
  readonly offsetB: number;
  readonly offsetC: number;
  /** Set where b lies in panels of the kernel's `panel` columns: elements from one to the next. Else all columns lie n.b apart. */
  readonly panelB?: number;
};

/**
 * Columns of b that a register tile covers: with TILE_ROWS rows of a that is 12 sums, 2 vectors of b and one of a in 16 registers.
 * 16 is for engines that join pairs of vectors into one of twice the width.
 */
export type PanelWidth = 8 | 16;
export const TILE_ROWS = 6;

export type ContractKernel = {
  readonly kind: "contract";
  readonly name: string;
  readonly phase: Phase;
  readonly a: Buffer;
  readonly b: Buffer;
  readonly c: Buffer;
  readonly parts: readonly ContractPart[];
  readonly panel: PanelWidth;
  /**
   * Where set, work goes by image: the first outer axis is the batch. With a `chunk`, the batch is the first k axis instead: it is cut
   * into chunks of that many images, each with its own copy of c (chunkStride elements apart), added in order by a kernel that
   * follows, so that the sum does not depend on the number of threads.
   */
  readonly images: { readonly size: number; readonly chunk: number; readonly chunkStride: number } | null;
};

/** Adds updates into zeros at computed places, in order. */
export type ScatterKernel = {
  readonly kind: "scatter";
  readonly name: string;
  readonly phase: Phase;
  readonly loops: readonly Loop[];
  readonly target: View;
  readonly index: Index;
  readonly value: Scalar;
  readonly operands: readonly View[];
  /** Iterations of the outermost loop never add into one place. */
  readonly apart: boolean;
};

/** An array of each sweep's turn: its elements lie one after another (`moves`), or it is one element for all of them. */
export type SweepSlot = { readonly dtype: DType; readonly moves: boolean };

/**
 * One loop over many arrays in turn, such as the update of all parameters. Loads name slots by their `source`; `arrays` say what the
 * slots are in each turn. No turn reads or writes what another one writes. A `sweep` stores each element's values, `sums` the
 * sum of all elements' values: of chunks of a fixed size, added in order, so that it does not depend on the threads.
 */
export type SweepKernel = {
  readonly kind: "sweep" | "sums";
  readonly name: string;
  readonly phase: Phase;
  readonly loop: Loop;
  readonly slots: readonly SweepSlot[];
  readonly stores: readonly { readonly slot: number; readonly value: Scalar }[];
  readonly arrays: readonly {
    readonly name: string;
    readonly size: number;
    /** By slot: a buffer, and the element at which it begins. */
    readonly operands: readonly { readonly buffer: Buffer; readonly base: number }[];
  }[];
};

/**
 * Copies a matrix [..., k, x] into panels of `width` neighbours in x: row k of panel p begins at element (p * depth + k) * width, so
 * that a tile reads one contiguous run. The last panel may be narrower; its rows lie `width` apart all the same.
 */
export type PackKernel = {
  readonly kind: "pack";
  readonly name: string;
  readonly phase: Phase;
  readonly source: View;
  readonly target: Buffer;
  readonly width: typeof TILE_ROWS | PanelWidth;
};

/** Sets a whole buffer to a value. */
export type FillKernel = {
  readonly kind: "fill";
  readonly name: string;
  readonly phase: Phase;
  readonly target: Buffer;
};

export type Kernel = (
  | MapKernel
  | SweepKernel
  | ReduceKernel
  | ContractKernel
  | PackKernel
  | ScatterKernel
  | FillKernel
) & { readonly origin?: Origin };

/**
 * Kernels that work image by image and meet only inside an image: all of them run for one image before the next, so that what they
 * hand on stays in cache. Threads share the images in pieces of `grain`.
 */
export type Stage = {
  readonly kind: "stage";
  readonly images: number;
  readonly grain: number;
  readonly kernels: readonly Kernel[];
};

export type Node =
  | { readonly kind: "kernel"; readonly kernel: Kernel }
  | Stage
  | {
      readonly kind: "loop";
      readonly length: number;
      readonly reverse: boolean;
      /** What moves with its iterations. */
      readonly slices: readonly Buffer[];
      readonly body: readonly Node[];
    }
  | {
      readonly kind: "while";
      readonly slices: readonly Buffer[];
      readonly condition: Buffer;
      readonly test: readonly Node[];
      readonly body: readonly Node[];
    }
  | {
      readonly kind: "cond";
      readonly condition: Buffer;
      readonly whenTrue: readonly Node[];
      readonly whenFalse: readonly Node[];
    };
