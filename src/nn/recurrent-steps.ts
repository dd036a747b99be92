import type { Tensor } from "../ops/tensor.ts";
import { scan } from "../trace/control.ts";
import { customVjps } from "../trace/grad.ts";

/** One layer in one direction over all steps, time first. */
export type Steps = {
  /** f32[T, N, I] */
  readonly x: Tensor;
  /** W_ih, f32[gates H, I]. */
  readonly inputWeight: Tensor;
  /** W_hh, f32[gates H, H]. */
  readonly weight: Tensor;
  /** b_ih and b_hh, f32[gates H] each, or none. */
  readonly biases: readonly Tensor[];
  /** First state, f32[N, H] each; zeros where there is none. */
  readonly state: readonly Tensor[];
  /** From the last step to the first. */
  readonly reverse: boolean;
};

/** The outputs of all steps, f32[T, N, H], and the state after them, f32[N, H]. */
export type Ran = { readonly output: Tensor; readonly h: Tensor; readonly c?: Tensor };

/**
 * The rules below run a scan against the forward one that carries the state's cotangents alone and hands out those of the
 * gates; the weights' gradients are then products over all steps at once. The derivative of `scan` would add up a product for
 * each step in its carry, and compute the gates again.
 */

type Inputs = readonly [x: Tensor, inputWeight: Tensor, weight: Tensor, ...others: Tensor[]];

const parts = (x: Tensor, count: number): Tensor[] => {
  const size = (x.shape.at(-1) as number) / count;
  return Array.from({ length: count }, (_, i) => x.narrow(-1, i * size, size));
};

const join = ([first, ...others]: readonly [Tensor, ...Tensor[]], axis = -1): Tensor => first.concat(others, axis);

const plus = (a: Tensor, b: Tensor | null | undefined): Tensor => (b ? a.add(b) : a);

/** 1 - x */
const rest = (x: Tensor): Tensor => x.rsub(1);

/** What of a record is there. */
function present<N extends string>(tensors: { readonly [K in N]: Tensor | null }): { readonly [K in N]?: Tensor } {
  return Object.fromEntries(Object.entries(tensors).filter(([, t]) => t !== null)) as { [K in N]?: Tensor };
}

/** The state before each step: the first one, then those after the steps before. */
function before(states: Tensor, first: Tensor, reverse: boolean): Tensor {
  const head = first.unsqueeze(0);
  const others = (states.shape[0] as number) - 1;
  if (others === 0) return head;
  return reverse ? states.narrow(0, 1, others).concat([head], 0) : head.concat([states.narrow(0, 0, others)], 0);
}

const rows = (xs: Tensor): Tensor => xs.reshape([-1, xs.shape.at(-1) as number]);

/** sum over all steps and images of xᵀ g: [T, N, A] and [T, N, B] -> [A, B] */
const summed = (x: Tensor, g: Tensor): Tensor => rows(x).transpose().matmul(rows(g));

/** The gradients of W_ih and W_hh, in one product: it goes over the gates' cotangents, the largest array here, once. */
function weightGradients(x: Tensor, previous: Tensor, gates: Tensor): [Tensor, Tensor] {
  const inputs = x.shape[2] as number;
  const both = summed(x.concat([previous], -1), gates);
  return [
    both.narrow(0, 0, inputs).transpose(),
    both.narrow(0, inputs, (both.shape[0] as number) - inputs).transpose(),
  ];
}

/** For all steps at once, since it does not wait for the state. */
const fromInput = (x: Tensor, inputWeight: Tensor): Tensor => x.matmul(inputWeight.transpose());

const zerosFor = (x: Tensor, weight: Tensor): Tensor => x.full(0, [x.shape[1] as number, weight.shape[1] as number]);

/**
 * i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of W_ih x + b_ih + W_hh h + b_hh; c' = f c + i g; h' = o tanh(c').
 * Source: Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins (2000).
 */
