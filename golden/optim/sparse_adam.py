import numpy as np
import torch

from adam import DROPPING, OTHER
from common import ROWS, Case, at, per_leaf, single, torch_run


@per_leaf
def sparse_adam(g, x, s, t, h):
    """Adam as at the end of Kingma and Ba's section 2, in the rows that have a gradient."""
    b1, b2, eps = h.get("beta1", 0.9), h.get("beta2", 0.999), h.get("eps", 1e-8)
    m, v = s.setdefault("m", np.zeros_like(g)), s.setdefault("v", np.zeros_like(g))
    u = np.zeros_like(g)
    for row in range(len(g)):
        if (g[row] != 0).any():
            m[row] = b1 * m[row] + (1 - b1) * g[row]
            v[row] = b2 * v[row] + (1 - b2) * g[row] ** 2
            u[row] = -h["rate"] * (1 - b2**t) ** 0.5 / (1 - b1**t) * m[row] / (np.sqrt(v[row]) + eps)
    return u


def cases():
    def sparsely(params):
        for p in params:
            p.grad = p.grad.to_sparse(1)

    torch_sparse = lambda **options: lambda xs: torch.optim.SparseAdam(xs, **options)
    yield Case(
        "defaults",
        *single(sparse_adam, "sparseAdam", assumed={"rate": 1e-3}),
        {"torch.optim.SparseAdam": lambda p: torch_run(torch_sparse(), p, before=sparsely)},
        problems=ROWS,
    )
    yield Case(
        "other betas, eps 0.01, rate that changes mid-run",
        *single(sparse_adam, "sparseAdam", rate=DROPPING, **OTHER),
        {
            "torch.optim.SparseAdam": lambda p: torch_run(
                torch_sparse(lr=1.0, betas=(0.8, 0.95), eps=0.01), p, lambda t: {"lr": at(DROPPING, t)}, sparsely
            )
        },
        problems=ROWS,
    )
