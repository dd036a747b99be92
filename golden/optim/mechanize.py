import numpy as np
import optax

from adam import adam
from common import Case, at, optax_run
from dadapt_adamw import dot
from dog import norm
from sgd import sgd

DROPPING = {"kind": "stepDecay", "rate": 1, "everySteps": 5, "factor": 0.8}


def mechanize(inner):
    """`inner`: a rule on lists and its hyperparameters."""
    rule, own = inner

    def update(gs, xs, states, t, h):
        f = xs[0].dtype.type
        eps, initial, n = h.get("eps", 1e-8), h.get("initial", 1e-6), h.get("betas", 6)
        z = states[0]
        if t == 1:
            z["x0"] = xs
            z["R"] = z["most"] = z["squares"] = np.zeros(n, f)
            z["s"] = np.full(n, initial, f)
        us = rule(gs, xs, states, t, {k: at(v, t) for k, v in own.items()})
        S = z["s"].sum()
        pull = f(h.get("weightDecay", 1e-2)) * S * norm(gs) / (norm(xs) + f(eps))
        D = [(x - x0) / (S + f(eps)) for x, x0 in zip(xs, z["x0"])]
        v = -dot([g + pull * x for g, x in zip(gs, xs)], D)
        b = np.array([1 - 0.1**i for i in range(1, n + 1)], f)
        z["R"] = b * z["R"] + np.clip(v, -z["most"], z["most"]) * z["s"]
        z["most"] = np.maximum(b * z["most"], abs(v) + f(eps))
        z["squares"] = b**2 * z["squares"] + v**2
        z["s"] = (f(initial / n) * z["most"] + np.maximum(z["R"], 0)) / (np.sqrt(z["squares"]) + f(eps))
        return [x0 + z["s"].sum() * (d + u) - x for x0, d, u, x in zip(z["x0"], D, us, xs)]

    return update


def cases():
    yield Case(
        "defaults around sgd",
        {"name": "mechanize", "transform": {"name": "sgd", "rate": 1}},
        [(mechanize((sgd, {"rate": 1})), {})],
        {"optax.contrib.mechanize": lambda p: optax_run(lambda: optax.contrib.mechanize(optax.sgd(1.0)), p)},
    )
    own = {"weightDecay": 0.1, "eps": 1e-3, "initial": 0.001, "betas": 3}
    yield Case(
        "decay 0.1, eps 0.001, initial 0.001, 3 betas around adam with a rate that changes mid-run",
        {"name": "mechanize", "transform": {"name": "adam", "rate": DROPPING}, **own},
        [(mechanize((adam, {"rate": DROPPING, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8})), own)],
        {
            "optax.contrib.mechanize": lambda p: optax_run(
                lambda: optax.contrib.mechanize(
                    optax.adam(lambda k: at(DROPPING, k + 1)), 0.1, 1e-3, 0.001, 3
                ),
                p,
            )
        },
    )
