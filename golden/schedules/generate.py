"""Writes schedules.json (rates at and around each schedule's boundaries) and plateau.json and greedy.json (rates after each report).

What torch, optax and Keras have is asked of them. Hugging Face's and fastai's formulas, and Noam's, stand here in NumPy.
"""

import json
import os
import pathlib
import re
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax

jax.config.update("jax_enable_x64", True)

import keras
import numpy as np
import optax
import torch

keras.config.set_floatx("float64")
warnings.filterwarnings("ignore")  # PyTorch's SequentialLR warns about its own way of stepping.

here = pathlib.Path(__file__).parent
VERSIONS = {
    "numpy": np.__version__,
    "torch": torch.__version__.split("+")[0],
    "keras": keras.__version__,
    "optax": optax.__version__,
}
lr_scheduler = torch.optim.lr_scheduler


def torch_rates(make, rate, count):
    """The rate before each of `count` calls of scheduler.step()."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


# Keras takes cosines in single precision, whatever the type asked for; near the end that is 2e-6 of the rate.
KERAS_COSINE = 2e-6


def row(name, config, run, steps, rate_at, oracle, tolerance=None):
    return {
        "name": name,
        "config": config,
        "run": run,
        "oracle": oracle,
        **({"tolerance": tolerance} if tolerance else {}),
        "points": [[step, float(f"{float(rate_at(step)):.14g}")] for step in steps],
    }


def around(*boundaries):
    return sorted({s for b in boundaries for s in (b - 1, b, b + 1) if s >= 0})


def schedules():
    epoch = 7
    run = {"stepsPerEpoch": epoch, "totalSteps": 140}

    def by_epoch(rates):
        return lambda step: rates[step // epoch]

    def by_step(rates):
        return lambda step: rates[step]

    yield row("constant", {"kind": "constant", "rate": 0.3}, run, [0, 1, 139], lambda s: 0.3, "closed form")

    halving = torch_rates(lambda o: lr_scheduler.StepLR(o, 5, 0.5), 0.05, 21)
    yield row(
        "step decay, the lecture's half every 5 epochs",
        {"kind": "stepDecay", "rate": 0.05, "everyEpochs": 5, "factor": 0.5},
        run, around(0, 7, 35, 70, 105), by_epoch(halving), "torch.optim.lr_scheduler.StepLR, once an epoch",
    )
    by_steps = torch_rates(lambda o: lr_scheduler.StepLR(o, 13, 0.1), 0.05, 60)
    yield row(
        "step decay, a tenth every 13 steps",
        {"kind": "stepDecay", "rate": 0.05, "everySteps": 13, "factor": 0.1},
        {}, around(0, 13, 26, 39), by_step(by_steps), "torch.optim.lr_scheduler.StepLR, once a step",
    )

    k = 0.05
    exponential = keras.optimizers.schedules.ExponentialDecay(0.1, epoch, float(np.exp(-k)))
    yield row(
        "exponential decay, epochs, continuous",
        {"kind": "exponentialDecay", "rate": 0.1, "decay": k},
        run, around(0, 7, 70, 139), lambda s: exponential(np.float64(s)), "keras.optimizers.schedules.ExponentialDecay",
    )
    staircase = torch_rates(lambda o: lr_scheduler.ExponentialLR(o, float(np.exp(-k))), 0.1, 21)
    yield row(
        "exponential decay, epochs, staircase",
        {"kind": "exponentialDecay", "rate": 0.1, "decay": k, "staircase": True},
        run, around(0, 7, 70, 140), by_epoch(staircase), "torch.optim.lr_scheduler.ExponentialLR, once an epoch",
    )
    per_step = torch_rates(lambda o: lr_scheduler.ExponentialLR(o, float(np.exp(-0.01))), 0.1, 60)
    yield row(
        "exponential decay, steps",
        {"kind": "exponentialDecay", "rate": 0.1, "decay": 0.01, "per": "step"},
        {}, [0, 1, 2, 30, 59], by_step(per_step), "torch.optim.lr_scheduler.ExponentialLR, once a step",
    )

    inverse = keras.optimizers.schedules.InverseTimeDecay(0.1, epoch, 0.5)
    yield row(
        "1/t decay, epochs, continuous",
        {"kind": "inverseTimeDecay", "rate": 0.1, "decay": 0.5},
        run, around(0, 7, 70, 139), lambda s: inverse(np.float64(s)), "keras.optimizers.schedules.InverseTimeDecay",
    )
    stairs = keras.optimizers.schedules.InverseTimeDecay(0.1, epoch, 0.5, staircase=True)
    yield row(
        "1/t decay, epochs, staircase",
        {"kind": "inverseTimeDecay", "rate": 0.1, "decay": 0.5, "staircase": True},
        run, around(0, 7, 70, 140), lambda s: stairs(np.float64(s)), "keras.optimizers.schedules.InverseTimeDecay",
    )
    lambdas = torch_rates(lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.01 * t)), 0.1, 60)
    yield row(
        "1/t decay, steps",
        {"kind": "inverseTimeDecay", "rate": 0.1, "decay": 0.01, "per": "step"},
        {}, [0, 1, 2, 30, 59], by_step(lambdas), "torch.optim.lr_scheduler.LambdaLR, once a step",
    )

    annealing = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 140, 0.001), 0.1, 141)
    yield row(
        "cosine over the run",
        {"kind": "cosine", "rate": 0.1, "end": 0.001},
        run, around(0, 35, 70, 139), by_step(annealing), "torch.optim.lr_scheduler.CosineAnnealingLR, once a step",
    )
    clamped = optax.cosine_decay_schedule(0.1, 42, alpha=0.02)
    yield row(
        "cosine over 6 epochs, then the end",
        {"kind": "cosine", "rate": 0.1, "end": 0.002, "epochs": 6},
        run, around(0, 21, 42, 100), clamped, "optax.cosine_decay_schedule",
    )

    linear = torch_rates(lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 14), 0.1, 30)
    yield row(
        "warm-up from a quarter over 10 %",
        {"kind": "warmup", "rate": 0.1, "from": 0.025, "fraction": 0.1},
        run, around(0, 7, 14, 28), by_step(linear), "torch.optim.lr_scheduler.LinearLR, once a step",
    )
    from_zero = optax.linear_schedule(0.0, 0.1, 20)
    yield row(
        "warm-up from 0 over 20 steps",
        {"kind": "warmup", "rate": 0.1, "steps": 20},
        {}, around(0, 10, 20, 40), from_zero, "optax.linear_schedule",
    )

    warm_cosine = optax.warmup_cosine_decay_schedule(0.0, 0.1, 14, 140, 0.0)
    yield row(
        "warm-up, then cosine",
        {"kind": "join", "stages": [
            {"schedule": {"kind": "warmup", "rate": 0.1}, "fraction": 0.1},
            {"schedule": {"kind": "cosine", "rate": 0.1}},
        ]},
        run, around(0, 7, 14, 77, 139), warm_cosine, "optax.warmup_cosine_decay_schedule",
    )
    joined = optax.join_schedules(
        [
            optax.constant_schedule(0.02),
            optax.exponential_decay(0.1, 7, float(np.exp(-0.3))),
            lambda t: 0.1 * 0.5 ** (t // 10),
        ],
        [14, 50],
    )
    yield row(
        "three stages",
        {"kind": "join", "stages": [
            {"schedule": {"kind": "constant", "rate": 0.02}, "epochs": 2},
            {"schedule": {"kind": "exponentialDecay", "rate": 0.1, "decay": 0.3}, "steps": 36},
            {"schedule": {"kind": "stepDecay", "rate": 0.1, "everySteps": 10, "factor": 0.5}},
        ]},
        run, around(0, 14, 21, 50, 60, 70), joined, "optax.join_schedules",
    )


    yield from more_schedules()


def torch_values(make, count, rate=0.1, key="lr"):
    """The rate or momentum before each of `count` calls of scheduler.step(), with a momentum to move."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate, momentum=0.9)
    scheduler = make(optimizer)
    values = []
    for i in range(count):
        values.append(optimizer.param_groups[0][key])
        optimizer.step()
        if i + 1 < count:
            scheduler.step()
    return values


