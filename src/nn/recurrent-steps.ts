import type { Tensor } from "../ops/tensor.ts";
import { scan } from "../trace/control.ts";
import { customVjps } from "../trace/grad.ts";

/** One layer in one direction over all steps: what the input gives to the gates, time first, and the rest of its parameters. */
export type Steps = {
  /** x W_ihᵀ and the biases that are only added: f32[T, N, gates H]. */
  readonly input: Tensor;
  /** W_hh, f32[gates H, H]. */
  readonly weight: Tensor;
  /** GRU only: b_hh, f32[3 H]. */
  readonly bias: Tensor | undefined;
  /** First state, f32[N, H] each; zeros where there is none. */
  readonly h: Tensor | undefined;
  readonly c: Tensor | undefined;
  /** From the last step to the first. */
  readonly reverse: boolean;
};

/** The outputs of all steps, f32[T, N, H], and the state after them, f32[N, H]. */
export type Ran = { readonly output: Tensor; readonly h: Tensor; readonly c?: Tensor };

/**
 * The rules below run a scan against the forward one that carries the state's cotangents alone and hands out those of the
 * gates; W_hh's gradient is then one product over all steps. The derivative of `scan` would add up a product for each step in
 * its carry, and compute the gates again.
 */

const parts = (x: Tensor, count: number): Tensor[] => {
  const size = (x.shape.at(-1) as number) / count;
  return Array.from({ length: count }, (_, i) => x.narrow(-1, i * size, size));
};

const join = (xs: readonly [Tensor, ...Tensor[]]): Tensor => xs[0].concat(xs.slice(1), -1);

const plus = (a: Tensor, b: Tensor | null | undefined): Tensor => (b ? a.add(b) : a);

/** 1 - x */
const rest = (x: Tensor): Tensor => x.rsub(1);

/** What of a record is there. */
function present<N extends string>(tensors: { readonly [K in N]: Tensor | null }): { readonly [K in N]?: Tensor } {
  return Object.fromEntries(Object.entries(tensors).filter(([, t]) => t !== null)) as { [K in N]?: Tensor };
}

/** All steps but the one that runs last, and the one that runs first. */
const butLast = (xs: Tensor, reverse: boolean): Tensor => xs.narrow(0, reverse ? 1 : 0, (xs.shape[0] as number) - 1);
const butFirst = (xs: Tensor, reverse: boolean): Tensor => xs.narrow(0, reverse ? 0 : 1, (xs.shape[0] as number) - 1);
const firstOf = (xs: Tensor, reverse: boolean): Tensor =>
  xs.narrow(0, reverse ? (xs.shape[0] as number) - 1 : 0, 1).squeeze(0);

/** The state before each step: the first one, then those after the steps before. */
function before(states: Tensor, first: Tensor, reverse: boolean): Tensor {
  const head = first.unsqueeze(0);
  if (states.shape[0] === 1) return head;
  const others = butLast(states, reverse);
  return reverse ? others.concat([head], 0) : head.concat([others], 0);
}

/** sum over t of gates_tᵀ h_{t-1}. */
function weightGradient(gates: Tensor, states: Tensor, first: Tensor | undefined, reverse: boolean): Tensor {
  const product = (g: Tensor, h: Tensor): Tensor => g.transpose().matmul(h);
  const rows = (xs: Tensor): Tensor => xs.reshape([-1, xs.shape.at(-1) as number]);
  const own = first && product(firstOf(gates, reverse), first);
  if (states.shape[0] === 1) return own ?? gates.full(0, [gates.shape.at(-1) as number, states.shape.at(-1) as number]);
  return plus(product(rows(butFirst(gates, reverse)), rows(butLast(states, reverse))), own);
}

const stateOf = (input: Tensor, weight: Tensor, given: Tensor | undefined): Tensor =>
  given ?? input.full(0, [input.shape[1] as number, weight.shape[1] as number]);

/**
 * i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of input + h W_hhᵀ; c' = f c + i g; h' = o tanh(c').
 * Source: Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins (2000).
 */
export function lstmSteps({ input, weight, h, c, reverse }: Steps): Ran {
  const run = customVjps(
    ([input, weight, h, c]: readonly [Tensor, Tensor, ...Tensor[]]) => {
      const across = weight.transpose();
      const [after, each] = scan(
        (carry: { readonly h: Tensor; readonly c: Tensor }, x: Tensor) => {
          const [zi, zf, zg, zo] = parts(x.add(carry.h.matmul(across)), 4) as [Tensor, Tensor, Tensor, Tensor];
          const [i, f, g, o] = [zi.sigmoid(), zf.sigmoid(), zg.tanh(), zo.sigmoid()];
          const next = f.mul(carry.c).add(i.mul(g));
          const out = o.mul(next.tanh());
          return [
            { h: out, c: next },
            { h: out, c: next, i, f, g, o },
          ] as const;
        },
        { h: stateOf(input, weight, h), c: stateOf(input, weight, c) },
        input,
        { reverse },
      );
      return [each.h, after.h, after.c, each.c, each.i, each.f, each.g, each.o] as const;
    },
    ([gh, gLastH, gLastC, gc, gi, gf, gg, go], [hs, , , cs, is, fs, gates, os], [input, weight, h, c]) => {
      const [first, zeros] = [stateOf(input, weight, c), stateOf(input, weight, undefined)];
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
          before: before(cs, first, reverse),
          i: is,
          f: fs,
          g: gates,
          o: os,
          cotangents: present({ h: gh, c: gc, i: gi, f: gf, g: gg, o: go }),
        },
        { reverse: !reverse },
      );
      return [z, weightGradient(z, hs, h, reverse), ...(h ? [start.h, start.c] : [])];
    },
  );
  const [output, lastH, lastC] = run(h && c ? [input, weight, h, c] : [input, weight]);
  return { output, h: lastH, c: lastC };
}

