import numpy as np
import optax
import torch

from adam import DROPPING, OTHER, SCHEDULE
from common import Case, at, optax_run, per_leaf, single, torch_run


@per_leaf
def radam(g, x, s, t, h):
    """Liu et al., algorithm 2."""
    b1, b2, eps = h.get("beta1", 0.9), h.get("beta2", 0.999), h.get("eps", 1e-8)
    threshold, eps_root = h.get("threshold", 5), h.get("epsRoot", 0)
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    m_hat = m / (1 - b1**t)
    if h.get("nesterov"):
        m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
    longest = 2 / (1 - b2) - 1
    rho = longest - 2 * t * b2**t / (1 - b2**t)
    if not (rho >= threshold if h.get("like") == "optax" else rho > threshold):
        return -h["rate"] * m_hat
    r = ((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho)) ** 0.5
    if h.get("like") == "optax":
        return -h["rate"] * r * m_hat / (np.sqrt(v / (1 - b2**t) + eps_root) + eps)
    return -h["rate"] * r * m_hat * (1 - b2**t) ** 0.5 / (np.sqrt(v + eps_root) + eps)


def cases():
    torch_radam = lambda **options: lambda xs: torch.optim.RAdam(xs, **options)
    torch_other = {"betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.2}
    optax_other = {"b1": 0.8, "b2": 0.95, "eps": 0.01}
    yield Case(
        "defaults",
        *single(radam, "radam", assumed={"rate": 1e-3}),
        {"torch.optim.RAdam": lambda p: torch_run(torch_radam(), p)},
    )
    yield Case(
        "like pytorch: other betas, eps 0.01, rate that changes mid-run, L2",
        *single(radam, "radam", rate=DROPPING, **OTHER, weightDecay=0.2, like="pytorch"),
        {
            "torch.optim.RAdam": lambda p: torch_run(
                torch_radam(lr=1.0, **torch_other), p, lambda t: {"lr": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "like pytorch: decoupled decay",
        *single(radam, "radam", rate=0.02, **OTHER, weightDecay=0.2, decoupled=True, like="pytorch"),
        {
            "torch.optim.RAdam": lambda p: torch_run(
                torch_radam(lr=0.02, **torch_other, decoupled_weight_decay=True), p
            )
        },
    )
    yield Case(
        "like optax: its defaults",
        *single(radam, "radam", rate=0.02, like="optax"),
        {"optax.radam": lambda p: optax_run(lambda: optax.radam(0.02), p)},
    )
    yield Case(
        "like optax: epsRoot 0.1, threshold 7, nesterov, rate that changes mid-run",
        *single(radam, "radam", rate=DROPPING, **OTHER, epsRoot=0.1, threshold=7, nesterov=True, like="optax"),
        {
            "optax.radam": lambda p: optax_run(
                lambda: optax.radam(SCHEDULE, **optax_other, eps_root=0.1, threshold=7, nesterov=True), p
            )
        },
    )
    yield Case(
        "like optax: beta2 0.75, decoupled decay",
        *single(radam, "radam", rate=0.05, beta1=0.8, beta2=0.75, eps=0.01, weightDecay=0.2, like="optax"),
        {
            "optax.radam with decayed weights": lambda p: optax_run(
                lambda: optax.chain(
                    optax.scale_by_radam(0.8, 0.75, 0.01), optax.add_decayed_weights(0.2), optax.scale(-0.05)
                ),
                p,
            )
        },
    )
