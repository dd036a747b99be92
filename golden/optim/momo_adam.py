import numpy as np
import optax

from common import Case, at, optax_run
from dadapt_adamw import dot, whole
from momo import polyak

DROPPING = {"kind": "stepDecay", "rate": 0.2, "everySteps": 5, "factor": 0.8}


def momo_adam(gs, xs, states, t, h):
    f = xs[0].dtype.type
    beta1, beta2, eps = h.get("beta1", 0.9), h.get("beta2", 0.999), h.get("eps", 1e-8)
    z = states[0]
    b = f(beta1)
    for s, g in zip(states, gs):
        s["m"] = b * s.get("m", 0 * g) + (1 - b) * g
        s["v"] = beta2 * s.get("v", 0 * g) + (1 - beta2) * g**2
    z["loss"] = b * z.get("loss", f(0)) + (1 - b) * h["loss"]
    z["product"] = b * z.get("product", f(0)) + (1 - b) * dot(gs, xs)
    us = [s["m"] / (np.sqrt(s["v"] / f(1 - beta2**t)) + eps) for s in states]
    bound = z.get("bound", h.get("lowerBound", 0))
    steps, z["bound"] = polyak(h, xs, [s["m"] for s in states], us, z["loss"], z["product"], bound, 1 - beta1**t)
    return steps


def momo_adam_of(**options):
    make = lambda: optax.contrib.momo_adam(**options)
    return lambda p: optax_run(make, p, lambda params: {"value": p.loss([np.array(x) for x in params])})


def cases():
    scheduled = lambda k: at(DROPPING, int(k) + 1)
    yield Case(
        "defaults",
        *whole(momo_adam, "momoAdam", rate=0.1),
        {"optax.contrib.momo_adam": momo_adam_of(learning_rate=0.1)},
    )
    yield Case(
        "betas 0.8 and 0.95, eps 0.01, lower bound -0.3, decay, rate that changes mid-run",
        *whole(
            momo_adam, "momoAdam", rate=DROPPING, beta1=0.8, beta2=0.95, eps=0.01, lowerBound=-0.3, weightDecay=0.2
        ),
        {
            "optax.contrib.momo_adam": momo_adam_of(
                learning_rate=scheduled, b1=0.8, b2=0.95, eps=0.01, lower_bound=-0.3, weight_decay=0.2
            )
        },
    )
    yield Case(
        "adapted lower bound, decay, rate that changes mid-run",
        *whole(momo_adam, "momoAdam", rate=DROPPING, lowerBound=-0.3, adaptLowerBound=True, weightDecay=0.2),
        {
            "optax.contrib.momo_adam": momo_adam_of(
                learning_rate=scheduled, lower_bound=-0.3, weight_decay=0.2, adapt_lower_bound=True
            )
        },
    )