/**
 * r, z = sigmoid of input + h W_hhᵀ + b_hh; n = tanh(input + r (h W_hnᵀ + b_hn)); h' = (1 - z) n + z h.
 * Source: Cho et al. (2014), with the reset gate behind the product, as PyTorch and cuDNN have it.
 */
export function gruSteps({ input, weight, bias, h, reverse }: Steps): Ran {
  const [hasBias, hasState] = [bias !== undefined, h !== undefined];
  const split = (rest: readonly Tensor[]) => ({
    bias: hasBias ? rest[0] : undefined,
    h: hasState ? rest[hasBias ? 1 : 0] : undefined,
  });
  const run = customVjps(
    ([input, weight, ...rest0]: readonly [Tensor, Tensor, ...Tensor[]]) => {
      const { bias, h } = split(rest0);
      const across = weight.transpose();
      const [after, each] = scan(
        (h: Tensor, x: Tensor) => {
          const [xr, xz, xn] = parts(x, 3) as [Tensor, Tensor, Tensor];
          const [ar, az, an] = parts(plus(h.matmul(across), bias), 3) as [Tensor, Tensor, Tensor];
          const [r, z] = [xr.add(ar).sigmoid(), xz.add(az).sigmoid()];
          const n = xn.add(r.mul(an)).tanh();
          const out = rest(z).mul(n).add(z.mul(h));
          return [out, { h: out, r, z, n, a: an }] as const;
        },
        stateOf(input, weight, h),
        input,
        { reverse },
      );
      return [each.h, after, each.r, each.z, each.n, each.a] as const;
    },
    ([gh, gLast, gr, gz, gn, ga], [hs, , rs, zs, ns, as], [input, weight, ...rest0]) => {
      const { h } = split(rest0);
      const [start, { x, a }] = scan(
        (carry: Tensor, x) => {
          const { before, r, z, n, a, cotangents } = x;
          const dh = plus(carry, cotangents.h);
          const dn = plus(dh.mul(rest(z)), cotangents.n).mul(rest(n.square()));
          const dz = plus(dh.mul(before.sub(n)), cotangents.z)
            .mul(z)
            .mul(rest(z));
          const dr = plus(dn.mul(a), cotangents.r).mul(r).mul(rest(r));
          const da = join([dr, dz, plus(dn.mul(r), cotangents.a)]);
          return [da.matmul(weight).add(dh.mul(z)), { x: join([dr, dz, dn]), a: da }] as const;
        },
        gLast ?? stateOf(input, weight, undefined),
        {
          before: before(hs, stateOf(input, weight, h), reverse),
          r: rs,
          z: zs,
          n: ns,
          a: as,
          cotangents: present({ h: gh, r: gr, z: gz, n: gn, a: ga }),
        },
        { reverse: !reverse },
      );
      const grads = [x, weightGradient(a, hs, h, reverse)];
      if (hasBias) grads.push(a.sum([0, 1]));
      return h ? [...grads, start] : grads;
    },
  );
  const [output, last] = run([input, weight, ...(bias ? [bias] : []), ...(h ? [h] : [])]);
  return { output, h: last };
}

export type Nonlinearity = "tanh" | "relu";

/** h' = tanh(input + h W_hhᵀ), or its relu. Source: Elman (1990). */
export function rnnSteps({ input, weight, h, reverse }: Steps, nonlinearity: Nonlinearity): Ran {
  const run = customVjps(
    ([input, weight, h]: readonly [Tensor, Tensor, ...Tensor[]]) => {
      const across = weight.transpose();
      const [after, each] = scan(
        (h: Tensor, x: Tensor) => {
          const z = x.add(h.matmul(across));
          const out = nonlinearity === "relu" ? z.relu() : z.tanh();
          return [out, out] as const;
        },
        stateOf(input, weight, h),
        input,
        { reverse },
      );
      return [each, after] as const;
    },
    ([gh, gLast], [hs], [input, weight, h]) => {
      const [start, z] = scan(
        (carry: Tensor, { h, cotangents }) => {
          const dh = plus(carry, cotangents.h);
          const dz = nonlinearity === "relu" ? h.greater(0).select(dh, 0) : dh.mul(rest(h.square()));
          return [dz.matmul(weight), dz] as const;
        },
        gLast ?? stateOf(input, weight, undefined),
        { h: hs, cotangents: present({ h: gh }) },
        { reverse: !reverse },
      );
      return [z, weightGradient(z, hs, h, reverse), ...(h ? [start] : [])];
    },
  );
  const [output, last] = run(h ? [input, weight, h] : [input, weight]);
  return { output, h: last };
}
