import numpy as np
import optax

from common import Case, at, optax_run
from dadapt_adamw import dot, whole

DROPPING = {"kind": "stepDecay", "rate": 0.15, "everySteps": 5, "factor": 0.8}
LOWER = {"lowerBound": -0.3}


def polyak(h, xs, ms, us, loss, product, bound, c):
    """The steps, and the lower bound of the next."""
    f = xs[0].dtype.type
    a, lowest = h["rate"], h.get("lowerBound", 0)
    grow = 1 + a * h.get("weightDecay", 0)
    norm, along = dot(ms, us), dot(ms, xs)
    if h.get("adaptLowerBound"):
        cap = grow * (loss - product) + along
        if cap < grow * c * bound:
            bound = max(cap / (2 * c * grow), lowest)
    else:
        bound = lowest
    tau = min(a / c, max(grow * (loss - c * bound - product) + along, 0) / norm) if norm > 2**-52 else 0
    after = max((loss + along - product - tau * norm / 2) / c, lowest)
    return [-f((grow - 1) / grow) * x - f(tau) * u for x, u in zip(xs, us)], f(after)


def momo(gs, xs, states, t, h):
    f = xs[0].dtype.type
    z = states[0]
    b = f(0 if t == 1 else h.get("beta", 0.9))
    for s, g in zip(states, gs):
        s["m"] = b * s.get("m", 0 * g) + (1 - b) * g
    z["loss"] = b * z.get("loss", f(0)) + (1 - b) * h["loss"]
    z["product"] = b * z.get("product", f(0)) + (1 - b) * dot(gs, xs)
    ms = [s["m"] for s in states]
    bound = z.get("bound", h.get("lowerBound", 0))
    steps, z["bound"] = polyak(h, xs, ms, ms, z["loss"], z["product"], bound, 1)
    return steps


def momo_of(**options):
    """optax's, with the loss that it is given."""
    make = lambda: optax.contrib.momo(**options)
    return lambda p: optax_run(make, p, lambda params: {"value": p.loss([np.array(x) for x in params])})


def scheduled(k):
    # A schedule gets the count of updates, traced.
    return at(DROPPING, int(k) + 1)


def cases():
    yield Case(
        "defaults",
        *whole(momo, "momo", rate=0.03),
        {"optax.contrib.momo": momo_of(learning_rate=0.03)},
    )
    yield Case(
        "beta 0.6, lower bound -0.3, decay, rate that changes mid-run",
        *whole(momo, "momo", rate=DROPPING, beta=0.6, weightDecay=0.2, **LOWER),
        {"optax.contrib.momo": momo_of(learning_rate=scheduled, beta=0.6, lower_bound=-0.3, weight_decay=0.2)},
    )
    yield Case(
        "adapted lower bound, decay, rate that changes mid-run",
        *whole(momo, "momo", rate=DROPPING, adaptLowerBound=True, weightDecay=0.2, **LOWER),
        {
            "optax.contrib.momo": momo_of(
                learning_rate=scheduled, lower_bound=-0.3, weight_decay=0.2, adapt_lower_bound=True
            )
        },
    )
