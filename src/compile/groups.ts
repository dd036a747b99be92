import { type Shape, sameShape, sizeOf, stridesOf } from "../core/dtype.ts";
import type { Equation, Phase, Var } from "../ir/program.ts";
import type { Buffer, View } from "./kernel.ts";
import type { Lowering, Target } from "./lowering.ts";
import { isElementwise, isTemplate } from "./materialize.ts";
import { countOf } from "./settle.ts";

/** A value that a map kernel writes to memory. */
export type GroupRoot = {
  readonly name: string;
  readonly value: Var;
  readonly shape: Shape;
  readonly view: View;
  /** The value stands elsewhere and is copied: into a target, or under another shape. */
  readonly copies: boolean;
  readonly phase: Phase;
};

export type Group =
  | {
      readonly kind: "map";
      readonly phase: Phase;
      readonly shape: Shape;
      readonly roots: GroupRoot[];
      readonly reads: Set<number>;
    }
  | { readonly kind: "template"; readonly eq: Equation };

/** What a root reads from memory: variable ids, and whether each is read at the root's own index alone; below 0 an equation's windows. */
type Reads = ReadonlyMap<number, boolean>;

const MAX_ROOTS = 12;
const SMALL = 64;

/**
 * Puts the values that need memory into an order of kernels. Roots of one shape share a nest where one reads the other at the
 * same index or both read the same array, so that an update rule is one sweep over its parameter.
 */
export function groupRoots(lowering: Lowering, targets: readonly Target[]): readonly Group[] {
  const groups: Group[] = [];
  const placed = new Map<number, number>();

  const place = (root: GroupRoot, reads: Reads): void => {
    let earliest = 0;
    for (const [id, pointwise] of reads) {
      const at = placed.get(id);
      if (at !== undefined) earliest = Math.max(earliest, groups[at]?.kind === "map" && pointwise ? at : at + 1);
    }
    for (let i = earliest; i < groups.length; i++) {
      const group = groups[i] as Group;
      if (
        group.kind !== "map" ||
        group.phase !== root.phase ||
        !sameShape(group.shape, root.shape) ||
        group.roots.length >= MAX_ROOTS
      )
        continue;
      const shares =
        sizeOf(root.shape) <= SMALL ||
        [...reads].some(([id, pointwise]) => pointwise && (group.reads.has(id) || placed.get(id) === i));
      if (!shares) continue;
      group.roots.push(root);
      for (const [id, pointwise] of reads) if (pointwise) group.reads.add(id);
      if (!root.copies) placed.set(root.value.id, i);
      return;
    }
    groups.push({
      kind: "map",
      phase: root.phase,
      shape: root.shape,
      roots: [root],
      reads: new Set([...reads].filter(([, p]) => p).map(([id]) => id)),
    });
    if (!root.copies) placed.set(root.value.id, groups.length - 1);
  };

  const { stored } = lowering.analysis;
  for (const eq of lowering.program.equations) {
    if (eq.primitive === "array") continue;
    if (isTemplate(eq)) {
      if (!eq.outputs.some((v) => stored.has(v.id))) continue;
      groups.push({ kind: "template", eq });
      for (const v of eq.outputs) placed.set(v.id, groups.length - 1);
      continue;
    }
    for (const v of eq.outputs) {
      if (!stored.has(v.id)) continue;
      const view = lowering.viewOfVar(v);
      if (eq.primitive === "reshape") {
        // Computed over its input's shape, in which its own row-major memory has strides too.
        const [x] = eq.inputs as [Var];
        const { shape } = x.aval;
        const root = {
          name: `${v.id}`,
          value: x,
          shape,
          view: { buffer: view.buffer, shape, strides: stridesOf(shape), offset: 0 },
          copies: true,
          phase: eq.phase,
        };
        place(root, readsOf(lowering, x, true));
        placed.set(
          v.id,
          groups.findIndex((g) => g.kind === "map" && g.roots.includes(root)),
        );
      } else
        place(
          { name: `${v.id}`, value: v, shape: v.aval.shape, view, copies: false, phase: eq.phase },
          readsOf(lowering, v, false),
        );
    }
  }
  placeTargets(lowering, targets, place, groups);
  return groups;
}

/** Reads of a value's expression; with `whole` the value itself counts if it lies in memory. */
function readsOf(lowering: Lowering, value: Var, whole: boolean): Map<number, boolean> {
  const found = new Map<number, boolean>();
  const seen = new Set<string>();
  const visit = (v: Var, pointwise: boolean, top: boolean): void => {
    const key = `${v.id}${pointwise}`;
    if (seen.has(key)) return;
    seen.add(key);
    const eq = lowering.analysis.definition.get(v.id);
    const direct = !eq || isTemplate(eq) || lowering.analysis.stored.has(v.id);
    if (direct && !top) {
      found.set(v.id, (found.get(v.id) ?? true) && pointwise);
      return;
    }
    const through = eq as Equation;
    // A pooling's outputs read the same windows.
    if (through.outputs.length > 1) found.set(-1 - (through.outputs[0] as Var).id, pointwise);
    for (const input of through.inputs) visit(input, pointwise && isElementwise(through), false);
  };
  visit(value, true, !whole && lowering.analysis.definition.has(value.id));
  return found;
}

