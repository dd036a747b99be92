/** Nested lists and records with leaves of type T. A leaf is anything but an array or a plain object. */
export type Tree<T> = T | readonly Tree<T>[] | { readonly [name: string]: Tree<T> };

export function isBranch(value: unknown): value is readonly unknown[] | Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}

const joinPath = (prefix: string, name: string | number): string => (prefix === "" ? `${name}` : `${prefix}.${name}`);

/** Leaves with their dotted paths, in insertion order. */
export function leavesOf<T>(tree: Tree<T>, prefix = ""): (readonly [path: string, leaf: T])[] {
  const out: [string, T][] = [];
  const walk = (node: Tree<T>, path: string): void => {
    if (!isBranch(node)) out.push([path, node as T]);
    else if (Array.isArray(node)) for (let i = 0; i < node.length; i++) walk(node[i] as Tree<T>, joinPath(path, i));
    else
      for (const name of Object.keys(node))
        walk((node as Record<string, Tree<T>>)[name] as Tree<T>, joinPath(path, name));
  };
  walk(tree, prefix);
  return out;
}

/** A tree of the same form with each leaf replaced. */
export function mapTree<T, U>(tree: Tree<T>, f: (leaf: T, path: string) => U, prefix = ""): Tree<U> {
  if (!isBranch(tree)) return f(tree as T, prefix);
  if (Array.isArray(tree)) return tree.map((child: Tree<T>, i) => mapTree(child, f, joinPath(prefix, i)));
  const out: Record<string, Tree<U>> = {};
  for (const name of Object.keys(tree))
    out[name] = mapTree((tree as Record<string, Tree<T>>)[name] as Tree<T>, f, joinPath(prefix, name));
  return out;
}

/** `f` over the leaves of `tree` and of `others`, which must have the same paths. */
export function zipTrees<T, U>(
  f: (path: string, leaf: T, ...others: T[]) => U,
  tree: Tree<T>,
  ...others: Tree<T>[]
): Tree<U> {
  const maps = others.map((other) => new Map(leavesOf(other)));
  return mapTree(tree, (leaf, path) =>
    f(
      path,
      leaf,
      ...maps.map((map) => {
        if (!map.has(path)) throw new TypeError(`trees differ: ${path} is missing in one of them`);
        return map.get(path) as T;
      }),
    ),
  );
}

/** A tree of the form of `form` with leaves taken from `leaves` in order. */
export function unflatten<T, U>(form: Tree<T>, leaves: readonly U[]): Tree<U> {
  let next = 0;
  return mapTree(form, () => leaves[next++] as U);
}
