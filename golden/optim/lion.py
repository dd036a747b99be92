import keras
import numpy as np
import optax

from common import Case, at, keras_run, optax_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}


@per_leaf
def lion(g, x, s, t, h):
    m, b1, b2 = s.get("m", 0), h.get("beta1", 0.9), h.get("beta2", 0.99)
    s["m"] = b2 * m + (1 - b2) * g
    c = b1 * m + (1 - b1) * g
    if h.get("mode") == "smooth":
        return -h["rate"] * np.tanh(h.get("smoothness", 1) * c)
    return -h["rate"] * (np.clip(c, -1, 1) if h.get("mode") == "refined" else np.sign(c))


def scaled(rate, **options):
    """optax offers the modes as a transform only."""
    return lambda: optax.chain(optax.scale_by_lion(**options), optax.add_decayed_weights(1e-3), optax.scale_by_learning_rate(rate))


def cases():
    yield Case(
        "defaults, optax's",
        *single(lion, "lion", rate=0.01, assumed={"weightDecay": 1e-3, "decoupled": True}),
        {"optax.lion": lambda p: optax_run(lambda: optax.lion(0.01), p)},
    )
    other = {"beta1": 0.8, "beta2": 0.95, "weightDecay": 0.2}
    yield Case(
        "other betas, rate that changes mid-run",
        *single(lion, "lion", rate=DROPPING, **other, assumed={"decoupled": True}),
        {
            "optax.lion": lambda p: optax_run(
                lambda: optax.lion(lambda count: 0.02 * 0.4 ** (count // 5), b1=0.8, b2=0.95, weight_decay=0.2), p
            )
        },
    )
    yield Case(
        "like keras: its defaults",
        *single(lion, "lion", rate=0.01, like="keras"),
        {"keras.optimizers.Lion": lambda p: keras_run(lambda: keras.optimizers.Lion(0.01), p)},
    )
    yield Case(
        "like keras: other betas, decay, rate that changes mid-run",
        *single(lion, "lion", rate=DROPPING, **other, like="keras"),
        {
            "keras.optimizers.Lion": lambda p: keras_run(
                lambda: keras.optimizers.Lion(0.02, beta_1=0.8, beta_2=0.95, weight_decay=0.2),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            )
        },
    )
    yield Case("with L2 instead", *single(lion, "lion", rate=0.01, weightDecay=0.2, decoupled=False))
    assumed = {"weightDecay": 1e-3, "decoupled": True}
    yield Case(
        "refined, rate that changes mid-run",
        *single(lion, "lion", rate=DROPPING, mode="refined", assumed=assumed),
        {"optax.scale_by_lion": lambda p: optax_run(scaled(lambda count: 0.02 * 0.4 ** (count // 5), mode="refined"), p)},
    )
    yield Case(
        "smooth",
        *single(lion, "lion", rate=0.05, mode="smooth", assumed=assumed),
        {"optax.scale_by_lion": lambda p: optax_run(scaled(0.05, mode="smooth"), p)},
    )
    yield Case(
        "smooth, k = 3",
        *single(lion, "lion", rate=0.05, mode="smooth", smoothness=3, assumed=assumed),
        {"optax.scale_by_lion": lambda p: optax_run(scaled(0.05, mode="smooth", smooth_beta=3), p)},
    )
