import jax
import numpy as np
import optax

from common import PROBLEMS, Case, at, optax_run
from dadapt_adamw import whole

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.5}
#: Its Hessian is diagonal, so that Hutchinson's estimate is exact, whatever the random signs.
QUADRATIC = [p for p in PROBLEMS if p.name == "quadratic"]


def sophia(gs, xs, states, t, h):
    f = xs[0].dtype.type
    beta1, beta2 = f(h.get("beta1", 0.965)), f(h.get("beta2", 0.99))
    limit, eps, gamma = f(h.get("limit", 1)), f(h.get("eps", 1e-8)), f(h.get("gamma", 0.01))
    steps = []
    for s, g, x in zip(states, gs, xs):
        s["m"] = beta1 * s.get("m", 0 * g) + (1 - beta1) * g
        u = s["m"] / f(1 - float(beta1) ** t) / np.maximum(gamma * s.get("h", 0 * g), eps)
        steps.append(-f(h["rate"]) * (np.clip(u, -limit, limit) + f(h.get("weightDecay", 1e-4)) * x))
    if (t - 1) % h.get("updateInterval", 10) == 0:
        # H z = g(x + z) - g(x) for a quadratic; here z = 1.
        products = [a - b for a, b in zip(h["gradient_at"]([x + 1 for x in xs]), gs)]
        for s, d in zip(states, products):
            s["h"] = beta2 * s.get("h", 0 * d) + (1 - beta2) * d
    return steps


def sophia_of(*args, **options):
    def run(problem):
        h, b = (jax.numpy.array(problem.data[k]) for k in "hb")
        objective = lambda params: (h * (params[0] - b) ** 2).sum() / 2
        return optax_run(lambda: optax.contrib.sophia(*args, **options), problem, lambda _: {"obj_fn": objective})

    return run


def cases():
    yield Case(
        "defaults",
        *whole(sophia, "sophia", rate=0.1),
        {"optax.contrib.sophia": sophia_of(0.1)},
        problems=QUADRATIC,
    )
    own = {"beta1": 0.8, "beta2": 0.7, "eps": 0.01, "gamma": 0.3, "limit": 2, "updateInterval": 3, "weightDecay": 0.2}
    theirs = dict(b1=0.8, b2=0.7, eps=0.01, gamma=0.3, clip_threshold=2, update_interval=3, weight_decay=0.2)
    yield Case(
        "betas 0.8 and 0.7, eps 0.01, gamma 0.3, limit 2, interval 3, decay, rate that changes mid-run",
        *whole(sophia, "sophia", rate=DROPPING, **own),
        {"optax.contrib.sophia": sophia_of(lambda k: at(DROPPING, k + 1), **theirs)},
        problems=QUADRATIC,
    )
