import { type Aval, stridesOf } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import {
  addIndex,
  constantIndex,
  type Index,
  type Loop,
  Loops,
  loopIndex,
  type Scalar,
  scaleIndex,
} from "../ir/loops.ts";
import type { Equation, Program, Var } from "../ir/program.ts";
import type { Source } from "../ops/primitive.ts";
import { primitiveOf } from "../ops/table.ts";
import type { Buffer, Home, Kernel, Layout, Node, Origin, PanelWidth, View } from "./kernel.ts";
import { layoutOf, viewStrides } from "./layout.ts";
import { type Analysis, analyse, isTemplate, isView, splitMap, withBorderCopies } from "./materialize.ts";
import type { GemmRule } from "./native-products.ts";
import { type ScanMemory, scanMemory } from "./scan-memory.ts";

/** Buffers and variable numbers shared by a program and those nested in it. */
export class Arena {
  readonly buffers: Buffer[] = [];
  /** Columns of a product's register tile. */
  readonly panel: PanelWidth;
  /** Which products a BLAS takes; null: there is none. */
  readonly gemm: GemmRule | null;
  /** Whether convolutions may use Winograd's large tiles, whose error is larger. */
  readonly largeTiles: boolean;
  private nextVariable: number;

  constructor(
    program: Program,
    {
      panel = 8,
      gemm = null,
      largeTiles = false,
    }: { readonly panel?: PanelWidth; readonly gemm?: GemmRule | null; readonly largeTiles?: boolean } = {},
  ) {
    this.panel = panel;
    this.gemm = gemm;
    this.largeTiles = largeTiles;
    let last = 0;
    const visit = (p: Program): void => {
      for (const input of p.inputs) last = Math.max(last, input.value.id);
      for (const eq of p.equations) {
        for (const v of eq.outputs) last = Math.max(last, v.id);
        eq.programs?.forEach(visit);
      }
    };
    visit(program);
    this.nextVariable = last + 1;
  }

  readonly freshVariable: () => number = () => this.nextVariable++;

  buffer(
    name: string,
    aval: Aval,
    home: Home,
    order?: readonly number[],
    border?: Parameters<typeof layoutOf>[2],
  ): Buffer {
    return this.place(name, aval, home, layoutOf(aval.shape, order, border));
  }

  place(name: string, aval: Aval, home: Home, layout: Layout): Buffer {
    const buffer: Buffer = { id: this.buffers.length, name, dtype: aval.dtype, shape: aval.shape, layout, home };
    this.buffers.push(buffer);
    return buffer;
  }
}

export function viewOf(buffer: Buffer): View {
  return { buffer, shape: buffer.shape, strides: buffer.layout.strides, offset: buffer.layout.offset };
}

/** The flat element index of a view's element. */
export function flatten(view: View, index: readonly Index[]): Index {
  return index.reduce<Index>((sum, i, axis) => {
    const stride = view.strides[axis] as number;
    return stride === 0 ? sum : addIndex(sum, scaleIndex(i, stride));
  }, constantIndex(view.offset));
}

/** Where a value is written when a program ends. */
export type Target = { readonly value: Var; readonly view: View; readonly name: string; readonly state?: Buffer };

/** A program on its way to kernels: what lies in memory, where, and the nodes made so far. */
export class Lowering {
  readonly arena: Arena;
  readonly program: Program;
  readonly analysis: Analysis;
  readonly nodes: Node[] = [];
  /** Variables that can be read from memory. */
  readonly views: Map<number, View> = new Map();
  readonly scans: Map<Equation, ScanMemory> = new Map();
  /** Of the kernels that are pushed now. */
  origin: Origin | undefined;
  private readonly prefix: string;

  constructor(
    arena: Arena,
    program: Program,
    bindings: ReadonlyMap<number, View>,
    fixed: (path: string) => readonly number[] | undefined,
    prefix = "",
  ) {
    this.arena = arena;
    this.program = withBorderCopies(program, arena.freshVariable);
    this.analysis = analyse(this.program, fixed);
    this.prefix = prefix;
    for (const [id, view] of bindings) this.views.set(id, view);
  }

