import { OptionError } from "../core/errors.ts";
import { isTransform } from "./hyper.ts";
import { show } from "./range.ts";
import type { TensorTree, Transform } from "./transform.ts";

/**
 * Transforms one after the other: each gets the updates of the one before. The state is the list of their states.
 *
 * As optax.chain. Throws OptionError when a part is no transform, or there is none.
 *
 * @example
 * optim.chain(optim.clipByGlobalNorm(1), optim.adam(1e-3)).config.parts.length // -> 2
 */
export function chain(...parts: readonly Transform[]): Transform<readonly TensorTree[]> {
  if (parts.length === 0) throw new OptionError("chain: got no transforms; expected at least one.", "chain");
  for (const part of parts)
    if (!isTransform(part))
      throw new OptionError(`chain: got ${show(part)}; expected a transform, such as optim.sgd(0.1).`, "chain");
  const evaluating = parts.flatMap((part, i) => (part.evalParams === undefined ? [] : [i]));
  if (evaluating.length > 1)
    throw new OptionError(
      `chain: got ${evaluating.map((i) => parts[i]?.config.name).join(" and ")}, each with weights of its own to evaluate with; expected one such transform.`,
      "chain",
    );
  const [last] = evaluating;
  return {
    config: { name: "chain", parts: parts.map((part) => part.config) },
    init: (params) => parts.map((part) => part.init(params)),
    update(updates, states, ctx) {
      let current = updates;
      const next = parts.map((part, i) => {
        const [changed, state] = part.update(current, states[i] as TensorTree, { ...ctx, key: ctx.key.fold(i) });
        current = changed;
        return state;
      });
      return [current, next];
    },
    ...(parts.some(({ refreshesStatistics }) => refreshesStatistics) && { refreshesStatistics: true }),
    ...(last === undefined
      ? {}
      : {
          evalParams: (params, states) =>
            (parts[last] as Transform & Required<Pick<Transform, "evalParams">>).evalParams(
              params,
              states[last] as TensorTree,
            ),
        }),
  };
}