export function lstmSteps({ x, inputWeight, weight, biases, state, reverse }: Steps): Ran {
  const count = biases.length;
  const stateOf = ([x, , weight, ...others]: Inputs): readonly [Tensor, Tensor] => {
    const zeros = zerosFor(x, weight);
    return [others[count] ?? zeros, others[count + 1] ?? zeros];
  };
  const run = customVjps(
    (inputs: Inputs) => {
      const [x, inputWeight, weight, ...others] = inputs;
      const [h, c] = stateOf(inputs);
      const across = weight.transpose();
      const bias = biasOf(others, count);
      const [after, each] = scan(
        (carry: { readonly h: Tensor; readonly c: Tensor }, x: Tensor) => {
          const sums = plus(x.add(carry.h.matmul(across)), bias);
          const [zi, zf, zg, zo] = parts(sums, 4) as [Tensor, Tensor, Tensor, Tensor];
          const [i, f, g, o] = [zi.sigmoid(), zf.sigmoid(), zg.tanh(), zo.sigmoid()];
          const next = f.mul(carry.c).add(i.mul(g));
          const out = o.mul(next.tanh());
          return [
            { h: out, c: next },
            { h: out, c: next, i, f, g, o },
          ] as const;
        },
        { h, c },
        fromInput(x, inputWeight),
        { reverse },
      );
      return [each.h, after.h, after.c, each.c, each.i, each.f, each.g, each.o] as const;
    },
    ([gh, gLastH, gLastC, gc, gi, gf, gg, go], [hs, , , cs, is, fs, gates, os], inputs) => {
      const [x, inputWeight, weight] = inputs;
      const [h, c] = stateOf(inputs);
      const zeros = zerosFor(x, weight);
      const [start, z] = scan(
        (carry: { readonly h: Tensor; readonly c: Tensor }, x) => {
          const { c, before, i, f, g, o, cotangents } = x;
          const dh = plus(carry.h, cotangents.h);
          const t = c.tanh();
          const dc = plus(carry.c.add(dh.mul(o).mul(rest(t.square()))), cotangents.c);
          const di = plus(dc.mul(g), cotangents.i).mul(i).mul(rest(i));
          const df = plus(dc.mul(before), cotangents.f).mul(f).mul(rest(f));
          const dg = plus(dc.mul(i), cotangents.g).mul(rest(g.square()));
          const dO = plus(dh.mul(t), cotangents.o).mul(o).mul(rest(o));
          const z = join([di, df, dg, dO]);
          return [{ h: z.matmul(weight), c: dc.mul(f) }, z] as const;
        },
        { h: gLastH ?? zeros, c: gLastC ?? zeros },
        {
          c: cs,
          before: before(cs, c, reverse),
          i: is,
          f: fs,
          g: gates,
          o: os,
          cotangents: present({ h: gh, c: gc, i: gi, f: gf, g: gg, o: go }),
        },
        { reverse: !reverse },
      );
      const dBias = z.sum([0, 1]);
      return [
        z.matmul(inputWeight),
        ...weightGradients(x, before(hs, h, reverse), z),
        ...biases.map(() => dBias),
        ...(state.length > 0 ? [start.h, start.c] : []),
      ];
    },
  );
  const [output, lastH, lastC] = run([x, inputWeight, weight, ...biases, ...state]);
  return { output, h: lastH, c: lastC };
}

/** Where both are only added. */
const biasOf = (others: readonly Tensor[], count: number): Tensor | undefined =>
  others.slice(0, count).reduce<Tensor | undefined>((sum, bias) => plus(bias, sum), undefined);

/**
 * r, z = sigmoid of W_ih x + b_ih + W_hh h + b_hh; n = tanh(W_in x + b_in + r (W_hn h + b_hn)); h' = (1 - z) n + z h.
 * Source: Cho et al. (2014), with the reset gate behind the product, as PyTorch and cuDNN have it.
 */
