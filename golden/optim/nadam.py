import keras
import numpy as np
import optax
import torch

from adam import DROPPING, OTHER, SCHEDULE
from common import Case, at, keras_run, optax_run, per_leaf, single, torch_run

PSI = {"optax": None, "keras": 1}


@per_leaf
def nadam(g, x, s, t, h):
    like, b1, b2 = h.get("like"), h.get("beta1", 0.9), h.get("beta2", 0.999)
    eps = h.get("eps", 1e-7 if like == "keras" else 1e-8)
    psi = h.get("momentumDecay", PSI.get(like, 4e-3))
    mu = lambda t: b1 if psi is None else b1 * (1 - 0.5 * 0.96 ** (t * psi))
    product = s["product"] = s.get("product", 1) * mu(t)
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    ahead = mu(t + 1) / (1 - product * mu(t + 1)) * m + (1 - mu(t)) / (1 - product) * g
    return -h["rate"] * ahead / (np.sqrt(v / (1 - b2**t) + h.get("epsRoot", 0)) + eps)


def cases():
    torch_nadam = lambda **options: lambda xs: torch.optim.NAdam(xs, **options)
    defaults = lambda **hypers: single(
        nadam, "nadam", assumed={"rate": 1e-3 if hypers.get("like") == "keras" else 2e-3}, **hypers
    )
    torch_other = {"betas": (0.8, 0.95), "eps": 0.01, "momentum_decay": 0.2, "weight_decay": 0.2}
    yield Case("defaults", *defaults(), {"torch.optim.NAdam": lambda p: torch_run(torch_nadam(), p)})
    yield Case(
        "like pytorch: momentumDecay 0.2, rate that changes mid-run, L2",
        *defaults(rate=DROPPING, **OTHER, momentumDecay=0.2, weightDecay=0.2, like="pytorch"),
        {
            "torch.optim.NAdam": lambda p: torch_run(
                torch_nadam(lr=1.0, **torch_other), p, lambda t: {"lr": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "like pytorch: decoupled decay",
        *defaults(rate=0.02, **OTHER, momentumDecay=0.2, weightDecay=0.2, decoupled=True, like="pytorch"),
        {
            "torch.optim.NAdam": lambda p: torch_run(
                torch_nadam(lr=0.02, **torch_other, decoupled_weight_decay=True), p
            )
        },
    )
    yield Case(
        "like optax: its defaults",
        *defaults(rate=0.02, like="optax"),
        {"optax.nadam": lambda p: optax_run(lambda: optax.nadam(0.02), p)},
    )
    yield Case(
        "like optax: epsRoot 0.1, decoupled decay, rate that changes mid-run",
        *defaults(rate=DROPPING, **OTHER, epsRoot=0.1, weightDecay=0.2, like="optax"),
        {
            "optax.nadamw": lambda p: optax_run(
                lambda: optax.nadamw(SCHEDULE, b1=0.8, b2=0.95, eps=0.01, eps_root=0.1, weight_decay=0.2), p
            )
        },
    )
    yield Case(
        "like keras: its defaults",
        *defaults(like="keras"),
        {"keras.optimizers.Nadam": lambda p: keras_run(lambda: keras.optimizers.Nadam(), p)},
    )
    yield Case(
        "like keras: eps 0.01, decoupled decay, rate that changes mid-run",
        *defaults(rate=DROPPING, **OTHER, weightDecay=0.2, like="keras"),
        {
            "keras.optimizers.Nadam": lambda p: keras_run(
                lambda: keras.optimizers.Nadam(1.0, beta_1=0.8, beta_2=0.95, epsilon=0.01, weight_decay=0.2),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            )
        },
    )
