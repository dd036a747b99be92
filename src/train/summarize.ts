import type { Backend } from "../compile/backend.ts";
import { compileStep, type Step, type StepContext, type StepResult } from "../compile/step.ts";
import { type HostArray, zeros } from "../core/host-array.ts";
import { leavesOf, mapTree, zipTrees } from "../core/tree.ts";
import { type AvalsOf, avalLeaves, fillAvals, type Layer } from "../nn/layer.ts";
import { type Model, model as modelOf } from "../nn/model.ts";
import type { Tensor } from "../ops/tensor.ts";
import { type TensorTree, valueAndGrad } from "../trace/grad.ts";
import type { HostTree } from "./examples.ts";
import type { AnyModel } from "./task.ts";

/**
 * `model.summary` with one line more: the peak memory of the model's compiled training step, beside the parameters, the
 * batch and what else lives longer than a step. Nothing is run. The step is forward, the mean square of the output as the loss, backward and a
 * plain gradient step; a loss of your own and an optimizer's moments, which live in the state, change little about it.
 *
 * Errors: ShapeError where the input does not fit; MemoryError where the step needs more memory than there is.
 *
 * @example
 * console.log(await summarize(nn.resnet18({ classes: 10 }), { dtype: "f32", shape: [32, 3, 64, 64] }));
 */
export type SummarizeFunction = <In extends TensorTree, Out extends TensorTree>(
  model: Model<In, Out> | Layer<In, Out>,
  input: AvalsOf<In>,
) => Promise<string>;

/** `summarize` on backends of this making. */
export function summarizeWith(makeBackend: () => Backend): SummarizeFunction {
  return async (layer, input) => {
    const model = modelOf(layer);
    const backend = makeBackend();
    try {
      return model.summary(input, { peakBytes: await stepBytes(backend, model as unknown as AnyModel, input) });
    } finally {
      await backend.close();
    }
  };
}

type Traced = { readonly params: TensorTree; readonly buffers: TensorTree };

const compileTrees = compileStep as unknown as (
  backend: Backend,
  fn: (state: Traced, batch: unknown, ctx: StepContext, data: { readonly x: TensorTree }) => StepResult,
  options: { readonly state: HostTree; readonly batch: unknown; readonly data: HostTree },
) => Promise<Step<HostTree>>;

async function stepBytes(backend: Backend, model: AnyModel, input: AvalsOf<TensorTree>): Promise<number> {
  const { params, buffers } = model.init(0, input);
  // The plan depends on types alone.
  const empty = (tree: HostTree): HostTree => mapTree(tree, ({ aval }: HostArray) => zeros(aval.shape, aval.dtype));
  const leaves = avalLeaves(input).map(([, { shape, dtype }]) => zeros(shape, dtype));
  const x = fillAvals<HostArray>(input, leaves);
  const step = await compileTrees(
    backend,
    (state, _batch, ctx, data) => {
      const [loss, grads, after] = valueAndGrad(
        (wrt: TensorTree) => {
          const [output, moved] = model.apply(wrt, state.buffers, data.x, { training: true, key: ctx.key });
          const squares = leavesOf<Tensor>(output).map(([, value]) => value.square().mean());
          return [squares.reduce((sum, value) => sum.add(value)), moved] as const;
        },
        { aux: true },
      )(state.params);
      ctx.forUpdate(state.params, loss);
      const moved = zipTrees<Tensor, Tensor>((_path, value, g) => value.sub(g as Tensor), state.params, grads);
      return { state: { params: moved, buffers: after }, metrics: { loss } };
    },
    { state: { params: empty(params), buffers: empty(buffers) }, batch: {}, data: { x } },
  );
  return step.executable.peakBytes;
}
