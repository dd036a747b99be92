import types

import jax
import numpy as np
import optax

from adam import adam
from common import MATRICES, Case, Mlp, at, optax_run
from momentum import lecture

DROPPING = {"kind": "stepDecay", "rate": 0.1, "everySteps": 5, "factor": 0.7}


def signed(rows, np=np):
    """With each row's largest entry positive."""
    return rows * np.where(rows.max(1) >= -rows.min(1), 1, -1)[:, None].astype(rows.dtype)


class Signed:
    """jax.numpy whose float32 is float64 and whose singular vectors have a sign: optax's are LAPACK's, in float32."""

    float32 = jax.numpy.float64

    def svd(a, full_matrices):
        u, s, vh = jax.numpy.linalg.svd(a, full_matrices=full_matrices)
        return signed(u.T, jax.numpy).T, s, signed(vh, jax.numpy)

    linalg = types.SimpleNamespace(svd=svd)

    def __getattr__(self, name):
        return getattr(jax.numpy, name)


optax.contrib._galore.jnp = Signed()


def galore(rule, own):
    """`own`: the hyperparameters of the rule within."""

    def update(gs, xs, states, t, h):
        matrices = [x.ndim >= 2 if h.get("kernels", True) else x.ndim == 2 for x in xs]
        low, forms = [], []
        for g, x, s, is_matrix in zip(gs, xs, states, matrices):
            if not is_matrix:
                low.append(g)
                forms.append(None)
                continue
            flat = g.reshape(len(g), -1)
            out, into = flat.shape
            turned = flat if into >= out else flat.T
            if (t - 1) % h.get("updateProjGap", 200) == 0:
                s["P"] = signed(np.linalg.svd(turned, full_matrices=False)[2])[: h.get("rank", 128)]
            low.append(turned @ s["P"].T)
            forms.append((flat.shape, into >= out))
        inner = [s.setdefault("inner", {}) for s in states]
        values = {name: at(value, t) for name, value in own.items()}
        us = []
        for u, x, s, form in zip(rule(low, low, inner, t, values), xs, states, forms):
            if form is not None:
                u = u @ s["P"] if form[1] else (u @ s["P"]).T
                u = h.get("scale", 1) * u.reshape(x.shape)
            us.append(h["rate"] * u - h["rate"] * h.get("weightDecay", 0) * x)
        return us

    return update


def optax_galore(kernels=True, **options):
    """Weights are [out, in, ...] here."""
    dims = optax.contrib._galore.GaLoreDimensionNumbers
    spec = lambda p: dims(tuple(range(1, p.ndim)), 0) if (p.ndim >= 2 if kernels else p.ndim == 2) else None

    def make(problem):
        optimizer = optax.contrib.galore(**options, weight_dimension_numbers=[spec(p) for p in problem.start()])
        return optax.GradientTransformation(optimizer.init, jax.jit(optimizer.update))

    return {"optax.contrib.galore, singular vectors in float64 and signed": lambda p: optax_run(lambda: make(p), p)}


def cases():
    yield Case(
        "defaults",
        {"name": "galore", "rate": 0.02},
        [(galore(adam, {"rate": 1}), {"rate": 0.02})],
        optax_galore(learning_rate=0.02),
        problems=(Mlp(),),
    )
    given = {"rate": DROPPING, "rank": 2, "updateProjGap": 7, "scale": 0.5, "weightDecay": 0.2}
    yield Case(
        "rank 2, directions anew every 7 steps, scale, decay, rate that changes mid-run",
        {"name": "galore", **given},
        [(galore(adam, {"rate": 1}), given)],
        optax_galore(
            learning_rate=lambda k: at(DROPPING, k + 1), rank=2, update_proj_gap=7, scale=0.5, weight_decay=0.2
        ),
        problems=MATRICES,
    )
    own = {"rate": 1, "momentum": 0.8, "like": "lecture"}
    yield Case(
        "rank 1 around momentum, no kernels",
        {"name": "galore", "rate": 0.02, "rank": 1, "kernels": False, "transform": {"name": "momentum", **own}},
        [(galore(lecture, own), {"rate": 0.02, "rank": 1, "kernels": False})],
        optax_galore(kernels=False, learning_rate=0.02, rank=1, base_optimizer=optax.trace(0.8)),
        problems=MATRICES,
    )
