import keras
import numpy as np
import optax

from common import Case, at, keras_run, optax_run
from dadapt_adamw import whole
from schedule_free import DROPPING, average
from schedule_free_sgd import warmed


def schedule_free_adamw(gs, xs, states, t, h):
    f = xs[0].dtype.type
    n, like, beta2 = h.get("warmupSteps", 0), h.get("like"), h.get("beta2", 0.999)
    step = f(warmed(h["rate"], n, t - 1 if like == "optax" else t))
    us = []
    for s, g in zip(states, gs):
        s["v"] = beta2 * s.get("v", 0 * g) + (1 - beta2) * g**2
        us.append(-step * g / (np.sqrt(s["v"] / f(1 - beta2**t)) + f(h.get("eps", 1e-8))))
    decay = f(h.get("weightDecay", 0))
    if like == "keras":
        shrunk = [x - f(h["rate"]) * decay * x for x in xs]
        return average(xs, us, states, t, h, None, shrunk)
    us = [u - step * decay * x for u, x in zip(us, xs)]
    return average(xs, us, states, t, h, warmed(h["rate"], n, t))


def cases():
    keras_of = lambda *args, **options: lambda: keras.optimizers.ScheduleFreeAdamW(*args, **options)
    yield Case(
        "defaults",
        *whole(schedule_free_adamw, "scheduleFreeAdamw", rate=0.02),
        {
            "optax.contrib.schedule_free_adamw": lambda p: optax_run(
                lambda: optax.contrib.schedule_free_adamw(0.02), p
            )
        },
    )
    yield Case(
        "like keras: its defaults",
        *whole(schedule_free_adamw, "scheduleFreeAdamw", rate=0.02, like="keras"),
        {"keras.optimizers.ScheduleFreeAdamW": lambda p: keras_run(keras_of(0.02), p)},
    )
    other = {"warmupSteps": 8, "beta1": 0.8, "beta2": 0.95, "eps": 0.01, "weightDecay": 0.2}
    yield Case(
        "like keras: warm-up, betas 0.8 and 0.95, eps 0.01, decay, rate that changes mid-run",
        *whole(schedule_free_adamw, "scheduleFreeAdamw", rate=DROPPING, **other, like="keras"),
        {
            "keras.optimizers.ScheduleFreeAdamW": lambda p: keras_run(
                keras_of(0.1, beta_1=0.8, beta_2=0.95, epsilon=0.01, warmup_steps=8, weight_decay=0.2),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            )
        },
    )
    yield Case(
        "like optax: warm-up, betas 0.8 and 0.95, eps 0.01, power 1, decay",
        *whole(schedule_free_adamw, "scheduleFreeAdamw", rate=0.0625, **other, weightPower=1, like="optax"),
        {
            "optax.contrib.schedule_free_adamw": lambda p: optax_run(
                lambda: optax.contrib.schedule_free_adamw(0.0625, 8, 0.8, 0.95, 0.01, 0.2, 1), p
            )
        },
    )
    yield Case(
        "like pytorch: warm-up, betas 0.8 and 0.95, eps 0.01, power 1, decay, rate that changes mid-run",
        *whole(schedule_free_adamw, "scheduleFreeAdamw", rate=DROPPING, **other, weightPower=1),
    )