def warm(t, warmup, after):
    """Hugging Face's linear warm-up, and then `after`."""
    return t / max(1, warmup) if t < warmup else after(t)


def huggingface_cosine(t, warmup, total, cycles=0.5, least=0.0):
    def after(t):
        wave = 0.5 * (1 + np.cos(np.pi * cycles * 2 * (t - warmup) / max(1, total - warmup)))
        return max(0.0, wave * (1 - least) + least)

    return warm(t, warmup, after)


def huggingface_hard_restarts(t, warmup, total, cycles):
    def after(t):
        progress = (t - warmup) / max(1, total - warmup)
        return 0.0 if progress >= 1 else max(0.0, 0.5 * (1 + np.cos(np.pi * ((cycles * progress) % 1))))

    return warm(t, warmup, after)


def huggingface_polynomial(t, warmup, total, rate, end, power):
    def after(t):
        if t > total:
            return end / rate
        return ((rate - end) * (1 - (t - warmup) / (total - warmup)) ** power + end) / rate

    return warm(t, warmup, after)


def huggingface_inverse_sqrt(t, warmup, timescale=None):
    scale = timescale or warmup or 10_000
    return warm(t, warmup, lambda t: 1 / np.sqrt((t + scale - warmup) / scale))


def huggingface_wsd(t, warmup, stable, decay, rising, falling, least):
    if t < warmup:
        p = t / warmup
        w = {"linear": p, "cosine": 0.5 * (1 - np.cos(np.pi * p)), "1-sqrt": 1 - np.sqrt(1 - p)}[rising]
        return w * (1 - least) + least
    if t < warmup + stable:
        return 1.0
    if t < warmup + stable + decay:
        p = (t - warmup - stable) / decay
        w = {"linear": 1 - p, "cosine": 0.5 * (1 + np.cos(np.pi * p)), "1-sqrt": 1 - np.sqrt(p)}[falling]
        return w * (1 - least) + least
    return least


def fastai_cosine(start, end, p):
    return start + (1 + np.cos(np.pi * (1 - p))) * (end - start) / 2


def fastai_combined(parts, pieces):
    """combine_scheds: piece i from the sum of the parts before it."""
    starts = np.cumsum([0, *parts])

    def at(p):
        i = min(int(np.nonzero(p >= starts)[0].max()), len(pieces) - 1)
        return pieces[i]((p - starts[i]) / (starts[i + 1] - starts[i]))

    return at


