import jax
import optax

from adam import adam
from common import Case, optax_run
from dpsgd import WITH_EXAMPLES, Stacked, private_mean


def cases():
    def theirs():
        aggregate = optax.contrib.differentially_private_aggregate(0.7, 0, jax.random.key(0))
        return optax.chain(aggregate, optax.adam(0.02))

    own = {"maxNorm": 0.7, "noise": 0}
    config = [{"name": "privateAggregate", **own}, {"name": "adam", "rate": 0.02}]
    yield Case(
        "without noise, before adam",
        {"name": "chain", "parts": config},
        [(private_mean, own), (adam, {"rate": 0.02})],
        {"optax.contrib.differentially_private_aggregate": lambda p: optax_run(theirs, Stacked(p))},
        problems=WITH_EXAMPLES,
    )
