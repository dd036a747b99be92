import numpy as np

from common import Case, per_leaf
from sgd import sgd


@per_leaf
def clip_vectors(u, x, s, t, h):
    return np.clip(u, -0.1, 0.1) if u.ndim == 1 else u


def cases():
    clipped = {"name": "masked", "transform": {"name": "clipByValue", "limit": 0.1}, "params": "vector"}
    config = {"name": "chain", "parts": [clipped, {"name": "sgd", "rate": 0.1}]}
    yield Case("clipping of vectors alone", config, [(clip_vectors, {}), (sgd, {"rate": 0.1})])
