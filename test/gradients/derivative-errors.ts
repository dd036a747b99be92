/** How far the derivative of each primitive is from the truth, on each backend: what the matrix in docs/primitives.md shows. */
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import { type PrimitiveName, primitiveNames } from "../../src/ops/table.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { checkGradient, drawInput, Random, type Sample, samplePrimitives } from "../../src/testing/index.ts";
import { call, cond, scan } from "../../src/trace/control.ts";
import { grad } from "../../src/trace/grad.ts";

type Function = (...inputs: readonly Tensor[]) => Tensor;
type Draw = { readonly f: Function; readonly inputs: readonly HostArray[] };

/** What is differentiated, and at which inputs. */
export type Subject = { readonly name: string; readonly draws: readonly Draw[] };

/** The largest relative errors of first and second derivatives. */
export type Errors = { readonly first: number; readonly second: number };

const DRAWS = 6;
const seeds: readonly number[] = Array.from({ length: DRAWS }, (_, i) => i);

function primitiveDraw(name: PrimitiveName, seed: number): Draw {
  const random = new Random(seed);
  const row = samplePrimitives[name];
  const sample: Sample =
    row.gradient !== "none" && row.gradient.draw ? row.gradient.draw(random) : row.draw(random, "f32");
  return {
    f: (...inputs) => (inputs[0] as Tensor).trace.bind(name, sample.params, inputs)[0] as Tensor,
    inputs: sample.inputs.map((spec) => drawInput(random, spec)),
  };
}

/** Bodies of products, sums and a tanh, so that a wrong order of multiplication would show. */
const control: Readonly<Record<string, (random: Random) => Draw>> = {
  scan: (random) => {
    const size = random.integer(1, 5);
    const draw = (shape: readonly number[]): HostArray =>
      drawInput(random, { dtype: "f32", shape, low: -1.5, high: 1.5 });
    const reverse = random.chance(0.5);
    return {
      f: (init, xs, w) => {
        const body = (carry: Tensor, x: Tensor): readonly [Tensor, Tensor] => {
          const next = carry
            .mul(w as Tensor)
            .add(x)
            .tanh();
          return [next, next.mul(x)];
        };
        const [last, ys] = scan(body, init as Tensor, xs as Tensor, { reverse });
        return ys.add(last);
      },
      inputs: [draw([size]), draw([random.integer(1, 7), size]), draw([size])],
    };
  },
  cond: (random) => {
    const shape = random.shape();
    return {
      f: (condition, x, y) =>
        cond(
          condition as Tensor,
          ([a, b]) => a.mul(b).tanh(),
          ([a, b]) => a.sub(b).square(),
          [x as Tensor, y as Tensor] as const,
        ),
      inputs: [
        array(Uint8Array.of(random.integer(0, 1)), [], "bool"),
        drawInput(random, { dtype: "f32", shape, low: -2, high: 2 }),
        drawInput(random, { dtype: "f32", shape, low: -2, high: 2 }),
      ],
    };
  },
  call: (random) => {
    const shape = random.shape();
    return {
      f: (x, y) => call("block", ([a, b]) => a.mul(b).tanh().add(a), [x as Tensor, y as Tensor] as const),
      inputs: [
        drawInput(random, { dtype: "f32", shape, low: -2, high: 2 }),
        drawInput(random, { dtype: "f32", shape, low: -2, high: 2 }),
      ],
    };
  },
};

/** Every primitive with a derivative, and control flow. */
export const subjects: readonly Subject[] = [
  ...primitiveNames
    .filter((name) => samplePrimitives[name].gradient !== "none")
    .map((name) => ({ name, draws: seeds.map((seed) => primitiveDraw(name, seed)) })),
  ...Object.entries(control).map(([name, draw]) => ({ name, draws: seeds.map((seed) => draw(new Random(seed))) })),
];

/** Of the rule in double precision against central differences. */
export async function errorsOfRule({ draws }: Subject): Promise<Errors> {
  const worst = async (order: 1 | 2): Promise<number> => {
    const errors: number[] = [];
    for (const [seed, { f, inputs }] of draws.entries())
      errors.push((await checkGradient(f, inputs, { tolerance: Infinity, order, seed })).error);
    return Math.max(...errors);
  };
  return { first: await worst(1), second: await worst(2) };
}

/** Weights that are singles, so that every precision takes the same ones. */
const weightsFor = (y: Tensor, random: Random): Tensor =>
  y.constant(drawInput(random, { dtype: "f32", shape: y.shape, low: -1.5, high: 1.5 }));

/** L = sum of r y (1 + y / 2), as `checkGradient` has it. */
const lossOf =
  (f: Function, seed: number): Function =>
  (...inputs) => {
    const y = f(...inputs);
    return y
      .mul(y.mul(0.5).add(1))
      .mul(weightsFor(y, new Random(seed)))
      .sum();
  };

/** Gradients of a scalar function with respect to its f32 inputs. */
const gradientsOf =
  (loss: Function) =>
  (...inputs: readonly Tensor[]): readonly Tensor[] => {
    const floats = inputs.flatMap((x, i) => (x.dtype === "f32" ? [i] : []));
    const of = (params: readonly Tensor[]): Tensor =>
      loss(...inputs.map((x, i) => (floats.includes(i) ? (params[floats.indexOf(i)] as Tensor) : x)));
    return grad(of)(floats.map((i) => inputs[i] as Tensor));
  };

/** Another scalar function: the gradients of `loss`, weighted at random. */
const slopeOf =
  (loss: Function, seed: number): Function =>
  (...inputs) => {
    const random = new Random(seed);
    return gradientsOf(loss)(...inputs)
      .map((g) => g.mul(weightsFor(g, random)).sum())
      .reduce((a, b) => a.add(b));
  };

/** The gradients of all draws, in one program. */
function derivatives(backend: Backend, { draws }: Subject, order: 1 | 2): Promise<HostArray[]> {
  return runFunction(
    backend,
    (...all) => {
      const waiting = [...all];
      return draws.flatMap(({ f, inputs }, seed) => {
        const loss = lossOf(f, seed + 1);
        return gradientsOf(order === 1 ? loss : slopeOf(loss, seed + 2))(...waiting.splice(0, inputs.length));
      });
    },
    draws.flatMap(({ inputs }) => inputs),
  );
}

/** The largest difference relative to the largest element of the same gradient. */
function relativeError(got: readonly HostArray[], exact: readonly HostArray[]): number {
  const errors = exact.map(({ data }, i) => {
    const own = (got[i] as HostArray).data;
    const scale = Math.max(...Array.from(data, Math.abs));
    const difference = Math.max(...Array.from(data, (x, k) => Math.abs(x - (own[k] as number))));
    return scale === 0 ? difference : difference / scale;
  });
  return Math.max(...errors);
}

/** Of a backend in single precision against the rule in double precision, from the same inputs. */
export async function errorsOn(backend: Backend, subject: Subject): Promise<Errors> {
  const exact = referenceBackend({ precision: "f64" });
  const error = async (order: 1 | 2): Promise<number> =>
    relativeError(await derivatives(backend, subject, order), await derivatives(exact, subject, order));
  return { first: await error(1), second: await error(2) };
}