def fastai_one_cycle(start, peak, end, up=0.25):
    return fastai_combined([up, 1 - up], [lambda p: fastai_cosine(start, peak, p), lambda p: fastai_cosine(peak, end, p)])


def more_schedules():
    epoch = 7
    run = {"stepsPerEpoch": epoch, "totalSteps": 140}
    torch_lr, keras_lr = "torch.optim.lr_scheduler.", "keras.optimizers.schedules."
    hf = "the formula of transformers.optimization."

    def by_step(values):
        return lambda step: values[step]

    def spans(unit, *values):
        return [{unit: value} for value in values]

    # linear, polynomial
    yield row(
        "linear to an end", {"kind": "linear", "rate": 0.1, "end": 0.01, "steps": 40},
        {}, around(0, 20, 40), optax.linear_schedule(0.1, 0.01, 40), "optax.linear_schedule",
    )
    yield row(
        "a momentum that grows on a line", {"kind": "linear", "rate": 0.5, "end": 0.99},
        run, around(0, 70, 139), optax.linear_schedule(0.5, 0.99, 140), "optax.linear_schedule",
    )
    yield row(
        "warm-up, then linear", {"kind": "join", "stages": [
            {"schedule": {"kind": "warmup", "rate": 0.1}, "fraction": 0.1}, {"schedule": {"kind": "linear", "rate": 0.1}},
        ]},
        run, around(0, 14, 77, 139, 145),
        lambda t: 0.1 * warm(t, 14, lambda t: max(0.0, (140 - t) / 126)), hf + "get_linear_schedule_with_warmup",
    )
    yield row(
        "polynomial, by steps", {"kind": "polynomial", "rate": 0.1, "power": 2.5, "steps": 50},
        {}, around(0, 25, 50, 60), by_step(torch_values(lambda o: lr_scheduler.PolynomialLR(o, 50, 2.5), 62)),
        torch_lr + "PolynomialLR, once a step",
    )
    yield row(
        "polynomial to an end", {"kind": "polynomial", "rate": 0.1, "power": 0.5, "end": 0.003, "epochs": 5},
        run, around(0, 17, 35, 90), optax.polynomial_schedule(0.1, 0.003, 0.5, 35), "optax.polynomial_schedule",
    )
    for cycle in (False, True):
        decay = keras.optimizers.schedules.PolynomialDecay(0.1, 40, 1e-4, 2.0, cycle)
        yield row(
            f"polynomial, {'again and again' if cycle else 'once'}",
            {"kind": "polynomial", "rate": 0.1, "power": 2, "end": 1e-4, "steps": 40, "cycle": cycle},
            {}, around(0, 40, 80, 120), lambda t, decay=decay: decay(np.float64(t)), keras_lr + "PolynomialDecay",
        )
    yield row(
        "warm-up, then polynomial", {"kind": "join", "stages": [
            {"schedule": {"kind": "warmup", "rate": 0.1}, "steps": 20},
            {"schedule": {"kind": "polynomial", "rate": 0.1, "power": 2, "end": 1e-7}},
        ]},
        run, around(0, 20, 80, 140), lambda t: 0.1 * huggingface_polynomial(t, 20, 140, 0.1, 1e-7, 2),
        hf + "get_polynomial_decay_schedule_with_warmup",
    )

    # geometric
    for staircase in (False, True):
        shown = "staircase" if staircase else "continuous"
        yield row(
            f"geometric, {shown}, late and bounded",
            {"kind": "geometricDecay", "rate": 0.1, "factor": 0.6, "steps": 12, "begin": {"steps": 9},
             "staircase": staircase, "end": 0.02},
            {}, around(0, 9, 21, 33, 45, 60), optax.exponential_decay(0.1, 12, 0.6, 9, staircase, 0.02), "optax.exponential_decay",
        )
        decay = keras.optimizers.schedules.ExponentialDecay(0.1, 14, 0.9, staircase)
        yield row(
            f"geometric, {shown}, by epochs",
            {"kind": "geometricDecay", "rate": 0.1, "factor": 0.9, "epochs": 2, "staircase": staircase},
            run, around(0, 14, 28, 100), lambda t, decay=decay: decay(np.float64(t)), keras_lr + "ExponentialDecay",
        )
    yield row(
        "geometric, growing to a bound",
        {"kind": "geometricDecay", "rate": 0.01, "factor": 2, "steps": 10, "end": 0.05},
        {}, around(0, 10, 23, 24, 40), optax.exponential_decay(0.01, 10, 2.0, end_value=0.05), "optax.exponential_decay",
    )

    # piecewise
    milestones = torch_values(lambda o: lr_scheduler.MultiStepLR(o, [3, 8, 15], 0.3), 21)
    yield row(
        "piecewise constant, by epochs",
        {"kind": "multiStep", "rate": 0.1, "at": spans("epochs", 3, 8, 15), "factor": 0.3},
        run, around(0, 21, 56, 105), lambda t: milestones[t // epoch], torch_lr + "MultiStepLR, once an epoch",
    )
    yield row(
        "piecewise constant, a factor for each", {"kind": "multiStep", "rate": 0.1, "at": spans("steps", 30, 60), "factor": [0.5, 3]},
        {}, around(0, 30, 60), optax.piecewise_constant_schedule(0.1, {30: 0.5, 60: 3.0}), "optax.piecewise_constant_schedule",
    )
    keras_pieces = keras.optimizers.schedules.PiecewiseConstantDecay([30, 60], [0.1, 0.05, 0.2])
    yield row(
        "piecewise constant, values, like keras",
        {"kind": "multiStep", "rate": 0.1, "at": spans("steps", 30, 60), "values": [0.05, 0.2], "like": "keras"},
        {}, around(0, 30, 60), lambda t: keras_pieces(np.float64(t)), keras_lr + "PiecewiseConstantDecay",
    )
    for shape in ("linear", "cosine"):
        yield row(
            f"piecewise, {shape} between",
            {"kind": "interpolate", "rate": 0.1, "at": spans("fraction", 0.25, 0.5, 1), "factor": [3, 0.1, 0.5], "shape": shape},
            run, around(0, 35, 70, 100, 140),
            optax.piecewise_interpolate_schedule(shape, 0.1, {35: 3.0, 70: 0.1, 140: 0.5}), "optax.piecewise_interpolate_schedule",
        )

    # cosine
    rising = torch_values(lambda o: lr_scheduler.CosineAnnealingLR(o, 30, 0.004), 95)
    yield row(
        "cosine that rises again", {"kind": "cosine", "rate": 0.1, "end": 0.004, "steps": 30, "like": "pytorch"},
        {}, around(0, 30, 45, 60, 90), by_step(rising), torch_lr + "CosineAnnealingLR, once a step",
    )
    yield row(
        "cosine with a power and a share",
        {"kind": "cosine", "rate": 0.1, "alpha": 0.03, "exponent": 1.7, "steps": 30},
        {}, around(0, 15, 30, 45), optax.cosine_decay_schedule(0.1, 30, 0.03, 1.7), "optax.cosine_decay_schedule",
    )
    keras_warm = keras.optimizers.schedules.CosineDecay(0.01, 60, 0.02, warmup_target=0.1, warmup_steps=20)
    yield row(
        "warm-up, then cosine, of Keras", {"kind": "join", "stages": [
            {"schedule": {"kind": "warmup", "rate": 0.1, "from": 0.01}, "steps": 20},
            {"schedule": {"kind": "cosine", "rate": 0.1, "alpha": 0.02, "steps": 60}},
        ]},
        {}, around(0, 20, 50, 80, 90), lambda t: keras_warm(np.float64(t)), keras_lr + "CosineDecay", KERAS_COSINE,
    )
    yield row(
        "waves after a warm-up", {"kind": "join", "stages": [
            {"schedule": {"kind": "warmup", "rate": 0.1}, "steps": 20},
            {"schedule": {"kind": "cosine", "rate": 0.1, "cycles": 1.75, "like": "pytorch"}},
        ]},
        run, around(0, 20, 60, 100, 139, 150), lambda t: 0.1 * huggingface_cosine(t, 20, 140, 1.75),
        hf + "get_cosine_schedule_with_warmup",
    )
    yield row(
        "cosine with a least rate after a warm-up", {"kind": "join", "stages": [
            {"schedule": {"kind": "warmup", "rate": 0.1}, "steps": 20},
            {"schedule": {"kind": "cosine", "rate": 0.1, "alpha": 0.1}},
        ]},
        run, around(0, 20, 80, 139), lambda t: 0.1 * huggingface_cosine(t, 20, 140, least=0.1),
        hf + "get_cosine_with_min_lr_schedule_with_warmup",
    )

    # restarts
    for mult in (1, 2):
        restarts = torch_values(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 20, mult, 0.002), 150)
        yield row(
            f"restarts, by steps, times {mult}",
            {"kind": "cosineRestarts", "rate": 0.1, "steps": 20, "lengthFactor": mult, "end": 0.002},
            {}, around(0, 20, 40, 60, 140), by_step(restarts), torch_lr + "CosineAnnealingWarmRestarts, once a step",
        )
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    fractional = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2, 0.002)

    def at_epoch(step):
        fractional.step(step / epoch)
        return optimizer.param_groups[0]["lr"]

    yield row(
        "restarts, by parts of epochs",
        {"kind": "cosineRestarts", "rate": 0.1, "epochs": 3, "lengthFactor": 2, "end": 0.002},
        run, [0, 1, 10, 20, 21, 22, 31, 62, 63, 64, 100], at_epoch, torch_lr + "CosineAnnealingWarmRestarts.step(epoch + part)",
    )
    for length, peak in ((2.0, 0.7), (1.0, 0.9), (1.5, 1.0)):
        decay = keras.optimizers.schedules.CosineDecayRestarts(0.1, 16, length, peak, 0.05)
        yield row(
            f"restarts, times {length}, peaks times {peak}",
            {"kind": "cosineRestarts", "rate": 0.1, "steps": 16, "lengthFactor": length, "peakFactor": peak, "alpha": 0.05},
            {}, [0, 1, 15, 17, 31, 33, 39, 41, 47, 49, 75, 77, 100],
            lambda t, decay=decay: decay(np.float64(t)), keras_lr + "CosineDecayRestarts", KERAS_COSINE,
        )
    yield row(
        "hard restarts after a warm-up", {"kind": "join", "stages": [
            {"schedule": {"kind": "warmup", "rate": 0.1}, "steps": 20},
            {"schedule": {"kind": "cosineRestarts", "rate": 0.1, "cycles": 3}},
        ]},
        run, around(0, 20, 60, 100, 139, 145), lambda t: 0.1 * huggingface_hard_restarts(t, 20, 140, 3),
        hf + "get_cosine_with_hard_restarts_schedule_with_warmup",
    )
    cycle = {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 4, "decay_steps": 20, "end_value": 0.001}
    yield row(
        "warm-up and cosine, repeated", {"kind": "repeat", "steps": 20, "schedule": {"kind": "join", "stages": [
            {"schedule": {"kind": "warmup", "rate": 0.1}, "steps": 4},
            {"schedule": {"kind": "cosine", "rate": 0.1, "end": 0.001}},
        ]}},
        {}, around(0, 4, 20, 24, 40, 44), optax.sgdr_schedule([cycle] * 3), "optax.sgdr_schedule",
    )

    # cyclic
    for mode, gamma in (("triangular", 1.0), ("triangular2", 1.0), ("exp", 0.99)):
        options = {"step_size_up": 15, "step_size_down": 25, "mode": "exp_range" if mode == "exp" else mode, "gamma": gamma}
        make = lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, **options, base_momentum=0.8, max_momentum=0.9)
        shared = {"steps": 15, "down": {"steps": 25}, "mode": mode, "gamma": gamma}
        for what, key, config in (
            ("rate", "lr", {"kind": "cyclic", "rate": 0.1, "from": 0.01, **shared}),
            ("momentum", "momentum", {"kind": "cyclic", "rate": 0.8, "from": 0.9, **shared}),
        ):
            yield row(
                f"cyclic, {mode}: {what}", config, {}, around(0, 15, 40, 55, 80),
                by_step(torch_values(make, 82, key=key)), torch_lr + "CyclicLR, once a step",
            )
    yield row(
        "cyclic, by epochs", {"kind": "cyclic", "rate": 0.1, "from": 0.01, "epochs": 2},
        run, around(0, 14, 28, 42),
        by_step(torch_values(lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 14), 44)), torch_lr + "CyclicLR, once a step",
    )

    # one cycle
    for anneal, three in (("cos", False), ("linear", False), ("cos", True), ("linear", True)):
        for total, up in ((100, 0.3), (37, 0.4)):
            make = lambda o: lr_scheduler.OneCycleLR(
                o, 0.1, total, pct_start=up, anneal_strategy=anneal, three_phase=three, div_factor=20, final_div_factor=500)
            shape = "cosine" if anneal == "cos" else "linear"
            shared = {"up": up, "shape": shape, "threePhase": three, "steps": total}
            around_peaks = around(0, int(up * total) - 1, int(2 * up * total) - 2, total - 2)
            name = f"one cycle of {total}, {shape}{', three phases' if three else ''}"
            yield row(
                f"{name}: rate", {"kind": "oneCycle", "rate": 0.1, "div": 20, "finalDiv": 500, **shared}, {}, around_peaks,
                by_step(torch_values(make, total)), torch_lr + "OneCycleLR",
            )
            yield row(
                f"{name}: momentum", {"kind": "oneCycle", "rate": 0.85, "from": 0.95, "end": 0.95, **shared}, {}, around_peaks,
                by_step(torch_values(make, total, key="momentum")), torch_lr + "OneCycleLR",
            )
    usual = torch_values(lambda o: lr_scheduler.OneCycleLR(o, 0.1, 140), 140)
    yield row(
        "one cycle, all defaults", {"kind": "oneCycle", "rate": 0.1},
        run, around(0, 41, 90, 138), by_step(usual), torch_lr + "OneCycleLR",
    )
    yield row(
        "one cycle, like optax, cosine", {"kind": "oneCycle", "rate": 0.1, "like": "optax", "steps": 101},
        {}, around(0, 30, 60, 101), optax.cosine_onecycle_schedule(101, 0.1), "optax.cosine_onecycle_schedule",
    )
    yield row(
        "one cycle, like optax, linear",
        {"kind": "oneCycle", "rate": 0.1, "like": "optax", "shape": "linear", "steps": 101, "div": 10, "finalDiv": 50},
        {}, around(0, 30, 85, 101), optax.linear_onecycle_schedule(101, 0.1, div_factor=10, final_div_factor=50),
        "optax.linear_onecycle_schedule",
    )
    for what, config, at in (
        ("rate", {"rate": 0.1}, fastai_one_cycle(0.1 / 25, 0.1, 0.1 / 1e5)),
        ("momentum", {"rate": 0.85, "from": 0.95, "end": 0.95}, fastai_one_cycle(0.95, 0.85, 0.95)),
    ):
        yield row(
            f"one cycle, like fastai: {what}", {"kind": "oneCycle", "like": "fastai", **config},
            run, around(0, 35, 70, 138), lambda t, at=at: at(t / 140), "the formula of fastai.callback.schedule, fit_one_cycle",
        )
    flat = fastai_combined([0.75, 0.25], [lambda p: 0.1, lambda p: fastai_cosine(0.1, 0.1 / 1e5, p)])
    yield row(
        "flat, then cosine", {"kind": "flatCosine", "rate": 0.1},
        run, around(0, 105, 120, 138), lambda t: flat(t / 140), "the formula of fastai.callback.schedule, fit_flat_cos",
    )

    # warm-up shapes, warm-up-stable-decay
    shapes = ("linear", "cosine", "1-sqrt")
    for shape in shapes:
        yield row(
            f"warm-up, {shape}", {"kind": "warmup", "rate": 0.1, "shape": shape, "steps": 20},
            {}, around(0, 10, 20), lambda t: 0.1 * huggingface_wsd(t, 20, 50, 10, shape, "linear", 0), hf + "get_wsd_schedule",
        )
    for rising, falling, least in zip(shapes, ("1-sqrt", "linear", "cosine"), (0, 0.1, 0.02)):
        config = {"kind": "wsd", "rate": 0.1, "warmup": {"fraction": 0.1}, "stable": {"epochs": 8}, "rising": rising,
                  "falling": falling, "alpha": least}
        at = lambda t: 0.1 * huggingface_wsd(t, 14, 56, 70, rising, falling, least)
        yield row(f"warm-up, stable, decay: {rising}, {falling}", config, run, around(0, 14, 70, 139, 150), at, hf + "get_wsd_schedule")
    yield row(
        "warm-up, stable, decay, by the decay",
        {"kind": "wsd", "rate": 0.1, "warmup": {"steps": 10}, "decay": {"steps": 30}},
        run, around(0, 10, 110, 139, 150), lambda t: 0.1 * huggingface_wsd(t, 10, 100, 30, "linear", "cosine", 0),
        hf + "get_wsd_schedule",
    )

    # inverse square root, Noam
    for warmup, timescale in ((20, None), (20, 50), (0, None)):
        config = {"kind": "inverseSqrt", "rate": 0.1}
        if warmup:
            config["warmup"] = {"steps": warmup}
        if timescale:
            config["timescale"] = {"steps": timescale}
        yield row(
            f"inverse square root, warm-up {warmup}, timescale {timescale}", config, {}, around(0, 20, 50, 1000),
            lambda t: 0.1 * huggingface_inverse_sqrt(t, warmup, timescale), hf + "get_inverse_sqrt_schedule",
        )
    yield row(
        "Noam's", {"kind": "noam", "rate": 2, "modelSize": 256, "warmup": {"epochs": 3}},
        run, around(0, 20, 21, 139), lambda t: 2 * 256**-0.5 * min((t + 1) ** -0.5, (t + 1) * 21**-1.5),
        "Vaswani et al., 2017, equation 3, steps from 1",
    )

    # swa, factors, products
    for anneal, shape in (("cos", "cosine"), ("linear", "linear")):
        swa = torch_values(lambda o: torch.optim.swa_utils.SWALR(o, 0.02, 12, anneal), 25)
        yield row(
            f"to the rate of weight averaging, {shape}", {"kind": "swa", "rate": 0.1, "end": 0.02, "steps": 12, "shape": shape},
            {}, around(0, 6, 12, 20), by_step(swa), "torch.optim.swa_utils.SWALR, once a step",
        )
    held = torch_values(lambda o: lr_scheduler.ConstantLR(o), 8)
    yield row(
        "a factor for 5 epochs", {"kind": "constantFactor", "rate": 0.1},
        run, around(0, 7, 35), lambda t: held[t // epoch], torch_lr + "ConstantLR, once an epoch",
    )
    ramp = torch_values(lambda o: lr_scheduler.LinearLR(o, total_iters=9), 14)
    yield row(
        "a factor on a line", {"kind": "linearFactor", "rate": 0.1, "steps": 9},
        {}, around(0, 4, 9, 12), by_step(ramp), torch_lr + "LinearLR, once a step",
    )
    chained = torch_values(lambda o: lr_scheduler.ChainedScheduler([
        lr_scheduler.ConstantLR(o, 0.2, 6), lr_scheduler.ExponentialLR(o, 0.97), lr_scheduler.StepLR(o, 10, 0.5),
    ]), 40)
    yield row(
        "a product of three", {"kind": "multiply", "factors": [
            {"kind": "constantFactor", "rate": 0.1, "factor": 0.2, "steps": 6},
            {"kind": "geometricDecay", "rate": 1, "factor": 0.97, "steps": 1},
            {"kind": "stepDecay", "rate": 1, "everySteps": 10, "factor": 0.5},
        ]},
        {}, around(0, 6, 10, 20, 38), by_step(chained), torch_lr + "ChainedScheduler",
    )
    cyclic_function = lambda t: 0.5 + 0.5 * ((t * 3) % 4)
    for cumulative in (False, True):
        kind = lr_scheduler.MultiplicativeLR if cumulative else lr_scheduler.LambdaLR
        values = torch_values(lambda o: kind(o, cyclic_function), 12)
        yield row(
            f"a function, {'cumulative' if cumulative else 'plain'}",
            {"kind": "lambda", "rate": 0.1, "cumulative": cumulative},
            run, around(0, 7, 21, 70), lambda t: values[t // epoch], torch_lr + f"{kind.__name__}, once an epoch",
        )


def torch_plateau(reports, rate, mode="min", **options):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode, **options)
    rates = []
    for report in reports:
        scheduler.step(report)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def keras_plateau(reports, rate, mode="min", **options):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="mse")
    callback = keras.callbacks.ReduceLROnPlateau(monitor="m", mode=mode, **options)
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, report in enumerate(reports):
        callback.on_epoch_end(epoch, {"m": report})
        rates.append(float(model.optimizer.learning_rate))
    return rates


