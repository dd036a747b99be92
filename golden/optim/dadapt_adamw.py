import numpy as np
import optax

from common import Case, at, optax_run

DROPPING = {"kind": "stepDecay", "rate": 1, "everySteps": 5, "factor": 0.8}


def dot(xs, ys):
    return sum((x * y).sum() for x, y in zip(xs, ys))


def absolute(xs):
    return sum(np.abs(x).sum() for x in xs)


def dadapt_adamw(gs, xs, states, t, h):
    beta1, beta2, eps = h.get("beta1", 0.9), h.get("beta2", 0.999), h.get("eps", 1e-8)
    f = gs[0].dtype.type
    z = states[0]
    if t == 1:
        z["d"], z["r"] = f(h.get("initial", 1e-6)), f(0)
        for s, x in zip(states, xs):
            s["m"] = s["v"] = s["s"] = 0 * x
    b = beta2**0.5
    k = f(z["d"] * h["rate"] * np.sqrt(1 - beta2**t) / (1 - beta1**t))
    z["r"] = f(b * z["r"] + (1 - b) * k * dot(gs, [s["s"] / (np.sqrt(s["v"]) + eps) for s in states]))
    for s, g in zip(states, gs):
        s["m"] = beta1 * s["m"] + f(1 - beta1) * k * g
        s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
        s["s"] = b * s["s"] + f(1 - b) * k * g
    z["d"] = f(max(z["d"], z["r"] / ((1 - b) * absolute([s["s"] for s in states]))))
    decay = f(h.get("weightDecay", 0)) * k
    return [-s["m"] / (np.sqrt(s["v"]) + eps) - decay * x for s, x in zip(states, xs)]


def whole(rule, name, **hypers):
    return {"name": name, **hypers}, [(rule, hypers)]


def cases():
    yield Case(
        "defaults",
        *whole(dadapt_adamw, "dadaptAdamw", rate=1),
        {"optax.contrib.dadapt_adamw": lambda p: optax_run(lambda: optax.contrib.dadapt_adamw(), p)},
    )
    yield Case(
        "betas 0.8 and 0.95, eps 0.001, initial 0.01, decoupled decay, rate that changes mid-run",
        *whole(
            dadapt_adamw,
            "dadaptAdamw",
            rate=DROPPING,
            beta1=0.8,
            beta2=0.95,
            eps=0.001,
            initial=0.01,
            weightDecay=0.2,
        ),
        {
            "optax.contrib.dadapt_adamw": lambda p: optax_run(
                lambda: optax.contrib.dadapt_adamw(
                    lambda k: at(DROPPING, k + 1), (0.8, 0.95), 0.001, estim_lr0=0.01, weight_decay=0.2
                ),
                p,
            )
        },
    )
