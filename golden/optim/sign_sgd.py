import numpy as np
import optax

from common import Case, optax_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}
dropping = lambda count: 0.02 * 0.4 ** (count // 5)


@per_leaf
def sign_sgd(g, x, s, t, h):
    return -h["rate"] * np.sign(g)


@per_leaf
def signum(g, x, s, t, h):
    b = h.get("beta", 0.9)
    m = s["m"] = b * s.get("m", 0) + (1 - b) * g
    return -h["rate"] * np.sign(m)


def cases():
    yield Case(
        "signs of gradients, rate that changes mid-run",
        *single(sign_sgd, "signSgd", rate=DROPPING),
        {"optax.sign_sgd": lambda p: optax_run(lambda: optax.sign_sgd(dropping), p)},
    )
    yield Case(
        "signum: defaults",
        *single(signum, "signum", rate=0.01),
        {"optax.signum": lambda p: optax_run(lambda: optax.signum(0.01), p)},
    )
    yield Case(
        "signum: beta 0.5, rate that changes mid-run",
        *single(signum, "signum", rate=DROPPING, beta=0.5),
        {"optax.signum": lambda p: optax_run(lambda: optax.signum(dropping, beta=0.5), p)},
    )
