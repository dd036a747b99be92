import type { Store } from "../compile/backend.ts";
import { COMPLETED } from "../compile/settle.ts";
import type { Aval } from "../core/dtype.ts";
import { OptionError } from "../core/errors.ts";
import { formFaults } from "../core/form-faults.ts";
import { HostArray } from "../core/host-array.ts";
import { leavesOf, mapTree } from "../core/tree.ts";
import type { NamedArrays, OptimizerState } from "../optim/optimizer-state.ts";
import type { TrainState } from "./programs.ts";
import type { TrainerOptions } from "./trainer-options.ts";

const PARAMS = "state.params.";
const MEMORY = "state.optState.";

const below = (prefix: string, state: NamedArrays): NamedArrays =>
  Object.fromEntries(
    Object.entries(state).flatMap(([path, array]) =>
      path.startsWith(prefix) ? [[path.slice(prefix.length), array] as const] : [],
    ),
  );

/** The optimizer's part of a training's state, as a checkpoint has it. */
export function optimizerStateOf(
  state: NamedArrays,
  config: OptimizerState["config"],
  rate: number | undefined,
): OptimizerState {
  const updates = state[COMPLETED]?.item() ?? 0;
  return { config, parameters: below(PARAMS, state), memory: below(MEMORY, state), updates, rate };
}

/** The same, read from where it lives. */
export async function memoryOf(
  store: Store,
  { optimizer }: Pick<TrainerOptions, "optimizer">,
  history: readonly { readonly rate: number }[],
): Promise<OptimizerState> {
  const rate = history.at(-1)?.rate;
  const paths = store.paths.filter((path) => path === COMPLETED || path.startsWith(PARAMS) || path.startsWith(MEMORY));
  const read = async (path: string): Promise<readonly [string, HostArray]> => {
    const { dtype, shape, data } = await store.read(path);
    return [path, new HostArray(dtype, shape, data.slice())];
  };
  return optimizerStateOf(
    Object.fromEntries(await Promise.all(paths.map(read))),
    optimizer.config,
    Number.isFinite(rate) ? rate : undefined,
  );
}

/**
 * A first state with what an optimizer remembers from before in it; its count of updates goes to the store. Throws OptionError
 * where it is not this optimizer's.
 */
export function withMemory(
  store: Store,
  { optimizer, optimizerState: given }: Pick<TrainerOptions, "optimizer" | "optimizerState">,
  state: TrainState,
): TrainState {
  const { config } = optimizer;
  const named = (tree: TrainState["params"]): NamedArrays => Object.fromEntries(leavesOf<HostArray>(tree));
  const fresh: OptimizerState = {
    config,
    parameters: named(state.params),
    memory: named(state.optState),
    updates: 0,
  };
  const { memory, updates } = typeof given === "function" ? given(fresh) : (given ?? fresh);
  const form = (arrays: NamedArrays): [string, Aval][] =>
    Object.entries(arrays).map(([path, { dtype, shape }]) => [path, { dtype, shape }]);
  const faults = formFaults(form(fresh.memory), form(memory));
  if (faults !== undefined || !Number.isSafeInteger(updates) || updates < 0)
    throw new OptionError(
      `optimizerState: got a state ${faults ?? `of ${updates} updates`}; expected that of ${config.name} for these parameters. Hint: was it another optimizer, or another model?`,
      "optimizerState",
    );
  const optState = mapTree<HostArray, HostArray>(state.optState, (leaf, path) => memory[path] ?? leaf);
  store.write(COMPLETED, new HostArray("i32", [], Int32Array.of(updates)));
  return { ...state, optState };
}
