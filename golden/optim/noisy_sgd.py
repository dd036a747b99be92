import optax

from common import Case, optax_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.4}


@per_leaf
def sgd(g, x, s, t, h):
    return -h["rate"] * g


def cases():
    """Without noise; the noise is that of addNoise, whose size has a test of its own."""
    yield Case(
        "no noise",
        *single(sgd, "noisySgd", rate=0.05, eta=0.0),
        {"optax.noisy_sgd": lambda p: optax_run(lambda: optax.noisy_sgd(0.05, eta=0.0, key=0), p)},
    )
    yield Case("no noise, rate that changes mid-run", *single(sgd, "noisySgd", rate=DROPPING, eta=0.0, gamma=0.3))
