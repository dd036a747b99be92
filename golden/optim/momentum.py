import keras
import optax
import torch

from common import Case, at, keras_run, optax_run, per_leaf, single, torch_run

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}
GROWING = {"kind": "warmup", "rate": 0.95, "from": 0.5, "steps": 20}


@per_leaf
def lecture(g, x, s, t, h):
    v = s["v"] = h["momentum"] * s.get("v", 0) - h["rate"] * g
    return v


@per_leaf
def lecture_nesterov(g, x, s, t, h):
    """The lecture's words: x += -mu v_previous + (1 + mu) v"""
    mu, previous = h["momentum"], s.get("v", 0)
    v = s["v"] = mu * previous - h["rate"] * g
    return -mu * previous + (1 + mu) * v


@per_leaf
def pytorch(g, x, s, t, h):
    mu, tau = h["momentum"], h.get("dampening", 0)
    v = s["v"] = g if t == 1 else mu * s["v"] + (1 - tau) * g
    return -h["rate"] * (g + mu * v if h["nesterov"] else v)


def config(rule, **hypers):
    return single(rule, "momentum", **hypers)


def sgd(lr, **options):
    return lambda xs: torch.optim.SGD(xs, lr=lr, **options)


def cases():
    rate = {"rate": 0.02}
    keras_sgd = lambda **options: lambda: keras.optimizers.SGD(0.02, **options)
    yield Case(
        "lecture",
        *config(lecture, **rate, momentum=0.9, like="lecture"),
        {
            "torch.optim.SGD, equal while the rate is constant": lambda p: torch_run(sgd(0.02, momentum=0.9), p),
            "keras.optimizers.SGD": lambda p: keras_run(keras_sgd(momentum=0.9), p),
        },
    )
    yield Case(
        "lecture, momentum 0.5",
        *config(lecture, **rate, momentum=0.5),
        {"keras.optimizers.SGD": lambda p: keras_run(keras_sgd(momentum=0.5), p)},
    )
    yield Case(
        "lecture, rate that changes mid-run",
        *config(lecture, rate=DROPPING, momentum=0.9, like="lecture"),
        {
            "keras.optimizers.SGD": lambda p: keras_run(
                keras_sgd(momentum=0.9), p, lambda t: {"learning_rate": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "pytorch, rate that changes mid-run",
        *config(pytorch, rate=DROPPING, momentum=0.9, nesterov=False, like="pytorch"),
        {
            "torch.optim.SGD": lambda p: torch_run(sgd(1.0, momentum=0.9), p, lambda t: {"lr": at(DROPPING, t)}),
            "optax.sgd": lambda p: optax_run(
                lambda: optax.sgd(lambda count: 0.02 * 0.4 ** (count // 5), momentum=0.9), p
            ),
        },
    )
    yield Case("lecture, momentum that grows", *config(lecture, **rate, momentum=GROWING))
    yield Case(
        "lecture, nesterov, rate that changes mid-run",
        *config(lecture_nesterov, rate=DROPPING, momentum=0.8, nesterov=True, like="lecture"),
        {
            "keras.optimizers.SGD": lambda p: keras_run(
                keras_sgd(momentum=0.8, nesterov=True), p, lambda t: {"learning_rate": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "pytorch, nesterov, rate that changes mid-run",
        *config(pytorch, rate=DROPPING, momentum=0.8, nesterov=True, like="pytorch"),
        {
            "torch.optim.SGD": lambda p: torch_run(
                sgd(1.0, momentum=0.8, nesterov=True), p, lambda t: {"lr": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "pytorch, dampening",
        *config(pytorch, **rate, momentum=0.9, nesterov=False, like="pytorch", dampening=0.5),
        {"torch.optim.SGD": lambda p: torch_run(sgd(0.02, momentum=0.9, dampening=0.5), p)},
    )
    yield Case(
        "like pytorch, L2, rate that changes mid-run",
        *config(pytorch, rate=DROPPING, momentum=0.9, nesterov=False, like="pytorch", weightDecay=0.2),
        {
            "torch.optim.SGD": lambda p: torch_run(
                sgd(1.0, momentum=0.9, weight_decay=0.2), p, lambda t: {"lr": at(DROPPING, t)}
            )
        },
    )
    yield Case(
        "like optax, nesterov",
        *config(pytorch, **rate, momentum=0.9, nesterov=True, like="optax"),
        {"optax.sgd": lambda p: optax_run(lambda: optax.sgd(0.02, momentum=0.9, nesterov=True), p)},
    )
    yield Case(
        "like keras, decoupled decay, rate that changes mid-run",
        *config(lecture, rate=DROPPING, momentum=0.9, like="keras", weightDecay=0.2),
        {
            "keras.optimizers.SGD": lambda p: keras_run(
                keras_sgd(momentum=0.9, weight_decay=0.2), p, lambda t: {"learning_rate": at(DROPPING, t)}
            )
        },
    )
