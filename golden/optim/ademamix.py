import jax
import numpy as np
import optax

from adam import DROPPING, SCHEDULE
from common import Case, optax_run, per_leaf, single

RISING = {"kind": "warmup", "rate": 4.0, "from": 1.0, "steps": 10}


@per_leaf
def ademamix(g, x, s, t, h):
    b1, b2, b3 = h.get("beta1", 0.9), h.get("beta2", 0.999), h.get("beta3", 0.9999)
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    slow = s["slow"] = b3 * s.get("slow", 0) + (1 - b3) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    root = np.sqrt(v / (1 - b2**t) + h.get("epsRoot", 0))
    return -h["rate"] * (m / (1 - b1**t) + h.get("alpha", 5) * slow) / (root + h.get("eps", 1e-8))


def cases():
    defaults = lambda **hypers: single(ademamix, "ademamix", assumed={"rate": 1e-3, "decoupled": True}, **hypers)
    other = {"beta1": 0.8, "beta2": 0.95, "beta3": 0.99, "eps": 0.01, "epsRoot": 0.02, "weightDecay": 0.2}
    yield Case(
        "defaults", *defaults(), {"optax.contrib.ademamix": lambda p: optax_run(lambda: optax.contrib.ademamix(1e-3), p)}
    )
    yield Case(
        "other betas, decoupled decay, rate and alpha that change mid-run",
        *defaults(rate=DROPPING, **other, alpha=RISING),
        {
            "optax.contrib.ademamix": lambda p: optax_run(
                lambda: optax.contrib.ademamix(
                    SCHEDULE,
                    0.8,
                    0.95,
                    0.99,
                    lambda count: 1 + 0.3 * jax.numpy.minimum(10, count),
                    eps=0.01,
                    eps_root=0.02,
                    weight_decay=0.2,
                ),
                p,
            )
        },
    )
    yield Case("L2", *defaults(rate=0.02, **other, alpha=3, decoupled=False))
