import keras
import numpy as np
import optax
import torch

from common import Case, at, keras_run, optax_run, per_leaf, single, torch_run

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.4}
OTHER = {"beta1": 0.8, "beta2": 0.95, "eps": 0.01}
SCHEDULE = lambda count: 0.05 * 0.4 ** (count // 5)


def largest(s, v):
    s["largest"] = np.maximum(s.get("largest", 0), v)
    return s["largest"]


@per_leaf
def adam(g, x, s, t, h):
    """Kingma and Ba, algorithm 1; like Keras the end of their section 2; like the lecture without correction."""
    like, b1, b2 = h.get("like"), h.get("beta1", 0.9), h.get("beta2", 0.999)
    eps, eps_root = h.get("eps", 1e-7 if like == "keras" else 1e-8), h.get("epsRoot", 0)
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    if h.get("amsgrad") and like != "optax":
        v = largest(s, v)
    if not h.get("biasCorrection", like != "lecture"):
        return -h["rate"] * m / (np.sqrt(v + eps_root) + eps)
    if like == "keras":
        return -h["rate"] * (1 - b2**t) ** 0.5 / (1 - b1**t) * m / (np.sqrt(v + eps_root) + eps)
    v_hat = v / (1 - b2**t)
    if h.get("amsgrad") and like == "optax":
        v_hat = largest(s, v_hat)
    return -h["rate"] * (m / (1 - b1**t)) / (np.sqrt(v_hat + eps_root) + eps)


def cases():
    torch_adam = lambda lr, **options: lambda xs: torch.optim.Adam(xs, lr=lr, **options)
    keras_adam = lambda *rate, **options: lambda: keras.optimizers.Adam(*rate, **options)
    dropping = lambda name: lambda t: {name: at(DROPPING, t)}
    torch_other = {"betas": (0.8, 0.95), "eps": 0.01}
    keras_other = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.01}
    optax_other = {"b1": 0.8, "b2": 0.95, "eps": 0.01}
    yield Case(
        "defaults",
        *single(adam, "adam", rate=0.02),
        {
            "torch.optim.Adam": lambda p: torch_run(torch_adam(0.02), p),
            "optax.adam": lambda p: optax_run(lambda: optax.adam(0.02), p),
        },
    )
    yield Case("like lecture: its defaults", *single(adam, "adam", rate=0.01, like="lecture"))
    yield Case(
        "like lecture: other betas, rate that changes mid-run, L2",
        *single(adam, "adam", rate=DROPPING, **OTHER, weightDecay=0.2, like="lecture"),
    )
    yield Case(
        "without bias correction, amsgrad",
        *single(adam, "adam", rate=0.01, **OTHER, biasCorrection=False, amsgrad=True),
        {
            "optax.amsgrad": lambda p: optax_run(
                lambda: optax.amsgrad(0.01, **optax_other, bias_correction_mu=False, bias_correction_nu=False), p
            )
        },
    )
    yield Case(
        "like pytorch: other betas, eps 0.01, rate that changes mid-run, L2",
        *single(adam, "adam", rate=DROPPING, **OTHER, weightDecay=0.2, like="pytorch"),
        {
            "torch.optim.Adam": lambda p: torch_run(
                torch_adam(1.0, **torch_other, weight_decay=0.2), p, dropping("lr")
            )
        },
    )
    yield Case(
        "like pytorch: decoupled decay, amsgrad",
        *single(adam, "adam", rate=0.05, **OTHER, weightDecay=0.2, decoupled=True, amsgrad=True, like="pytorch"),
        {
            "torch.optim.Adam": lambda p: torch_run(
                torch_adam(0.05, **torch_other, weight_decay=0.2, decoupled_weight_decay=True, amsgrad=True), p
            )
        },
    )
    yield Case(
        "beta1 0",
        *single(adam, "adam", rate=0.02, beta1=0.0, beta2=0.99, eps=1e-3),
        {"torch.optim.Adam": lambda p: torch_run(torch_adam(0.02, betas=(0.0, 0.99), eps=1e-3), p)},
    )
    yield Case(
        "like optax: its defaults",
        *single(adam, "adam", rate=0.02, like="optax"),
        {"optax.adam": lambda p: optax_run(lambda: optax.adam(0.02), p)},
    )
    yield Case(
        "like optax: epsRoot 0.1, rate that changes mid-run",
        *single(adam, "adam", rate=DROPPING, **OTHER, epsRoot=0.1, like="optax"),
        {"optax.adam": lambda p: optax_run(lambda: optax.adam(SCHEDULE, **optax_other, eps_root=0.1), p)},
    )
    yield Case(
        "like optax: amsgrad",
        *single(adam, "adam", rate=0.05, **OTHER, epsRoot=0.1, amsgrad=True, like="optax"),
        {"optax.amsgrad": lambda p: optax_run(lambda: optax.amsgrad(0.05, **optax_other, eps_root=0.1), p)},
    )
    yield Case(
        "like keras: its defaults",
        *single(adam, "adam", assumed={"rate": 1e-3}, like="keras"),
        {"keras.optimizers.Adam": lambda p: keras_run(keras_adam(), p)},
    )
    yield Case(
        "like keras: eps 0.01, decoupled decay, rate that changes mid-run",
        *single(adam, "adam", rate=DROPPING, **OTHER, weightDecay=0.2, like="keras"),
        {
            "keras.optimizers.Adam": lambda p: keras_run(
                keras_adam(1.0, **keras_other, weight_decay=0.2), p, dropping("learning_rate")
            )
        },
    )
    yield Case(
        "like keras: amsgrad",
        *single(adam, "adam", rate=0.05, **OTHER, amsgrad=True, like="keras"),
        {"keras.optimizers.Adam": lambda p: keras_run(keras_adam(0.05, **keras_other, amsgrad=True), p)},
    )