export function gruSteps({ x, inputWeight, weight, biases, state, reverse }: Steps): Ran {
  const count = biases.length;
  const stateOf = ([x, , weight, ...others]: Inputs): Tensor => others[count] ?? zerosFor(x, weight);
  const run = customVjps(
    (inputs: Inputs) => {
      const [x, inputWeight, weight, ...others] = inputs;
      const across = weight.transpose();
      const [inputBias, bias] = others.slice(0, count);
      const [after, each] = scan(
        (h: Tensor, x: Tensor) => {
          const [xr, xz, xn] = parts(plus(x, inputBias), 3) as [Tensor, Tensor, Tensor];
          const [ar, az, an] = parts(plus(h.matmul(across), bias), 3) as [Tensor, Tensor, Tensor];
          const [r, z] = [xr.add(ar).sigmoid(), xz.add(az).sigmoid()];
          const n = xn.add(r.mul(an)).tanh();
          const out = rest(z).mul(n).add(z.mul(h));
          return [out, { h: out, r, z, n, a: an }] as const;
        },
        stateOf(inputs),
        fromInput(x, inputWeight),
        { reverse },
      );
      return [each.h, after, each.r, each.z, each.n, each.a] as const;
    },
    ([gh, gLast, gr, gz, gn, ga], [hs, , rs, zs, ns, as], inputs) => {
      const [x, inputWeight, weight] = inputs;
      const size = weight.shape[1] as number;
      // Cotangents in the order n, r, z, a: the first three go to the input's side, the last three to the state's.
      const [start, gates] = scan(
        (carry: Tensor, x) => {
          const { before, r, z, n, a, cotangents } = x;
          const dh = plus(carry, cotangents.h);
          const dn = plus(dh.mul(rest(z)), cotangents.n).mul(rest(n.square()));
          const dz = plus(dh.mul(before.sub(n)), cotangents.z)
            .mul(z)
            .mul(rest(z));
          const dr = plus(dn.mul(a), cotangents.r).mul(r).mul(rest(r));
          const gates = join([dn, dr, dz, plus(dn.mul(r), cotangents.a)]);
          return [
            gates
              .narrow(-1, size, 3 * size)
              .matmul(weight)
              .add(dh.mul(z)),
            gates,
          ] as const;
        },
        gLast ?? zerosFor(x, weight),
        {
          before: before(hs, stateOf(inputs), reverse),
          r: rs,
          z: zs,
          n: ns,
          a: as,
          cotangents: present({ h: gh, r: gr, z: gz, n: gn, a: ga }),
        },
        { reverse: !reverse },
      );
      const [own, others] = [gates.narrow(-1, 0, 3 * size), gates.narrow(-1, size, 3 * size)];
      const inOrder = (w: Tensor): Tensor => join([w.narrow(0, size, 2 * size), w.narrow(0, 0, size)], 0);
      const outOfOrder = join([inputWeight.narrow(0, 2 * size, size), inputWeight.narrow(0, 0, 2 * size)], 0);
      const sums = gates.sum([0, 1]);
      return [
        own.matmul(outOfOrder),
        inOrder(summed(x, own).transpose()),
        summed(before(hs, stateOf(inputs), reverse), others).transpose(),
        ...(count > 0 ? [inOrder(sums.narrow(0, 0, 3 * size)), sums.narrow(0, size, 3 * size)] : []),
        ...(state.length > 0 ? [start] : []),
      ];
    },
  );
  const [output, last] = run([x, inputWeight, weight, ...biases, ...state]);
  return { output, h: last };
}

export type Nonlinearity = "tanh" | "relu";

/** h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or its relu. Source: Elman (1990). */
export function rnnSteps({ x, inputWeight, weight, biases, state, reverse }: Steps, nonlinearity: Nonlinearity): Ran {
  const count = biases.length;
  const stateOf = ([x, , weight, ...others]: Inputs): Tensor => others[count] ?? zerosFor(x, weight);
  const run = customVjps(
    (inputs: Inputs) => {
      const [x, inputWeight, weight, ...others] = inputs;
      const across = weight.transpose();
      const bias = biasOf(others, count);
      const [after, each] = scan(
        (h: Tensor, x: Tensor) => {
          const z = plus(x.add(h.matmul(across)), bias);
          const out = nonlinearity === "relu" ? z.relu() : z.tanh();
          return [out, out] as const;
        },
        stateOf(inputs),
        fromInput(x, inputWeight),
        { reverse },
      );
      return [each, after] as const;
    },
    ([gh, gLast], [hs], inputs) => {
      const [x, inputWeight, weight] = inputs;
      const [start, z] = scan(
        (carry: Tensor, { h, cotangents }) => {
          const dh = plus(carry, cotangents.h);
          const dz = nonlinearity === "relu" ? h.greater(0).select(dh, 0) : dh.mul(rest(h.square()));
          return [dz.matmul(weight), dz] as const;
        },
        gLast ?? zerosFor(x, weight),
        { h: hs, cotangents: present({ h: gh }) },
        { reverse: !reverse },
      );
      const dBias = z.sum([0, 1]);
      return [
        z.matmul(inputWeight),
        ...weightGradients(x, before(hs, stateOf(inputs), reverse), z),
        ...biases.map(() => dBias),
        ...(state.length > 0 ? [start] : []),
      ];
    },
  );
  const [output, last] = run([x, inputWeight, weight, ...biases, ...state]);
  return { output, h: last };
}
