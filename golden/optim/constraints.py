import keras
import numpy as np
import optax

from clip import chain
from clip_blocks import Transposed, unit_norms
from common import MATRICES, STEPS, Case, optax_run, per_leaf
from sgd import sgd

EPS = 1e-7


@per_leaf
def non_negative(u, x, s, t, h):
    return np.maximum(x + u, 0) - x


@per_leaf
def max_norm(u, x, s, t, h):
    norms = unit_norms(x + u)
    return (x + u) * (np.clip(norms, 0, h.get("max", 2)) / (h.get("eps", EPS) + norms)) - x


@per_leaf
def unit_norm(u, x, s, t, h):
    return (x + u) * (h.get("norm", 1) / (h.get("eps", EPS) + unit_norms(x + u))) - x


@per_leaf
def min_max_norm(u, x, s, t, h):
    norms, part = unit_norms(x + u), h.get("part", 1)
    wanted = part * np.clip(norms, h.get("min", 0), h.get("max", 1)) + (1 - part) * norms
    return (x + u) * (wanted / (h.get("eps", EPS) + norms)) - x


def constrained_run(make, problem):
    """Keras's SGD on variables with a constraint on their units, in Keras's layouts."""
    layout = Transposed(problem)
    axes = lambda x: tuple(range(x.ndim)) if np.squeeze(x).ndim <= 1 else tuple(range(x.ndim - 1))
    variables = [keras.Variable(p, dtype="float64") for p in layout.start()]
    for v in variables:
        v.constraint = make(axes(np.array(v)))
    optimizer = keras.optimizers.SGD(0.05)
    optimizer.build(variables)
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        optimizer.apply(layout.gradient([np.array(v) for v in variables]), variables)
        if t in STEPS:
            kept[t] = layout.back([np.array(v) for v in variables])
    return kept


def cases():
    def case(title, rule, name, hypers, make=None, agrees={}):
        label = {} if make is None else {f"keras.constraints.{make(0).__class__.__name__}": lambda p: constrained_run(make, p)}
        return Case(title, *chain((sgd, "sgd", {"rate": 0.05}), (rule, name, hypers)), {**label, **agrees}, problems=MATRICES)

    c = keras.constraints
    yield case("nonNegative", non_negative, "nonNegative", {}, lambda axis: c.NonNeg(), {
        "optax.keep_params_nonnegative": lambda p: optax_run(
            lambda: optax.chain(optax.sgd(0.05), optax.keep_params_nonnegative()), p
        )
    })
    yield case("maxNorm: its defaults", max_norm, "maxNorm", {}, lambda axis: c.MaxNorm(axis=axis))
    yield case("maxNorm 0.7", max_norm, "maxNorm", {"max": 0.7}, lambda axis: c.MaxNorm(0.7, axis=axis))
    yield case("maxNorm 0.7, eps 0.1", max_norm, "maxNorm", {"max": 0.7, "eps": 0.1})
    yield case("unitNorm: its defaults", unit_norm, "unitNorm", {}, lambda axis: c.UnitNorm(axis=axis))
    yield case("unitNorm 0.5, eps 0.1", unit_norm, "unitNorm", {"norm": 0.5, "eps": 0.1})
    yield case("minMaxNorm: its defaults", min_max_norm, "minMaxNorm", {}, lambda axis: c.MinMaxNorm(axis=axis))
    yield case(
        "minMaxNorm 0.6 to 0.9, a third of the way",
        min_max_norm,
        "minMaxNorm",
        {"min": 0.6, "max": 0.9, "part": 0.3},
        lambda axis: c.MinMaxNorm(0.6, 0.9, 0.3, axis=axis),
    )
    yield case("minMaxNorm, eps 0.1", min_max_norm, "minMaxNorm", {"eps": 0.1})
