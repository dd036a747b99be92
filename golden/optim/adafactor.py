import jax
import keras
import numpy as np
import optax
import torch

from common import MATRICES, Case, at, keras_run, optax_run, per_leaf, torch_run

DROPPING = {"kind": "stepDecay", "rate": 0.1, "everySteps": 10, "factor": 0.4}
#: Above 1 / sqrt(t) in steps 2 to 10.
STEEP = {"kind": "stepDecay", "rate": 0.8, "everySteps": 5, "factor": 0.5}
EPS1 = 2.0**-23


class Float64:
    """jax.numpy whose float32 is float64: optax rounds t^-p, and so all that follows, to float32."""

    float32 = jax.numpy.float64

    def __getattr__(self, name):
        return getattr(jax.numpy, name)


optax._src.factorized.jnp = Float64()


KERAS = "keras.optimizers.Adafactor, means in float64"


def exact_keras_run(make, problem, hypers):
    """Keras computes means in float32."""
    ops = keras.src.ops
    mean = ops.mean
    ops.mean = lambda x, axis=None, keepdims=False: jax.numpy.mean(
        ops.convert_to_tensor(x), axis=axis, keepdims=keepdims
    )
    try:
        return keras_run(make, problem, hypers)
    finally:
        ops.mean = mean


class ChannelsLast:
    """The problem with weights [in, out] and kernels [kh, kw, in, out], as optax's and Keras's layers have them."""

    def __init__(self, problem):
        self.problem = problem

    there = staticmethod(lambda ps: [p.transpose(2, 3, 1, 0) if p.ndim == 4 else p.T for p in ps])
    back = staticmethod(lambda ps: [p.transpose(3, 2, 0, 1) if p.ndim == 4 else p.T for p in ps])

    def start(self):
        return self.there(self.problem.start())

    def gradient(self, params):
        return self.there(self.problem.gradient(self.back(params)))

    def run(self, runner):
        return {t: self.back(values) for t, values in runner(self).items()}


def axes(shape, like, least):
    if len(shape) < 2:
        return None
    if like == "optax":
        order = [*range(2, len(shape)), 1, 0]
        first, second = sorted(order, key=lambda i: shape[i])[-2:]
    else:
        first, second = (1, 0) if like == "keras" else (len(shape) - 2, len(shape) - 1)
    return None if min(shape[first], shape[second]) < least else (first, second)


def rms(x):
    return np.sqrt((x**2).mean())


@per_leaf
def adafactor(g, x, s, t, h):
    f, like = x.dtype.type, h.get("like", "pytorch")
    eps1 = f(h.get("eps1", EPS1 if like == "pytorch" else 1e-30))
    fresh = f(t ** -h.get("beta2Decay", 0.8))
    least = h.get("minDimSizeToFactor", 128 if like == "optax" else 1)
    found = axes(x.shape, like, least) if h.get("factored", True) else None
    square = g**2 if like == "pytorch" else g**2 + eps1
    mean = lambda name, value: s.setdefault(name, np.zeros_like(value)) * (1 - fresh) + fresh * value
    if found is None:
        V = s["V"] = mean("V", square)
    else:
        first, second = found
        r = s["r"] = mean("r", square.mean(second, keepdims=True))
        c = s["c"] = mean("c", square.mean(first, keepdims=True))
        whole = r.mean(first, keepdims=True)
        V = r * c / np.maximum(whole, eps1) if like == "pytorch" else r / whole * c
    u = g / np.sqrt(np.maximum(V, eps1**2) if like == "pytorch" else V)

    a, decay = h["rate"], h.get("weightDecay", 0)
    rho = min(a, 1 / np.sqrt(t)) if h.get("relativeStep", like != "optax") else a
    decayed = x * f(1 - a * decay) if like == "keras" else x
    if h.get("multiplyByParameterScale", True):
        rho = rho * np.maximum(f(h.get("eps2", 1e-3)), rms(decayed))
    u = f(rho) * u / np.maximum(f(1), rms(u) / f(h.get("clipThreshold", 1)))
    if "momentum" in h:
        u = s["m"] = h["momentum"] * s.get("m", 0) + (1 - h["momentum"]) * u
    return -u - f(decay if like == "optax" else a * decay) * x


