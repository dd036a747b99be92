import numpy as np
import optax

from common import Case, at, flat, optax_run, single

DROPPING = {"kind": "stepDecay", "rate": 1.5, "everySteps": 5, "factor": 0.7}


def norm(xs):
    return np.sqrt(sum((x * x).sum() for x in xs))


def dog(gs, xs, states, t, h):
    start, initial = h.get("start", "heuristic"), h.get("initial", 1e-6)
    s = states[0]
    if t == 1:
        s["x0"], s["G"] = xs, 0
        s["r"] = {"heuristic": initial * (1 + norm(xs)), "distance": initial, "rate": 0}[start]
    s["r"] = max(s["r"], norm([x - x0 for x, x0 in zip(xs, s["x0"])]))
    s["G"] = s["G"] + norm(gs) ** 2
    rate = s["r"] / np.sqrt(s["G"] + h.get("eps", 1e-8))
    if start == "rate" and t == 1:
        rate = initial
    return [gs[0].dtype.type(-h["rate"] * rate) * g for g in gs]


def cases():
    yield Case(
        "defaults",
        *single(dog, "dog", rate=1),
        {"optax.contrib.dog": lambda p: optax_run(lambda: optax.contrib.dog(), p)},
    )
    for start, theirs, initial in (("distance", "distance", 0.1), ("rate", "learning_rate", 0.01), ("heuristic",) * 2 + (0.02,)):
        yield Case(
            f"{start} {initial}, eps 0.01, L2, rate that changes mid-run",
            *single(dog, "dog", rate=DROPPING, start=start, initial=initial, eps=0.01, weightDecay=0.2),
            {
                "optax.contrib.dog": lambda p: optax_run(
                    lambda: optax.contrib.dog(
                        lambda k: at(DROPPING, k + 1), (theirs, initial), eps=0.01, weight_decay=0.2
                    ),
                    p,
                )
            },
        )
