import numpy as np
import optax

from common import Case, optax_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.4}


@per_leaf
def acprop(g, x, s, t, h):
    b1, b2 = h.get("beta1", 0.9), h.get("beta2", 0.999)
    m, v = s.get("m", np.zeros_like(g)), s.get("s", np.zeros_like(g))
    v_hat = np.ones_like(g) if t == 1 else v / (1 - b2 ** (t - 1))
    s["s"] = b2 * v + (1 - b2) * (g - m) ** 2 + h.get("epsRoot", 1e-16)
    s["m"] = b1 * m + (1 - b1) * g
    return -h["rate"] * g / (np.sqrt(v_hat) + h.get("eps", 1e-16))


def cases():
    defaults = lambda **hypers: single(acprop, "acprop", assumed={"rate": 1e-3, "decoupled": True}, **hypers)
    other = {"beta1": 0.8, "beta2": 0.95, "eps": 0.1, "epsRoot": 0.02, "weightDecay": 0.2}
    yield Case(
        "defaults", *defaults(), {"optax.contrib.acprop": lambda p: optax_run(lambda: optax.contrib.acprop(1e-3), p)}
    )
    yield Case(
        "other betas, eps 0.1, epsRoot 0.02, decoupled decay, rate that changes mid-run",
        *defaults(rate=DROPPING, **other),
        {
            "optax.contrib.acprop": lambda p: optax_run(
                lambda: optax.contrib.acprop(
                    lambda count: 0.05 * 0.4 ** (count // 5), 0.8, 0.95, 0.1, 0.02, weight_decay=0.2
                ),
                p,
            )
        },
    )
    yield Case("L2", *defaults(rate=0.02, **other, decoupled=False))
