import numpy as np
import optax

from common import Case, optax_run, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.02, "everySteps": 5, "factor": 0.4}
dropping = lambda count: 0.02 * 0.4 ** (count // 5)


def optimistic(d, s, h):
    before = s.get("before", d)
    s["before"] = d
    alpha, beta = h.get("alpha", 1), h.get("beta", 1)
    return -h["rate"] * ((alpha + beta) * d - beta * before)


@per_leaf
def descent(g, x, s, t, h):
    return optimistic(g, s, h)


@per_leaf
def adam(g, x, s, t, h):
    b1, b2 = h.get("beta1", 0.9), h.get("beta2", 0.999)
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    m_hat = m / (1 - b1**t)
    if h.get("nesterov", True):
        m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
    return optimistic(m_hat / (np.sqrt(v / (1 - b2**t) + h.get("epsRoot", 0)) + h.get("eps", 1e-8)), s, h)


def cases():
    yield Case(
        "gradient descent: defaults",
        *single(descent, "optimisticGradientDescent", rate=0.02),
        {"optax.optimistic_gradient_descent": lambda p: optax_run(lambda: optax.optimistic_gradient_descent(0.02), p)},
    )
    yield Case(
        "gradient descent: other weights, rate that changes mid-run",
        *single(descent, "optimisticGradientDescent", rate=DROPPING, alpha=0.8, beta=0.5),
        {
            "optax.optimistic_gradient_descent": lambda p: optax_run(
                lambda: optax.optimistic_gradient_descent(dropping, alpha=0.8, beta=0.5), p
            )
        },
    )
    yield Case(
        "adam: defaults",
        *single(adam, "optimisticAdam", rate=0.01),
        {"optax.optimistic_adam_v2": lambda p: optax_run(lambda: optax.optimistic_adam_v2(0.01), p)},
    )
    yield Case(
        "adam: other numbers, without nesterov, rate that changes mid-run",
        *single(
            adam,
            "optimisticAdam",
            rate=DROPPING,
            alpha=0.8,
            beta=0.5,
            beta1=0.8,
            beta2=0.95,
            eps=0.01,
            epsRoot=0.001,
            nesterov=False,
        ),
        {
            "optax.optimistic_adam_v2": lambda p: optax_run(
                lambda: optax.optimistic_adam_v2(
                    dropping, alpha=0.8, beta=0.5, b1=0.8, b2=0.95, eps=0.01, eps_root=0.001, nesterov=False
                ),
                p,
            )
        },
    )