def single(**hypers):
    rate = {"optax": 1, "keras": 1e-3}.get(hypers.get("like"), 1e-2)
    return {"name": "adafactor", **hypers}, [(adafactor, {"rate": rate, **hypers})]


def cases():
    def case(name, agrees, **hypers):
        return Case(name, *single(**hypers), agrees, problems=MATRICES)

    torch_adafactor = lambda **options: lambda xs: torch.optim.Adafactor(xs, **options)
    yield case(
        "defaults, but eps1 of float32 given to PyTorch",
        {"torch.optim.Adafactor": lambda p: torch_run(torch_adafactor(eps=(EPS1, 1e-3)), p)},
    )
    yield case(
        "like pytorch: beta2Decay 0.5, eps 0.05 and 0.1, clipThreshold 1.5, weightDecay 0.2, rate that changes mid-run",
        {
            "torch.optim.Adafactor": lambda p: torch_run(
                torch_adafactor(lr=1.0, beta2_decay=-0.5, eps=(0.05, 0.1), d=1.5, weight_decay=0.2),
                p,
                lambda t: {"lr": at(STEEP, t)},
            )
        },
        rate=STEEP,
        beta2Decay=0.5,
        eps1=0.05,
        eps2=0.1,
        clipThreshold=1.5,
        weightDecay=0.2,
        like="pytorch",
    )
    channels_last = lambda make: lambda p: ChannelsLast(p).run(lambda q: optax_run(make, q))
    rounded = "optax.adafactor, t^-p in float64"
    yield case(
        "like optax: its defaults",
        {rounded: channels_last(lambda: optax.adafactor(0.02))},
        rate=0.02,
        like="optax",
    )
    other = {
        "decay_rate": 0.5,
        "clipping_threshold": 1.5,
        "momentum": 0.8,
        "dtype_momentum": np.float64,
        "weight_decay_rate": 0.02,
        "eps": 0.01,
    }
    given = {"rate": DROPPING, "beta2Decay": 0.5, "clipThreshold": 1.5, "momentum": 0.8, "weightDecay": 0.02, "eps1": 0.01}
    rate = lambda k: at(DROPPING, k + 1)
    yield case(
        "like optax: factored from size 2, momentum 0.8, decay, without parameter scale, rate that changes mid-run",
        {
            rounded: channels_last(
                lambda: optax.adafactor(
                    rate, min_dim_size_to_factor=2, multiply_by_parameter_scale=False, **other
                )
            )
        },
        **given,
        minDimSizeToFactor=2,
        multiplyByParameterScale=False,
        like="optax",
    )
    yield case(
        "like optax: not factored, momentum 0.8, decay, rate that changes mid-run",
        {
            rounded: channels_last(
                lambda: optax.adafactor(rate, min_dim_size_to_factor=2, factored=False, **other)
            )
        },
        **given,
        minDimSizeToFactor=2,
        factored=False,
        like="optax",
    )
    yield case("relativeStep false", {}, rate=STEEP, relativeStep=False, eps2=0.1)
    keras_adafactor = lambda make, hypers: lambda p: ChannelsLast(p).run(lambda q: exact_keras_run(make, q, hypers))
    yield case(
        "like keras: its defaults",
        {KERAS: keras_adafactor(lambda: keras.optimizers.Adafactor(), lambda t: {})},
        like="keras",
    )
    yield case(
        "like keras: beta2Decay 0.5, eps 0.01 and 0.1, clipThreshold 1.5, decay, rate that changes mid-run",
        {
            KERAS: keras_adafactor(
                lambda: keras.optimizers.Adafactor(
                    0.1, beta_2_decay=-0.5, epsilon_1=0.01, epsilon_2=0.1, clip_threshold=1.5, weight_decay=0.2
                ),
                lambda t: {"learning_rate": at(STEEP, t)},
            )
        },
        rate=STEEP,
        beta2Decay=0.5,
        eps1=0.01,
        eps2=0.1,
        clipThreshold=1.5,
        weightDecay=0.2,
        like="keras",
    )