  /** Gives memory to what is stored and views to what only moves; inputs must have their views. */
  prepare(): void {
    const { stored } = this.analysis;
    for (const eq of this.program.equations) {
      if (eq.primitive === "scan") {
        const memory = scanMemory(eq, (name, aval) => this.buffer(name, aval), stored);
        this.scans.set(eq, memory);
        for (const [id, view] of memory.views) if (!this.views.has(id)) this.views.set(id, view);
      }
      for (const v of eq.outputs) if (stored.has(v.id) && !this.views.has(v.id)) this.allot(v, eq);
      if (isView(eq)) this.tryView(eq);
    }
  }

  private allot(v: Var, eq: Equation): void {
    const home: Home =
      eq.primitive === "array" ? { kind: "constant", value: eq.params.value as HostArray } : { kind: "arena" };
    const order = home.kind === "constant" ? undefined : this.analysis.order(v);
    const buffer = this.arena.buffer(`${this.prefix}${v.id}`, v.aval, home, order, this.analysis.border.get(v.id));
    this.views.set(v.id, viewOf(buffer));
  }

  /** A view of memory for a movement of something that lies there; a reshape that no strides can show gets memory of its own. */
  private tryView(eq: Equation): void {
    const [x] = eq.inputs as [Var];
    const [out] = eq.outputs as [Var];
    const from = this.views.get(x.id);
    if (!from || this.views.has(out.id)) return;
    const make = (strides: readonly number[], offset = from.offset): void => {
      this.views.set(out.id, { buffer: from.buffer, shape: out.aval.shape, strides, offset });
    };
    switch (eq.primitive) {
      case "transpose":
        make((eq.params.order as readonly number[]).map((axis) => from.strides[axis] as number));
        return;
      case "broadcast": {
        const strides = out.aval.shape.map(() => 0);
        (eq.params.axes as readonly number[]).forEach((axis, i) => {
          if (x.aval.shape[i] !== 1) strides[axis] = from.strides[i] as number;
        });
        make(strides);
        return;
      }
      case "slice": {
        const start = eq.params.start as readonly number[];
        const by = eq.params.stride as readonly number[];
        make(
          from.strides.map((s, i) => s * (by[i] as number)),
          from.offset + from.strides.reduce((sum, s, i) => sum + s * (start[i] as number), 0),
        );
        return;
      }
      default: {
        const strides = viewStrides(from.shape, from.strides, out.aval.shape);
        if (strides) make(strides);
        else {
          this.analysis.stored.add(out.id);
          this.views.set(out.id, viewOf(this.buffer(`${out.id}`, out.aval)));
        }
      }
    }
  }

  buffer(name: string, aval: Aval, order?: readonly number[], border?: Parameters<typeof layoutOf>[2]): Buffer {
    return this.arena.buffer(`${this.prefix}${name}`, aval, { kind: "arena" }, order, border);
  }

  bufferWithLayout(name: string, aval: Aval, layout: Layout): Buffer {
    return this.arena.place(`${this.prefix}${name}`, aval, { kind: "arena" }, layout);
  }

  push(kernel: Kernel): void {
    const { origin } = this;
    this.nodes.push({ kind: "kernel", kernel: origin ? { ...kernel, origin } : kernel });
  }

  viewOfVar(v: Var): View {
    const view = this.views.get(v.id);
    if (!view) throw new Error(`compiler: %${v.id} has no memory`);
    return view;
  }
}

/** A loop for each axis of a shape, outermost first as a view lies in memory, and the index they make. */
export function orderedLoops(
  loops: Loops,
  shape: readonly number[],
  view: View,
): { readonly loops: readonly Loop[]; readonly index: readonly Index[] } {
  const axes = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== 1);
  axes.sort((a, b) => (view.strides[b] as number) - (view.strides[a] as number) || a - b);
  const made = new Map(axes.map((axis) => [axis, loops.loop(shape[axis] as number)]));
  const index = shape.map((_, axis) => {
    const loop = made.get(axis);
    return loop ? loopIndex(loop) : constantIndex(0);
  });
  return { loops: axes.map((axis) => made.get(axis) as Loop), index };
}

