import keras
import numpy as np
import optax
import torch

from adam import DROPPING, OTHER, SCHEDULE
from common import Case, at, keras_run, optax_run, per_leaf, single, torch_run


@per_leaf
def adamax(g, x, s, t, h):
    """Kingma and Ba, algorithm 2, with the eps that it lacks."""
    like, b1, b2 = h.get("like"), h.get("beta1", 0.9), h.get("beta2", 0.999)
    eps = h.get("eps", 1e-7 if like == "keras" else 1e-8)
    inside, beside = (0, eps) if like == "keras" else (eps, 0)
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    u = s["u"] = np.maximum(b2 * s.get("u", 0), abs(g) + inside)
    return -h["rate"] / (1 - b1**t) * m / (u + beside)


def cases():
    torch_adamax = lambda **options: lambda xs: torch.optim.Adamax(xs, **options)
    defaults = lambda **hypers: single(
        adamax, "adamax", assumed={"rate": 1e-3 if hypers.get("like") == "keras" else 2e-3}, **hypers
    )
    yield Case(
        "defaults",
        *defaults(),
        {
            "torch.optim.Adamax": lambda p: torch_run(torch_adamax(), p),
            "optax.adamax": lambda p: optax_run(lambda: optax.adamax(2e-3), p),
        },
    )
    yield Case(
        "like pytorch: other betas, eps 0.1, rate that changes mid-run, L2",
        *defaults(rate=DROPPING, beta1=0.8, beta2=0.95, eps=0.1, weightDecay=0.2, like="pytorch"),
        {
            "torch.optim.Adamax": lambda p: torch_run(
                torch_adamax(lr=1.0, betas=(0.8, 0.95), eps=0.1, weight_decay=0.2), p, lambda t: {"lr": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "like pytorch: decoupled decay",
        *defaults(rate=0.02, **OTHER, weightDecay=0.2, decoupled=True, like="pytorch"),
        {
            "optax.adamaxw": lambda p: optax_run(
                lambda: optax.adamaxw(0.02, b1=0.8, b2=0.95, eps=0.01, weight_decay=0.2), p
            )
        },
    )
    yield Case(
        "like optax: its defaults",
        *defaults(rate=0.02, like="optax"),
        {"optax.adamax": lambda p: optax_run(lambda: optax.adamax(0.02), p)},
    )
    yield Case(
        "like optax: decoupled decay, rate that changes mid-run",
        *defaults(rate=DROPPING, **OTHER, weightDecay=0.2, like="optax"),
        {
            "optax.adamaxw": lambda p: optax_run(
                lambda: optax.adamaxw(SCHEDULE, b1=0.8, b2=0.95, eps=0.01, weight_decay=0.2), p
            )
        },
    )
    yield Case(
        "like keras: its defaults",
        *defaults(like="keras"),
        {"keras.optimizers.Adamax": lambda p: keras_run(lambda: keras.optimizers.Adamax(), p)},
    )
    yield Case(
        "like keras: eps 0.1, decoupled decay, rate that changes mid-run",
        *defaults(rate=DROPPING, beta1=0.8, beta2=0.95, eps=0.1, weightDecay=0.2, like="keras"),
        {
            "keras.optimizers.Adamax": lambda p: keras_run(
                lambda: keras.optimizers.Adamax(1.0, beta_1=0.8, beta_2=0.95, epsilon=0.1, weight_decay=0.2),
                p,
                lambda t: {"learning_rate": at(DROPPING, t)},
            )
        },
    )