/**
 * Results and new state come last. A new state is computed in place where everything that reads the old one has been computed
 * before, by a kernel that precedes, or reads it at the same index in the same kernel; else it is computed aside first and copied.
 */
function placeTargets(
  lowering: Lowering,
  targets: readonly Target[],
  place: (root: GroupRoot, reads: Reads) => void,
  groups: Group[],
): void {
  const rootOf = (target: Target, value: Var): GroupRoot => {
    const { shape } = target.view;
    return {
      name: target.name,
      value,
      shape,
      view: target.view,
      copies: true,
      phase: lowering.analysis.definition.get(value.id)?.phase ?? "update",
    };
  };
  const states = targets.filter((t): t is Target & { readonly state: Buffer } => t.state !== undefined);
  for (const target of targets)
    if (!target.state) place(rootOf(target, target.value), readsOf(lowering, target.value, true));

  const inputOf = new Map<Buffer, number>();
  for (const input of lowering.program.inputs) {
    const view = lowering.views.get(input.value.id);
    if (view && input.role === "state") inputOf.set(view.buffer, input.value.id);
  }
  const count = countOf(lowering.program);
  const reads = states.map((target) => {
    const found = readsOf(lowering, target.value, true);
    // Settling reads the count.
    if (count && target.state.dtype === "f32") found.set(count.id, false);
    return found;
  });
  const phaseOf = (i: number): Phase => rootOf(states[i] as Target, (states[i] as Target).value).phase;
  // Roots that read each other's arrays at the same index become one kernel.
  const cluster = states.map((_, i) => i);
  const leader = (i: number): number => (cluster[i] === i ? i : leader(cluster[i] as number));
  const readers = new Map<number, number[]>();
  states.forEach((_, i) => {
    for (const [id, pointwise] of reads[i] as Reads) if (pointwise) readers.set(id, [...(readers.get(id) ?? []), i]);
  });
  for (const list of readers.values())
    for (const i of list) {
      const [a, b] = [states[list[0] as number] as Target, states[i] as Target];
      if (sameShape(a.view.shape, b.view.shape) && phaseOf(list[0] as number) === phaseOf(i))
        cluster[leader(i)] = leader(list[0] as number);
    }
  const members = new Map<number, number[]>();
  states.forEach((_, i) => {
    members.set(leader(i), [...(members.get(leader(i)) ?? []), i]);
  });
  const membersOf = (i: number): readonly number[] => members.get(leader(i)) as number[];
  const inPlace = states.map((target, i) => {
    const own = inputOf.get(target.state);
    if (own === undefined) return true;
    return states.every((_, j) => {
      const pointwise = (reads[j] as Reads).get(own);
      if (pointwise === undefined) return true;
      // A large cluster becomes several kernels.
      if (leader(i) === leader(j)) return pointwise && (i === j || membersOf(i).length <= MAX_ROOTS);
      return (membersOf(j).at(-1) as number) < (membersOf(i)[0] as number);
    });
  });

  const aside: GroupRoot[] = [];
  const late: GroupRoot[] = [];
  const clusters = new Map<number, GroupRoot[]>();
  states.forEach((target, i) => {
    const root = rootOf(target, target.value);
    if (inPlace[i]) {
      clusters.set(leader(i), [...(clusters.get(leader(i)) ?? []), root]);
      return;
    }
    const known = lowering.views.get(target.value.id);
    const isInput = lowering.program.inputs.some((input) => input.value.id === target.value.id);
    if (known && !isInput && known.buffer.home.kind !== "store") {
      late.push(root);
      return;
    }
    const buffer = lowering.buffer(`${target.name}.next`, target.value.aval);
    const view: View = { buffer, shape: buffer.shape, strides: buffer.layout.strides, offset: 0 };
    aside.push({ ...root, view });
    const stand: Var = { id: lowering.arena.freshVariable(), aval: target.value.aval };
    lowering.views.set(stand.id, view);
    late.push({ ...root, value: stand });
  });
  const append = (roots: readonly GroupRoot[]): void => {
    for (let i = 0; i < roots.length; i += MAX_ROOTS) {
      const part = roots.slice(i, i + MAX_ROOTS);
      const first = part[0] as GroupRoot;
      groups.push({ kind: "map", phase: first.phase, shape: first.shape, roots: [...part], reads: new Set() });
    }
  };
  for (const root of aside) append([root]);
  for (const roots of clusters.values()) append(roots);
  for (const root of late) append([root]);
}
