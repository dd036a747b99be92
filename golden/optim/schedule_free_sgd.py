import optax

from common import Case, at, optax_run
from dadapt_adamw import whole
from schedule_free import DROPPING, average


def warmed(rate, n, t):
    return rate if n == 0 else rate * min(1, t / n)


def schedule_free_sgd(gs, xs, states, t, h):
    f = xs[0].dtype.type
    n, optax_like = h.get("warmupSteps", 0), h.get("like") == "optax"
    step = f(warmed(h["rate"], n, t - 1 if optax_like else t))
    us = [-step * (g + f(h.get("weightDecay", 0)) * x) for g, x in zip(gs, xs)]
    return average(xs, us, states, t, h, warmed(h["rate"], n, t))


def cases():
    yield Case(
        "defaults",
        *whole(schedule_free_sgd, "scheduleFreeSgd", rate=0.05),
        {
            "optax.contrib.schedule_free_sgd": lambda p: optax_run(
                lambda: optax.contrib.schedule_free_sgd(0.05), p
            )
        },
    )
    # optax computes its warm-up in single precision: here without rounding.
    other = {"warmupSteps": 8, "beta1": 0.8, "weightPower": 1, "weightDecay": 0.2}
    yield Case(
        "like optax: warm-up, beta1 0.8, power 1, decay",
        *whole(schedule_free_sgd, "scheduleFreeSgd", rate=0.0625, **other, like="optax"),
        {
            "optax.contrib.schedule_free_sgd": lambda p: optax_run(
                lambda: optax.contrib.schedule_free_sgd(0.0625, 8, 0.8, 0.2, 1), p
            )
        },
    )
    yield Case(
        "like pytorch: warm-up, beta1 0.8, power 1, decay, rate that changes mid-run",
        *whole(schedule_free_sgd, "scheduleFreeSgd", rate=DROPPING, **other),
    )
