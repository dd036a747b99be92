import type { Step } from "../../compile/step.ts";
import { type Aval, formatAval, sameShape } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { HostArray, newData } from "../../core/host-array.ts";
import type { Tree } from "../../core/tree.ts";
import type { AvalsOf } from "../../nn/layer.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { valueAndGrad } from "../../trace/grad.ts";
import { type HostTree, prepare } from "../examples.ts";
import { compileTrees } from "../programs.ts";
import type { TensorTree } from "../task.ts";
import type { TrainedModel, TrainedParts } from "../trained-model.ts";
import { camOf, featureMaps } from "./feature-maps.ts";
import { resizeBilinear } from "./resize.ts";

/** What is explained: a classifier with one input. */
export type Explained = Pick<TrainedModel<HostArray>, "withParts">;

export type SaliencyOptions = {
  /** The class of each sample whose score is explained. Default: the largest score's. */
  readonly classes?: ArrayLike<number>;
};

/** What of each sample spoke for a class. */
export type Saliency = {
  /** f32, of the inputs' shape. */
  readonly values: HostArray;
  /** The class that was explained, of each sample. */
  readonly classes: Int32Array;
  /** Its score before the softmax. */
  readonly scores: Float32Array;
};

export type GradCamOptions = SaliencyOptions & {
  /** Path of the layer whose feature maps are read, such as "5" or "layer4.1". Default: the last after the last convolution, before pooling. */
  readonly layer?: string;
};

export type GradCam = Omit<Saliency, "values"> & {
  /** f32[N, H, W], of the pictures' size: 0 where nothing spoke for the class. */
  readonly maps: HostArray;
  /** f32[N, h, w], of the layer's size: what `maps` are stretched from. */
  readonly coarse: HostArray;
  /** Path of the layer that was read. */
  readonly layer: string;
};

/**
 * Gradient x input: x · d score / d x, x as the model sees it (after preprocessing). Summed over a sample it is the change of the
 * score that a linear model would make from nothing to the sample.
 *
 * Errors: ShapeError where the inputs do not fit or the model gives no scores f32[N, C]; OptionError for a class that is not there.
 *
 * Source: Shrikumar, Greenside and Kundaje, "Learning important features through propagating activation differences" (2017).
 *
 * @example
 * const { values } = await gradientTimesInput(run, takeRows(test.inputs, [0]));
 * values.shape // -> [1, 1, 28, 28]
 */
export async function gradientTimesInput(
  model: Explained,
  inputs: HostArray,
  options: SaliencyOptions = {},
): Promise<Saliency> {
  const found = await explain("gradientTimesInput", model, inputs, options, gradientProgram);
  const { values, ...rest } = found;
  return { ...rest, values: new HostArray("f32", inputs.shape, values) };
}

/**
 * Grad-CAM: which parts of a picture speak for a class, relu(sum over k of a[k] A[k]) with the feature maps A f32[N, K, h, w] of a
 * convolutional layer and a[k] the mean over the map of d score / d A[k]; stretched to the picture's size (bilinear). Not
 * scaled: divide by the largest to draw it.
 *
 * Errors: OptionError where no layer has feature maps, for a layer or a class that is not there; ShapeError as `gradientTimesInput`.
 *
 * Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization" (2017).
 *
 * @example
 * const { maps, layer } = await gradCam(run, takeRows(test.inputs, [0, 1]));
 * maps.shape // -> [2, 28, 28]
 */
export async function gradCam(model: Explained, pictures: HostArray, options: GradCamOptions = {}): Promise<GradCam> {
  const found = await explain("gradCam", model, pictures, options, (parts) => camProgram(parts, options.layer));
  const { values, classes, scores, notes, single } = found;
  const { layer, size } = notes as CamNotes;
  const shape = [...(single ? [] : [classes.length]), ...size];
  const [height, width] = pictures.shape.slice(-2) as [number, number];
  return {
    layer,
    classes,
    scores,
    coarse: new HostArray("f32", shape, values),
    maps: resizeBilinear(new HostArray("f32", shape, values), height, width),
  };
}

type CamNotes = { readonly layer: string; readonly size: readonly [number, number] };

/** A program that gives `values`, `classes` and `scores` of a batch. */
type Program = { readonly step: Step<HostTree>; readonly notes: unknown };
type Outcome = Readonly<Record<"values" | "classes" | "scores", Tensor>>;
type MakeProgram = (explained: ExplainedParts) => Promise<Program>;
type ExplainedParts = Pick<TrainedParts, "backend" | "store" | "task" | "state"> & {
  /** Type of a batch. */
  readonly inputs: Aval;
};

const MAX_BATCH = 32;
/** Stands for the class of the largest score. */
const LARGEST = -1;

