import type { Tensor } from "../ops/tensor.ts";
import { narrowContext, pickLeaves, putLeaves } from "../trace/update-context.ts";
import type { TensorTree, Transform } from "./transform.ts";

/** A transform in charge of the parameters at `paths`. */
export type Share = { readonly name: string; readonly transform: Transform; readonly paths: ReadonlySet<string> };

/** One state for each share, by its name, with the parameters' paths below. */
export type DispatchState = Readonly<Record<string, TensorTree>>;

/**
 * Gives each share's transform, one of `transforms`, its parameters, as one record by path. Parameters of no share keep their
 * updates as they come.
 */
export function dispatch(
  sharesOf: (params: TensorTree) => readonly Share[],
  transforms: readonly Transform[],
): Pick<Transform<DispatchState>, "init" | "update" | "evalParams" | "refreshesStatistics"> {
  const used = (params: TensorTree): readonly Share[] => sharesOf(params).filter(({ paths }) => paths.size > 0);
  return {
    init: (params) =>
      Object.fromEntries(
        used(params).map(({ name, transform, paths }) => [name, transform.init(pickLeaves(params, paths))]),
      ),
    update(updates, state, ctx) {
      let current = updates;
      const next = used(ctx.params).map(({ name, transform, paths }) => {
        const part = { ...narrowContext(ctx, paths), key: ctx.key.fold(name) };
        const [changed, after] = transform.update(pickLeaves(updates, paths), state[name] as TensorTree, part);
        current = putLeaves<TensorTree>(current, changed);
        return [name, after] as const;
      });
      return [current, Object.fromEntries(next)];
    },
    ...(transforms.some(({ refreshesStatistics }) => refreshesStatistics) && { refreshesStatistics: true }),
    ...(transforms.some(({ evalParams }) => evalParams !== undefined) && {
      evalParams: (params: TensorTree, state: DispatchState) =>
        used(params).reduce<TensorTree>((tree, { name, transform, paths }) => {
          const own = transform.evalParams?.(pickLeaves(params, paths), state[name] as TensorTree);
          return own === undefined ? tree : putLeaves<TensorTree>(tree, own as Readonly<Record<string, Tensor>>);
        }, params),
    }),
  };
}
