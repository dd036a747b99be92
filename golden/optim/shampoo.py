import numpy as np

from common import MATRICES, Case, per_leaf, single

DROPPING = {"kind": "stepDecay", "rate": 0.2, "everySteps": 5, "factor": 0.7}


def inverse_root(h, p, floor):
    values, vectors = np.linalg.eigh(h)
    return (vectors * np.maximum(values, floor) ** (-1 / p)) @ vectors.T


@per_leaf
def shampoo(g, x, s, t, h):
    f = x.dtype.type
    eps, b2 = f(h.get("eps", 1e-4)), h.get("beta2")
    u = g
    for axis, size in enumerate(g.shape):
        G = np.moveaxis(g, axis, 0).reshape(size, -1)
        full = g.ndim > 1 and size <= h.get("maxDimension", 256)
        added = G @ G.T if full else (G**2).sum(1)
        H = s.get(("H", axis), eps * (np.eye(size, dtype=f) if full else np.ones(size, f)))
        H = s["H", axis] = H + added if b2 is None else f(b2) * H + f(1 - b2) * added
        if not full:
            shape = [size if i == axis else 1 for i in range(g.ndim)]
            u = u * (np.maximum(H, eps) ** f(-0.5 / g.ndim)).reshape(shape)
            continue
        if (t - 1) % h.get("refreshEvery", 10) == 0:
            s["root", axis] = inverse_root(H, 2 * g.ndim, eps)
        u = np.moveaxis(np.tensordot(s["root", axis], u, (1, axis)), 0, axis)
    if "momentum" in h:
        u = s["m"] = h["momentum"] * s.get("m", 0) + u
    return -h["rate"] * u


def cases():
    def case(name, **hypers):
        return Case(name, *single(shampoo, "shampoo", **hypers), problems=MATRICES)

    yield case("defaults", rate=0.1)
    yield case(
        "eps 0.01, momentum 0.8, roots in each step, L2, rate that changes mid-run",
        rate=DROPPING,
        eps=0.01,
        momentum=0.8,
        refreshEvery=1,
        weightDecay=0.1,
    )
    yield case(
        "eps 0.01, beta2 0.9, diagonals of axes longer than 3, decoupled decay",
        rate=0.05,
        eps=0.01,
        beta2=0.9,
        maxDimension=3,
        weightDecay=0.1,
        decoupled=True,
    )
