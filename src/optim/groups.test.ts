import { describe, expect, test } from "vitest";
import { fedRule } from "../../test/fed-gradients.ts";
import * as optim from "./index.ts";
import * as schedule from "./schedules/index.ts";

const start = { body: [1, 2], bias: [3], head: [4] };
const gradients = { body: [0.5, -1], bias: [2], head: [-0.25] };
const zeros = { body: [0, 0], bias: [0], head: [0] };

/** Steps of exactly the rate at first, and of rate / sqrt(t) where all gradients are as large. */
const unit = (rate: number | schedule.Schedule) => optim.adagrad(rate, { eps: 0 });
const ones = { body: [-1, -1], bias: [-1], head: [-1] };

describe("groups", () => {
  test("no decay for biases in one line, by an option of the rule or by a group", async () => {
    const decayed = { body: [0.95, 1.9], bias: [3], head: [3.8] };
    const rules = [
      optim.adagrad(0.1, { weightDecay: 0.5, decoupled: true, noDecay: "bias" }),
      optim.groups(optim.adagrad(0.1, { weightDecay: 0.5, decoupled: true }), [{ params: "bias", weightDecay: 0 }]),
      optim.groups(optim.adagrad(0.1, { weightDecay: 0.5, decoupled: true, noDecay: "bias" }), [
        { params: "head", rateFactor: 1 },
      ]),
    ];
    for (const rule of rules) {
      const { params } = await (await fedRule(rule, start)).next(zeros);
      for (const [name, values] of Object.entries(decayed))
        for (const [i, value] of values.entries()) expect(params[name]?.[i]).toBeCloseTo(value, 14);
    }
  });

  test("where several groups match, options of all count, the later win and rate factors multiply", async () => {
    const rule = optim.groups(unit(1), [
      { params: "vector", rateFactor: 0.5 },
      { params: "head, bias", rate: 4 },
      { params: "head", rate: 2, rateFactor: 0.5 },
    ]);
    const { params } = await (await fedRule(rule, zeros)).next(ones);
    expect(params).toEqual({ body: [0.5, 0.5], bias: [2], head: [0.5] });
  });

  test("hyperparameters are set by the group's name; those of all by their own", async () => {
    const make = () =>
      fedRule(
        optim.groups(unit(1), [
          { params: "head", name: "top", rate: 2 },
          { params: "bias", rateFactor: 0.5 },
        ]),
        zeros,
      );
    const [own, common] = [await make(), await make()];
    expect([...own.step.hyperNames].sort()).toEqual(["eps", "rate", "top.rate"]);
    own.step.setHyper("top.rate", 8);
    expect((await own.next(ones)).params).toEqual({ body: [1, 1], bias: [0.5], head: [8] });
    common.step.setHyper("rate", 10);
    expect((await common.next(ones)).params).toEqual({ body: [10, 10], bias: [5], head: [2] });
  });

  test("a group's rate follows its own schedule, a factor the rule's", async () => {
    const halving = (rate: number) => schedule.stepDecay(rate, { everySteps: 1, factor: 0.5 });
    const fed = await fedRule(
      optim.groups(unit(halving(1)), [
        { params: "head", rate: halving(4) },
        { params: "bias", rateFactor: 10 },
      ]),
      zeros,
    );
    const first = (await fed.next(ones)).params;
    const second = (await fed.next(ones)).params;
    for (const [name, rate] of Object.entries({ body: 1, bias: 10, head: 4 })) {
      expect(first[name]?.[0]).toBe(rate);
      expect(second[name]?.[0]).toBeCloseTo(rate + rate / 2 / Math.SQRT2, 14);
    }
  });

  test("freezing and unfreezing leaves the frozen parameters and their state bit-equal, others alone, and compiles once", async () => {
    const make = (freeze: boolean) =>
      fedRule(optim.groups(optim.adam(0.1), freeze ? [{ params: "head", freeze: false }] : []), start);
    const [fed, plain, other] = [await make(true), await make(false), await make(false)];
    const compiled = fed.compiled;
    await fed.next(gradients);
    await plain.next(gradients);
    await other.next(gradients);
    const before = await fed.memory();
    fed.step.setHyper("head.freeze", 1);
    let frozen = await fed.next(gradients);
    frozen = await fed.next({ ...gradients, head: [Number.NaN] });
    await plain.next(gradients);
    const unfrozen = await plain.next(gradients);
    expect(frozen.params.head).toEqual((await fed.next(gradients)).params.head);
    const after = await fed.memory();
    const ofHead = (memory: Record<string, number[]>) =>
      Object.fromEntries(Object.entries(memory).filter(([path]) => path.startsWith("head.")));
    expect(ofHead(after)).toEqual(ofHead(before));
    expect(Object.keys(ofHead(before)).sort()).toEqual(["head.completed", "head.inner.m.head", "head.inner.v.head"]);
    expect([frozen.params.body, frozen.params.bias]).toEqual([unfrozen.params.body, unfrozen.params.bias]);

    // Thawed, the head goes on as a run that was never frozen does at its second update, bias corrections included.
    fed.step.setHyper("head.freeze", null);
    const thawed = await fed.next(gradients);
    expect(thawed.params.head).toEqual((await other.next(gradients)).params.head);
    expect(fed.compiled).toBe(compiled);
  });

  test("a schedule thaws: frozen while it is above 0", async () => {
    const until = schedule.warmup(0, { from: 1, steps: 2 });
    const fed = await fedRule(optim.groups(optim.sgd(1), [{ params: "head", freeze: until }]), zeros);
    const heads = [];
    for (let i = 0; i < 4; i++) heads.push((await fed.next({ ...zeros, head: [-1] })).params.head?.[0]);
    expect(heads).toEqual([0, 0, 1, 2]);
  });

  test("the memory's paths do not depend on the order of the groups", async () => {
    const a = { params: "head", rate: 0.2 };
    const b = { params: "bias", rate: 0.3 };
    const memory = async (list: optim.Group[]) => {
      const fed = await fedRule(optim.groups(optim.adagrad(0.1), list), start);
      await fed.next(gradients);
      return fed.memory();
    };
    expect(await memory([a, b])).toEqual(await memory([b, a]));
    expect(Object.keys(await memory([a, b])).sort()).toEqual(["bias.c.bias", "head.c.head", "others.c.body"]);
  });

  const rule = optim.adagrad(0.1);
  const refused: readonly (readonly [why: string, make: () => unknown, message: string])[] = [
    [
      "an option that the rule does not have",
      () => optim.groups(rule, [{ params: "head", beta1: 0.5 }]),
      'adagrad: got an option "beta1"; expected',
    ],
    [
      "a value out of range",
      () => optim.groups(rule, [{ params: "head", rate: -1 }]),
      "adagrad: got rate = -1; expected a number at least 0, or a schedule.",
    ],
    [
      "a negative factor",
      () => optim.groups(rule, [{ params: "head", rateFactor: -1 }]),
      "groups: got rateFactor = -1; expected a number at least 0.",
    ],
    [
      "a freeze that is no flag, number or schedule",
      () => optim.groups(rule, [{ params: "head", freeze: "yes" as unknown as boolean }]),
      'groups: got freeze = "yes"; expected true or false.',
    ],
    [
      "a group without a pattern",
      () => optim.groups(rule, [{ rate: 1 } as unknown as optim.Group]),
      'groups: got {"rate":1}; expected { params: a pattern, ... }.',
    ],
    [
      "an option for a chain",
      () => optim.groups(optim.chain(rule), [{ params: "head", rate: 1 }]),
      "groups: got chain, whose options cannot differ by group; expected an update rule. Hint: put groups inside it",
    ],
  ];
  test.each(refused)("refuses %s", (_, make, message) => {
    expect(make).toThrow(message);
  });

  test("a pattern that matches nothing is refused with the parameters there are", async () => {
    await expect(fedRule(optim.groups(rule, [{ params: "tail", rate: 1 }]), start)).rejects.toThrow(
      'groups: got "tail", which no parameter matches; expected one of body, bias, head, a pattern such as',
    );
    await expect(fedRule(optim.adagrad(0.1, { weightDecay: 1, noDecay: "tail" }), start)).rejects.toThrow(
      'adagrad.noDecay: got "tail", which no parameter matches; expected one of body, bias, head',
    );
  });

  test("comes back from its config", () => {
    const made = optim.groups(optim.adamw(schedule.cosine(0.1), { noDecay: "bias" }), [
      { params: "head", rate: schedule.constant(2), freeze: schedule.warmup(0, { from: 1, epochs: 1 }) },
      { params: "body", name: "trunk", rateFactor: 0.1, weightDecay: 0 },
    ]);
    expect(optim.fromConfig(JSON.parse(JSON.stringify(made.config))).config).toEqual(made.config);
  });
});