def optax_plateau(reports, rate, **options):
    rule = optax.contrib.reduce_on_plateau(**options)
    state = rule.init(jax.numpy.zeros(()))
    rates = []
    for report in reports:
        updates, state = rule.update(jax.numpy.ones(()), state, value=report)
        rates.append(rate * float(state.scale))
    return rates


def fastai_plateau(reports, rate, min_delta=0.0, patience=1, factor=10.0, min_lr=0.0):
    """fastai.callback.tracker.ReduceLROnPlateau: a new best is below the best by min_delta; reduces at wait >= patience."""
    best, wait, rates = float("inf"), 0, []
    for report in reports:
        if report + min_delta < best:
            best, wait = report, 0
        else:
            wait += 1
            if wait >= patience:
                rate, wait = max(rate / factor, min_lr), 0
        rates.append(rate)
    return rates


def huggingface_greedy(
    reports, rate, factor=0.95, patience=10, threshold=1e-6, threshold_mode="abs", cooldown=0, warmup=0,
    min_lr=1e-3, max_lr=1.0, eps=1e-8, window=None, reset_start=500,
):
    """transformers.optimization.GreedyLR, smaller is better."""
    start, left = rate, reset_start
    best, good, bad, cooling, warming, recent, rates = float("inf"), 0, 0, 0, 0, [], []
    for report in reports:
        if window is not None:
            recent = [*recent, report][-window:]
            report = sum(recent) / len(recent)
        if cooling > 0:
            cooling, good, bad = cooling - 1, 0, 0
        elif warming > 0:
            warming, good, bad = warming - 1, 0, 0
        else:
            if report < (best * (1 - threshold) if threshold_mode == "rel" else best - threshold):
                best, good, bad = report, good + 1, 0
            else:
                good, bad = 0, bad + 1
            if good > patience:
                raised = min(rate / factor, max_lr)
                rate = raised if raised - rate > eps else rate
                left, warming, good = reset_start, warmup, 0
            elif bad > patience:
                reduced = max(rate * factor, min_lr)
                rate = reduced if rate - reduced > eps else rate
                if rate <= min_lr:
                    left -= 1
                    if left <= 0:
                        rate, best, good, warming, recent, left = start, float("inf"), 0, 0, [], reset_start
                cooling, bad = cooldown, 0
        rates.append(rate)
    return rates


