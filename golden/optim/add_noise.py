import optax

from clip import chain
from common import Case, optax_run, per_leaf
from sgd import sgd


@per_leaf
def add_noise(g, x, s, t, h):
    """The part that is not drawn; noise has a test of its own."""
    assert h["eta"] == 0
    return g


def cases():
    yield Case(
        "of variance 0",
        *chain((add_noise, "addNoise", {"eta": 0, "gamma": 0.3}), (sgd, "sgd", {"rate": 0.05})),
        {"optax.add_noise": lambda p: optax_run(lambda: optax.chain(optax.add_noise(0.0, 0.3, key=1), optax.sgd(0.05)), p)},
    )
