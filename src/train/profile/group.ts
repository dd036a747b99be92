import type { Limit, Profile, ProfiledKernel } from "./measure.ts";

export type GroupBy = "kernel" | "operation" | "layer" | "phase";
export const GROUPINGS: readonly GroupBy[] = ["kernel", "operation", "layer", "phase"];

/** Kernels of one kind, operation, layer or phase together. */
export type ProfileRow = {
  readonly name: string;
  /** Where all of its kernels are of one; else empty. */
  readonly layer: string;
  readonly phase: string;
  readonly kernels: number;
  readonly calls: number;
  readonly ms: number;
  readonly share: number;
  /** Arithmetic that counts: a kernel's own; of operations and larger groups, that of the direct algorithm. */
  readonly operations: number;
  readonly bytes: number;
  readonly computeMs: number;
  readonly transferMs: number;
  readonly limitMs: number;
  /** The limit under which most of `limitMs` falls. */
  readonly limit: Limit;
};

/** Rows of a profile, the longest time first. */
export function profileRows({ kernels }: Pick<Profile, "kernels">, by: GroupBy): ProfileRow[] {
  const groups = new Map<unknown, ProfiledKernel[]>();
  for (const kernel of kernels) {
    const key =
      by === "kernel"
        ? kernel
        : by === "operation"
          ? `${kernel.phase} ${kernel.layer} ${kernel.operation}`
          : kernel[by];
    const known = groups.get(key);
    if (known) known.push(kernel);
    else groups.set(key, [kernel]);
  }
  const rows = [...groups.values()].map((members) => rowOf(members, by));
  return rows.sort((a, b) => b.ms - a.ms);
}

function rowOf(members: readonly ProfiledKernel[], by: GroupBy): ProfileRow {
  const sum = (of: (kernel: ProfiledKernel) => number): number =>
    members.reduce((total, kernel) => total + of(kernel), 0);
  const common = (of: (kernel: ProfiledKernel) => string): string => {
    const values = new Set(members.map(of));
    return values.size === 1 ? ([...values][0] as string) : "";
  };
  const [first] = members as readonly [ProfiledKernel, ...ProfiledKernel[]];
  const limits = new Map<Limit, number>();
  for (const { limit, limitMs } of members) limits.set(limit, (limits.get(limit) ?? 0) + limitMs);
  const [[limit]] = [...limits].sort((a, b) => b[1] - a[1]) as [[Limit, number]];
  return {
    name: by === "kernel" ? first.name : by === "operation" ? first.operation : first[by],
    layer: common(({ layer }) => layer),
    phase: common(({ phase }) => phase),
    kernels: members.length,
    calls: sum(({ calls }) => calls),
    ms: sum(({ ms }) => ms),
    share: sum(({ share }) => share),
    operations: sum(({ operations, directOperations }) => (by === "kernel" ? operations : directOperations)),
    bytes: sum(({ bytes }) => bytes),
    computeMs: sum(({ computeMs }) => computeMs),
    transferMs: sum(({ transferMs }) => transferMs),
    limitMs: sum(({ limitMs }) => limitMs),
    limit,
  };
}
