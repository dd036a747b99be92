"""Writes schedules.json (rates at and around each schedule's boundaries) and plateau.json (rates after each report)."""

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


def row(name, config, run, steps, rate_at, oracle):
    return {
        "name": name,
        "config": config,
        "run": run,
        "oracle": oracle,
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


def torch_plateau(reports, rate, mode="min", **options):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode, eps=0, **options)
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
        torch_plateau(NOISY, 0.1, factor=0.5, patience=0, threshold=0), torch_name,
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


def write(path, cases):
    text = json.dumps({"generator": "golden/schedules/generate.py", "versions": VERSIONS, "cases": cases}, indent=1)
    flat = re.compile(r"\[[^\[\]{}\"]*\]")
    pairs = re.compile(r"\[\s*(?:\[[^\[\]{}\"]*\],?\s*)+\]")
    one_line = lambda m: re.sub(r"\s+", "", m.group()).replace(",", ", ")
    path.write_text(pairs.sub(one_line, flat.sub(one_line, text)) + "\n")


write(here / "schedules.json", list(schedules()))
write(here / "plateau.json", list(plateaus()))