NAN = float("nan")
NOISY = [1.0, 0.9, 0.9, 0.95, 0.8, 0.81, 0.82, 0.7999, 0.83, 0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.6, NAN, 0.61, 0.62, 0.63]
RISING = [-1.0, 0.5, 0.5, 0.50001, 0.6, 0.6, 0.59, 0.58, 0.57, 0.7, 0.7, 0.7, 0.7]


def plateaus():
    def case(name, options, reports, rates, oracle):
        return {
            "name": name,
            "options": options,
            "oracle": oracle,
            "rate": 0.1,
            "reports": [None if r != r else r for r in reports],
            "rates": [float(f"{r:.14g}") for r in rates],
        }

    torch_name, keras_name = "torch.optim.lr_scheduler.ReduceLROnPlateau", "keras.callbacks.ReduceLROnPlateau"
    yield case(
        "the lecture's: half, as soon as it stops improving", {}, NOISY,
        torch_plateau(NOISY, 0.1, factor=0.5, patience=0, threshold=0, eps=0), torch_name,
    )
    for patience in (0, 1, 2):
        yield case(
            f"like pytorch, patience {patience}", {"like": "pytorch", "patience": patience}, NOISY,
            torch_plateau(NOISY, 0.1, patience=patience), torch_name,
        )
        yield case(
            f"like keras, patience {patience}", {"like": "keras", "patience": patience}, NOISY,
            keras_plateau(NOISY, 0.1, patience=patience), keras_name,
        )
    for cooldown in (1, 2):
        yield case(
            f"like pytorch, cooldown {cooldown}, threshold, least rate",
            {"like": "pytorch", "patience": 1, "cooldown": cooldown, "threshold": 0.05, "factor": 0.3, "minRate": 0.002},
            NOISY,
            torch_plateau(NOISY, 0.1, patience=1, cooldown=cooldown, threshold=0.05, factor=0.3, min_lr=0.002), torch_name,
        )
        yield case(
            f"like keras, cooldown {cooldown}, threshold, least rate",
            {"like": "keras", "patience": 2, "cooldown": cooldown, "threshold": 0.05, "factor": 0.3, "minRate": 0.002},
            NOISY,
            keras_plateau(NOISY, 0.1, patience=2, cooldown=cooldown, min_delta=0.05, factor=0.3, min_lr=0.002), keras_name,
        )
    yield case(
        "like pytorch, larger is better", {"like": "pytorch", "patience": 1, "mode": "max"}, RISING,
        torch_plateau(RISING, 0.1, mode="max", patience=1), torch_name,
    )
    yield case(
        "like keras, larger is better", {"like": "keras", "patience": 1, "mode": "max"}, RISING,
        keras_plateau(RISING, 0.1, mode="max", patience=1), keras_name,
    )

    yield case(
        "like pytorch, absolute threshold, all at once", {"like": "pytorch", "patience": 0, "threshold": 0.06, "thresholdMode": "absolute", "eps": 0.0005},
        NOISY, torch_plateau(NOISY, 0.1, patience=0, threshold=0.06, threshold_mode="abs", eps=0.0005), torch_name,
    )
    yield case(
        "like pytorch, larger is better by a number", {"like": "pytorch", "patience": 0, "threshold": 0.05, "thresholdMode": "absolute", "mode": "max"},
        RISING, torch_plateau(RISING, 0.1, mode="max", patience=0, threshold=0.05, threshold_mode="abs"), torch_name,
    )
    optax_name, fastai_name = "optax.contrib.reduce_on_plateau", "the formula of fastai.callback.tracker.ReduceLROnPlateau"
    for patience in (1, 2):
        yield case(
            f"like optax, patience {patience}", {"like": "optax", "patience": patience}, NOISY,
            optax_plateau(NOISY, 0.1, patience=patience), optax_name,
        )
    for cooldown in (1, 2):
        yield case(
            f"like optax, cooldown {cooldown}, margins, least scale",
            {"like": "optax", "patience": 1, "cooldown": cooldown, "threshold": 0.01, "atol": 0.03, "factor": 0.3, "minScale": 0.05},
            NOISY, optax_plateau(NOISY, 0.1, patience=1, cooldown=cooldown, rtol=0.01, atol=0.03, factor=0.3, min_scale=0.05), optax_name,
        )
    steady = [report for report in NOISY if report == report]
    yield case(
        "like optax, means of three", {"like": "optax", "patience": 1, "average": 3}, steady,
        optax_plateau(steady, 0.1, patience=1, accumulation_size=3), optax_name,
    )
    yield case("like fastai", {"like": "fastai"}, NOISY, fastai_plateau(NOISY, 0.1), fastai_name)
    yield case(
        "like fastai, patience 2, margin, least rate",
        {"like": "fastai", "patience": 2, "threshold": 0.05, "factor": 0.25, "minRate": 0.004}, NOISY,
        fastai_plateau(NOISY, 0.1, patience=2, min_delta=0.05, factor=4, min_lr=0.004), fastai_name,
    )
    constant = [0.5] * 14
    for like, patience in (("pytorch", 2), ("keras", 2), ("optax", 2), ("fastai", 2)):
        rates = {"pytorch": torch_plateau, "keras": keras_plateau, "optax": optax_plateau}.get(like)
        rates = rates(constant, 0.1, patience=patience) if rates else fastai_plateau(constant, 0.1, patience=patience)
        name = {"pytorch": torch_name, "keras": keras_name, "optax": optax_name, "fastai": fastai_name}[like]
        yield case(f"a level, patience 2, like {like}", {"like": like, "patience": patience}, constant, rates, name)