describe("partition and masked", () => {
  test("each parameter belongs to the first part that matches it, and norms are the part's own", async () => {
    const rule = optim.partition([
      { params: "head", transform: optim.chain(optim.clipByGlobalNorm(1), optim.sgd(1)) },
      { params: "vector", name: "rest", transform: optim.sgd(0.5) },
    ]);
    const fed = await fedRule(rule, zeros);
    const { params } = await fed.next({ body: [-8, -8], bias: [-8], head: [-4] });
    expect(params).toEqual({ body: [4, 4], bias: [4], head: [1] });
  });

  test("masked leaves the others' updates as they come", async () => {
    const fed = await fedRule(
      optim.chain(optim.masked(optim.clipByValue(1), { params: "!head" }), optim.sgd(1)),
      zeros,
    );
    const { params } = await fed.next({ body: [-8, 8], bias: [-8], head: [-8] });
    expect(params).toEqual({ body: [1, -1], bias: [1], head: [8] });
  });

  test.each([
    [
      "a part that matches nothing",
      [{ params: "tail", transform: optim.sgd(1) }, { transform: optim.sgd(1) }],
      'partition: got "tail"',
    ],
    [
      "parameters of no part",
      [{ params: "head", transform: optim.sgd(1) }],
      "partition: got no part for body, bias; expected",
    ],
  ])("%s is refused", async (_, parts, message) => {
    await expect(fedRule(optim.partition(parts), start)).rejects.toThrow(message);
  });

  test.each([
    [
      "two parts of one name",
      [{ transform: optim.sgd(1) }, { transform: optim.sgd(1) }],
      'partition: got two parts "others"',
    ],
    [
      "a part that is no transform",
      [{ transform: 1 as unknown as optim.Transform }],
      "partition: got 1; expected a transform",
    ],
    ["no parts", [], "partition: got no parts"],
  ])("%s are refused", (_, parts, message) => {
    expect(() => optim.partition(parts)).toThrow(message);
  });
});