async function explain(
  op: string,
  model: Explained,
  inputs: HostArray,
  { classes: given }: SaliencyOptions,
  make: MakeProgram,
): Promise<Omit<Saliency, "values"> & { values: Float32Array; notes: unknown; single: boolean }> {
  return model.withParts(async (parts) => {
    const single = checkInputs(op, inputs, parts);
    const count = single ? 1 : (inputs.shape[0] as number);
    if (count === 0) throw new OptionError(`${op}: got no samples; expected at least one.`, "inputs");
    const row = inputs.data.length / count;
    const size = Math.min(MAX_BATCH, 2 ** Math.ceil(Math.log2(count)));
    const types: Aval = { dtype: inputs.dtype, shape: [size, ...(parts.sample as Aval).shape] };
    checkClasses(op, given, count, classCount(op, parts, types));
    const { step, notes } = await make({ ...parts, inputs: types });
    const classes = new Int32Array(count);
    const scores = new Float32Array(count);
    const found: Float32Array[] = [];
    for (let at = 0; at < count; at += size) {
      const rows = Math.min(size, count - at);
      const data = newData(inputs.dtype, size * row);
      data.set(inputs.data.subarray(at * row, (at + rows) * row));
      const wanted = Int32Array.from({ length: size }, (_, i) => (i < rows ? given?.[at + i] : undefined) ?? LARGEST);
      const { results } = await step.run({ "batch.inputs": data, "batch.classes": wanted });
      const values = results.values as Float32Array;
      found.push(values.slice(0, (values.length / size) * rows));
      classes.set((results.classes as Int32Array).subarray(0, rows), at);
      scores.set((results.scores as Float32Array).subarray(0, rows), at);
    }
    return { values: joined(found), classes, scores, notes, single };
  });
}

/** Whether the inputs are one sample without the batch axis. */
function checkInputs(op: string, inputs: HostArray, { sample }: TrainedParts): boolean {
  if (!isAval(sample)) throw new ShapeError(`${op}: got a model of several inputs; expected one.`, "inputs");
  if (!(inputs instanceof HostArray)) throw new ShapeError(`${op}: got ${typeof inputs}; expected an array.`, "inputs");
  if (sameShape(inputs.shape, sample.shape)) return true;
  if (inputs.shape.length > 0 && sameShape(inputs.shape.slice(1), sample.shape)) return false;
  throw new ShapeError(
    `${op}: got ${formatAval(inputs.aval)}; expected ${sample.dtype}[${["N", ...sample.shape]}], or one sample without the first axis.`,
    "inputs",
  );
}

const isAval = (node: Tree<Aval>): node is Aval => Array.isArray((node as Partial<Aval>).shape);

/** How many classes the model scores. */
function classCount(op: string, { task, state }: TrainedParts, { dtype, shape }: Aval): number {
  if (dtype === "i32") throw new ShapeError(`${op}: got indices; expected numbers, which have a gradient.`, "inputs");
  const types = { dtype: "f32", shape } as AvalsOf<TensorTree>;
  const output = task.model.outputOf(state.params, state.buffers, types) as Tree<Aval>;
  if (isAval(output) && output.dtype === "f32" && output.shape.length === 2) return output.shape[1] as number;
  throw new ShapeError(
    `${op}: got ${isAval(output) ? formatAval(output) : "several outputs"} from the model; expected scores f32[N,C].`,
  );
}

function checkClasses(op: string, given: ArrayLike<number> | undefined, count: number, classes: number): void {
  if (given === undefined) return;
  if (given.length !== count)
    throw new OptionError(`${op}: got ${given.length} classes for ${count} samples; expected as many.`, "classes");
  const strange = Array.from(given).find((each) => !(Number.isInteger(each) && each >= 0 && each < classes));
  if (strange !== undefined)
    throw new OptionError(`${op}: got the class ${strange}; expected 0 to ${classes - 1}.`, "classes");
}

function joined(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const each of arrays) {
    all.set(each, at);
    at += each.length;
  }
  return all;
}

/** The scores of the wanted classes f32[N], and those classes i32[N]. */
function chosen(scores: Tensor, wanted: Tensor): { readonly scores: Tensor; readonly classes: Tensor } {
  const classes = wanted.less(0).select(scores.argmax(1), wanted);
  const own = scores.iota(scores.shape, 1).equal(classes.unsqueeze(1));
  return { scores: own.select(scores, 0).sum(1), classes };
}

type State = Readonly<Record<"params" | "buffers", TensorTree>>;

function compile(
  { backend, store, task, state, inputs }: ExplainedParts,
  program: (state: State, x: Tensor, classes: Tensor) => Outcome,
): Promise<Step<HostTree>> {
  return compileTrees(
    backend,
    (tensors, batch) => {
      const fed = batch as { inputs: Tensor; classes: Tensor };
      return { metrics: program(tensors as State, prepare(fed.inputs, task.preparation) as Tensor, fed.classes) };
    },
    {
      state: { params: state.params, buffers: state.buffers },
      batch: { inputs, classes: { dtype: "i32", shape: inputs.shape.slice(0, 1) } },
      store,
      onInspect: () => {},
    },
  );
}

async function gradientProgram(parts: ExplainedParts): Promise<Program> {
  const step = await compile(parts, ({ params, buffers }, x, wanted) => {
    const [, gradient, found] = valueAndGrad(
      (given: Tensor) => {
        const [output] = parts.task.model.apply(params, buffers, given);
        const found = chosen(output as Tensor, wanted);
        return [found.scores.sum(), found];
      },
      { aux: true },
    )(x);
    return { values: gradient.mul(x), ...found };
  });
  return { step, notes: undefined };
}

async function camProgram(parts: ExplainedParts, wantedLayer: string | undefined): Promise<Program> {
  let notes: CamNotes | undefined;
  const step = await compile(parts, ({ params, buffers }, x, wanted) => {
    const { output, layer, gradientOf } = featureMaps(parts.task.model, params, buffers, x, wantedLayer);
    notes = { layer: layer.path, size: layer.maps.shape.slice(2) as [number, number] };
    const found = chosen(output as Tensor, wanted);
    return { values: camOf(layer.maps, gradientOf(found.scores.sum())), ...found };
  });
  return { step, notes };
}