def greedies():
    falling = [1.0 - 0.01 * i for i in range(30)]
    reports = [*falling, *[0.75] * 25, *[0.7 - 0.01 * i for i in range(20)], *NOISY]
    for name, options, given in (
        ("defaults", {}, {}),
        ("patience 1", {"patience": 1, "factor": 0.8}, {"patience": 1, "factor": 0.8}),
        (
            "pauses, relative", {"patience": 0, "factor": 0.5, "cooldown": 2, "warmup": 1, "threshold": 0.02, "thresholdMode": "relative",
                                 "maxRate": 0.5, "minRate": 0.01},
            {"patience": 0, "factor": 0.5, "cooldown": 2, "warmup": 1, "threshold": 0.02, "threshold_mode": "rel", "max_lr": 0.5, "min_lr": 0.01},
        ),
        ("smooth", {"patience": 2, "smooth": True, "window": 4}, {"patience": 2, "window": 4}),
        ("anew", {"patience": 0, "factor": 0.3, "minRate": 0.02, "reset": 4, "eps": 1e-3},
         {"patience": 0, "factor": 0.3, "min_lr": 0.02, "reset_start": 4, "eps": 1e-3}),
    ):
        yield {
            "name": name, "options": options, "oracle": "transformers.optimization.GreedyLR", "rate": 0.1,
            "reports": [None if r != r else r for r in reports],
            "rates": [float(f"{r:.14g}") for r in huggingface_greedy(reports, 0.1, **given)],
        }


def write(path, cases):
    text = json.dumps({"generator": "golden/schedules/generate.py", "versions": VERSIONS, "cases": cases}, indent=1)
    flat = re.compile(r"\[[^\[\]{}\"]*\]")
    pairs = re.compile(r"\[\s*(?:\[[^\[\]{}\"]*\],?\s*)+\]")
    one_line = lambda m: re.sub(r"\s+", "", m.group()).replace(",", ", ")
    path.write_text(pairs.sub(one_line, flat.sub(one_line, text)) + "\n")


write(here / "schedules.json", list(schedules()))
write(here / "plateau.json", list(plateaus()))
write(here / "greedy.json", list(greedies()))
