import keras
import numpy as np
import optax

from clip import chain
from common import MATRICES, Case, at, keras_run, optax_run, per_leaf
from sgd import sgd

DROPPING = {"kind": "stepDecay", "rate": 0.5, "everySteps": 5, "factor": 0.7}


def shrink(limit, size):
    """min(1, limit / size) where size may be 0."""
    return np.minimum(1, limit / np.where(size == 0, limit, size)).astype(size.dtype)


@per_leaf
def clip_by_norm(g, x, s, t, h):
    return g * shrink(h["maxNorm"], np.sqrt((g**2).sum()))


@per_leaf
def clip_by_block_rms(g, x, s, t, h):
    return g * shrink(h["maxRms"], np.sqrt((g**2).mean()))


def unit_norms(x):
    """Over all axes but the first; over all, where at most one axis is longer than 1."""
    axes = tuple(range(x.ndim))
    return np.sqrt((x**2).sum(axes if np.squeeze(x).ndim <= 1 else axes[1:], keepdims=True))


@per_leaf
def adaptive_clip(g, x, s, t, h):
    return g * shrink(h.get("ratio", 0.01) * np.maximum(unit_norms(x), h.get("eps", 1e-3)), unit_norms(g))


class Transposed:
    """A problem in flax's layouts: [in, out] and [height, width, in, out]."""

    def __init__(self, problem):
        self.problem = problem

    def there(self, xs):
        return [x.transpose(2, 3, 1, 0) if x.ndim == 4 else x.T for x in xs]

    def back(self, xs):
        return [x.transpose(3, 2, 0, 1) if x.ndim == 4 else x.T for x in xs]

    def start(self):
        return self.there(self.problem.start())

    def gradient(self, xs):
        return self.there(self.problem.gradient(self.back(xs)))

    def run(self, run):
        return {t: self.back(xs) for t, xs in run(self).items()}


def cases():
    step = (sgd, "sgd", {"rate": 0.05})
    then = lambda transform: lambda p: optax_run(lambda: optax.chain(transform, optax.sgd(0.05)), p)
    yield Case(
        "clipByNorm, a limit that changes mid-run",
        *chain((clip_by_norm, "clipByNorm", {"maxNorm": DROPPING}), step),
        {
            "keras.optimizers.SGD(clipnorm)": lambda p: keras_run(
                lambda: keras.optimizers.SGD(0.05, clipnorm=1.0), p, lambda t: {"clipnorm": at(DROPPING, t)}
            )
        },
        problems=MATRICES,
    )
    yield Case(
        "clipByBlockRms",
        *chain((clip_by_block_rms, "clipByBlockRms", {"maxRms": 0.1}), step),
        {"optax.clip_by_block_rms": then(optax.clip_by_block_rms(0.1))},
    )
    yield Case(
        "adaptiveClip: its defaults",
        *chain((adaptive_clip, "adaptiveClip", {}), step),
        {"optax.adaptive_grad_clip": lambda p: Transposed(p).run(then(optax.adaptive_grad_clip(0.01)))},
        problems=MATRICES,
    )
    yield Case(
        "adaptiveClip: eps 0.5",
        *chain((adaptive_clip, "adaptiveClip", {"ratio": 0.1, "eps": 0.5}), step),
        {"optax.adaptive_grad_clip": lambda p: Transposed(p).run(then(optax.adaptive_grad_clip(0.1, eps=0.5)))},
        problems=MATRICES,
    )
