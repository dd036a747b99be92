import numpy as np
import optax

from common import Case, at, optax_run
from dadapt_adamw import DROPPING, absolute, dot, whole


def prodigy(gs, xs, states, t, h):
    beta1, beta2, eps = h.get("beta1", 0.9), h.get("beta2", 0.999), h.get("eps", 1e-8)
    beta3, d0 = h.get("beta3", beta2**0.5), h.get("initial", 1e-6)
    f = gs[0].dtype.type
    z = states[0]
    if t == 1:
        z["d"], z["r"], z["x0"] = f(d0), f(0), xs
        for s, x in zip(states, xs):
            s["m"] = s["v"] = s["s"] = 0 * x
    d = z["d"]
    k = f(d * h["rate"] * np.sqrt(1 - beta2**t) / (1 - beta1**t))
    z["r"] = f(beta3 * z["r"] + d / d0 * k * dot(gs, [x0 - x for x, x0 in zip(xs, z["x0"])]))
    for s, g in zip(states, gs):
        s["m"] = beta1 * s["m"] + (1 - beta1) * (d * g)
        s["v"] = beta2 * s["v"] + (1 - beta2) * (d * g) ** 2
        s["s"] = beta3 * s["s"] + f((d if h.get("safeguardWarmup") else k) / d0) * d * g
    z["d"] = f(max(d, h.get("growth", 1) * z["r"] / absolute([s["s"] for s in states])))
    decay = f(h.get("weightDecay", 0)) * k
    return [-k * s["m"] / (np.sqrt(s["v"]) + z["d"] * f(eps)) - decay * x for s, x in zip(states, xs)]


def cases():
    yield Case(
        "defaults",
        *whole(prodigy, "prodigy", rate=1),
        {"optax.contrib.prodigy": lambda p: optax_run(lambda: optax.contrib.prodigy(), p)},
    )
    yield Case(
        "betas 0.8, 0.95 and 0.9, eps 0.001, initial 0.001, growth 0.5, decoupled decay, rate that changes mid-run",
        *whole(
            prodigy,
            "prodigy",
            rate=DROPPING,
            beta1=0.8,
            beta2=0.95,
            beta3=0.9,
            eps=0.001,
            initial=0.001,
            growth=0.5,
            weightDecay=0.2,
        ),
        {
            "optax.contrib.prodigy": lambda p: optax_run(
                lambda: optax.contrib.prodigy(
                    lambda k: at(DROPPING, k + 1),
                    (0.8, 0.95),
                    0.9,
                    0.001,
                    estim_lr0=0.001,
                    estim_lr_coef=0.5,
                    weight_decay=0.2,
                ),
                p,
            )
        },
    )
    yield Case(
        "safeguarded warm-up",
        *whole(prodigy, "prodigy", rate=DROPPING, initial=0.001, growth=3, safeguardWarmup=True),
        {
            "optax.contrib.prodigy": lambda p: optax_run(
                lambda: optax.contrib.prodigy(
                    lambda k: at(DROPPING, k + 1), estim_lr0=0.001, estim_lr_coef=3, safeguard_warmup=True
                ),
                p,
            )
        },
    )