/** Computes elements of variables as scalar expressions, down to what lies in memory. */
export class Expressions {
  readonly loops: Loops = new Loops();
  readonly operands: View[] = [];
  private readonly lowering: Lowering;
  private readonly numbers = new Map<number, number>();
  private readonly memo = new Map<string, Scalar>();

  constructor(lowering: Lowering) {
    this.lowering = lowering;
  }

  private key(v: Var, index: readonly Index[]): string {
    return `${v.id}[${index.map((i) => `${i.base}${i.terms.map(([l, c]) => `,${l.id}*${c}`)}${i.dynamic ? `@${i.dynamic.value.id}*${i.dynamic.coefficient}` : ""}`).join(";")}]`;
  }

  /** From now on this element is known: it was just computed by the same kernel. */
  remember(v: Var, index: readonly Index[], value: Scalar): void {
    this.memo.set(this.key(v, index), value);
  }

  read(view: View, index: readonly Index[]): Scalar {
    const { buffer } = view;
    let number = this.numbers.get(buffer.id);
    if (number === undefined) {
      number = this.operands.length;
      this.numbers.set(buffer.id, number);
      this.operands.push(view);
    }
    return this.loops.load(number, buffer.dtype, [this.address(view, index)]);
  }

  /** As `flatten`; several computed terms are added up to one. */
  address(view: View, index: readonly Index[]): Index {
    return this.combine(index, view.strides, view.offset);
  }

  /** base + sum of index * stride, with at most one computed term. */
  private combine(index: readonly Index[], strides: readonly number[], base: number): Index {
    const l = this.loops;
    const several = index.filter((i, axis) => i.dynamic && strides[axis] !== 0).length > 1;
    let computed: Scalar | undefined;
    const affine = index.reduce<Index>((sum, i, axis) => {
      const stride = strides[axis] as number;
      if (stride === 0) return sum;
      if (!several || !i.dynamic) return addIndex(sum, scaleIndex(i, stride));
      const term = l.binary("mul", i.dynamic.value, l.constant(i.dynamic.coefficient * stride, "i32"));
      computed = computed ? l.binary("add", computed, term) : term;
      return addIndex(sum, scaleIndex({ base: i.base, terms: i.terms }, stride));
    }, constantIndex(base));
    return computed ? { ...affine, dynamic: { value: computed, coefficient: 1 } } : affine;
  }

  at(v: Var, index: readonly Index[]): Scalar {
    const key = this.key(v, index);
    const known = this.memo.get(key);
    if (known) return known;
    const view = this.lowering.views.get(v.id);
    const value = view ? this.read(view, index) : this.compute(v, index);
    this.memo.set(key, value);
    return value;
  }

  /** By its equation, even where it also lies in memory. */
  compute(v: Var, index: readonly Index[]): Scalar {
    const eq = this.lowering.analysis.definition.get(v.id);
    // An input, or what a template wrote.
    if (!eq || isTemplate(eq)) return this.read(this.lowering.viewOfVar(v), index);
    if (eq.primitive === "reshape") {
      const [x] = eq.inputs as [Var];
      const map = splitMap(x.aval.shape, v.aval.shape);
      if (!map) return this.read(this.lowering.viewOfVar(v), index);
      const strides = map.map((group) => stridesOf(group.map((axis) => v.aval.shape[axis] as number)));
      return this.at(
        x,
        map.map((group, d) =>
          this.combine(
            group.map((axis) => index[axis] as Index),
            strides[d] as readonly number[],
            0,
          ),
        ),
      );
    }
    const primitive = primitiveOf(eq.primitive);
    const sources = eq.inputs.map((input): Source => ({ aval: input.aval, at: (i) => this.at(input, i) }));
    if (!primitive.lower) throw new Error(`compiler: ${eq.primitive} has no element rule`);
    return primitive.lower(this.loops, eq.params, sources, index, eq.outputs.indexOf(v));
  }
}
