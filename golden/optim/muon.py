import contextlib
import math

import jax
import keras
import numpy as np
import optax
import torch

from adam import adam
from common import MATRICES, STEPS, Case, at, keras_run, optax_run
from nadam import nadam

DROPPING = {"kind": "stepDecay", "rate": 0.1, "everySteps": 5, "factor": 0.6}
DION = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)


def newton_schulz(matrix, steps, eps, preconditioning, floor):
    rows, columns = matrix.shape
    x = matrix if rows < columns else matrix.T
    f = x.dtype.type
    divided = lambda norm: x / (np.maximum(norm, f(eps)) if floor else norm + f(eps))
    gram = None
    if preconditioning == "frobenius":
        x = divided(np.linalg.norm(x))
    elif preconditioning == "spectral":
        x = divided(np.linalg.norm(x, ord=2))
    elif preconditioning == "schatten":
        gram = x @ x.T
        s = 1 / np.sqrt(np.maximum(np.linalg.norm(gram), f(eps)))
        x, gram = x * s, gram * s**2
    else:
        gram = x @ x.T
        s = 1 / np.sqrt(np.maximum(np.abs(gram).sum(1, keepdims=True), f(eps)))
        x, gram = x * s, gram * s * s.T
    for a, b, c in steps:
        A = x @ x.T if gram is None else gram
        gram = None
        x = f(a) * x + (f(b) * A + f(c) * A @ A) @ x
    return x if rows < columns else x.T


def muon(gs, xs, states, t, h):
    """All that is no matrix goes through Adam, like optax with Nesterov's momentum."""
    like = h.get("like", "pytorch")
    kernels = h.get("kernels", like == "pytorch")
    nesterov = h.get("nesterov", True)
    return [
        matrix(g, x, s, t, h, like, nesterov)
        if (x.ndim >= 2 if kernels else x.ndim == 2)
        else other(g, x, s, t, h, like, nesterov)
        for g, x, s in zip(gs, xs, states)
    ]


def matrix(g, x, s, t, h, like, nesterov):
    mu, eps = h.get("momentum", 0.95), h.get("eps", 1e-8 if like == "optax" else 1e-7)
    old = s.get("m", 0 * g)
    if like == "keras":
        m = s["m"] = mu * old + g
        mean = mu * m + g if nesterov else m
    else:
        m = s["m"] = mu * old + (1 - mu) * g
        now, ahead = (1 - mu**t, 1 - mu ** (t + 1)) if like == "optax" else (1, 1)
        mean = mu * m / ahead + (1 - mu) * g / now if nesterov else m / now
    flat = mean.reshape(len(mean), -1)
    steps = (
        DION
        if h.get("coefficients") == "dion"
        else [(h.get("nsA", 3.4445), h.get("nsB", -4.775), h.get("nsC", 2.0315))] * h.get("nsSteps", 5)
    )
    o = newton_schulz(flat, steps, eps, h.get("preconditioning", "frobenius"), like == "pytorch")
    if h.get("adaptive"):
        o = o * (o * flat).sum()
    out, into = flat.shape
    scale = {
        "original": math.sqrt(max(1, out / into)),
        "matchRmsAdamw": h.get("rms", 0.2) * math.sqrt(max(out, into)),
        "spectralUnclamped": math.sqrt(out / into),
        "none": 1,
    }[h.get("adjustRate", "matchRmsAdamw" if like == "keras" else "original")]
    decay = h.get("weightDecay", {"pytorch": 0.1, "optax": 0, "keras": 4e-3}[like])
    return -h["rate"] * scale * o.reshape(x.shape) - h["rate"] * decay * x


def other(g, x, s, t, h, like, nesterov):
    rate = h.get("adamRate", h["rate"])
    scaled = rate * h.get("adamRateFactor", 1)
    own = {
        "rate": scaled,
        "beta1": h.get("adamBeta1", 0.9),
        "beta2": h.get("adamBeta2", 0.999),
        "eps": h.get("adamEps", 1e-7 if like == "keras" else 1e-8),
        "epsRoot": h.get("adamEpsRoot", 0),
        "like": like,
    }
    decay = h.get("adamWeightDecay", {"pytorch": 0.01, "optax": 0, "keras": 4e-3}[like])
    rule = nadam if like == "optax" and nesterov else adam
    (u,) = rule([g], [x], [s], t, own)
    return u - (rate if like == "keras" else scaled) * decay * x


@contextlib.contextmanager
def exact():
    """Without rounding to bfloat16 torch.optim.Muon is the equation."""
    rounding = torch.Tensor.bfloat16
    torch.Tensor.bfloat16 = lambda self: self.clone()
    try:
        yield
    finally:
        torch.Tensor.bfloat16 = rounding


def torch_run(problem, options, adam_options, rate=None, rounded=False):
    """torch.optim.Muon for matrices, kernels as [out, in kh kw], and torch.optim.AdamW for the others."""
    params = [torch.tensor(p.reshape(len(p), -1) if p.ndim > 1 else p, requires_grad=True) for p in problem.start()]
    muon = torch.optim.Muon([p for p in params if p.ndim > 1], **options)
    adamw = torch.optim.AdamW([p for p in params if p.ndim == 1], **adam_options)
    shapes = [p.shape for p in problem.start()]
    value = lambda: [p.detach().numpy().copy().reshape(shape) for p, shape in zip(params, shapes)]
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        for p, g in zip(params, problem.gradient(value())):
            p.grad = torch.tensor(g.reshape(p.shape))
        for optimizer in (muon, adamw):
            if rate:
                optimizer.param_groups[0]["lr"] = at(rate, t)
            with contextlib.nullcontext() if rounded else exact():
                optimizer.step()
        if t in STEPS:
            kept[t] = value()
    return kept


def optax_muon(kernels=False, **options):
    """Weights are [out, in, ...] here; without kernels optax takes matrices only, but as [in, out]."""
    dims = optax.contrib.MuonDimensionNumbers
    spec = lambda p: dims(tuple(range(1, p.ndim)), 0) if (p.ndim >= 2 if kernels else p.ndim == 2) else None
    make = lambda problem: optax.contrib.muon(
        **options, muon_weight_dimension_numbers=[spec(p) for p in problem.start()]
    )
    return lambda problem: optax_run(lambda: compiled(make(problem)), problem)


def compiled(optimizer):
    """Otherwise each step compiles the loops in it anew."""
    return optax.GradientTransformation(optimizer.init, jax.jit(optimizer.update))


def keras_muon(problem, optimizer, hypers=lambda t: {}):
    """Keras computes the norm and sqrt(max(out, in)) in float32, here in float64: it is 7e-7 off otherwise."""
    ops = keras.src.ops
    norm, root = ops.norm, ops.sqrt
    ops.norm = lambda x, axis, keepdims: root(ops.sum(x * x, axis=axis, keepdims=keepdims))
    ops.sqrt = lambda x: root(ops.cast(x, "float64"))
    try:
        return keras_run(lambda: optimizer, problem, hypers)
    finally:
        ops.norm, ops.sqrt = norm, root


KERAS = "keras.optimizers.Muon, norms in float64"


def single(**hypers):
    return {"name": "muon", **hypers}, [(muon, hypers)]


def cases():
    def case(name, agrees, within=1e-12, **hypers):
        return Case(name, *single(**hypers), agrees, problems=MATRICES, within=within)

    yield case(
        "defaults",
        {
            "torch.optim.Muon and AdamW, iterations in float64": lambda p: torch_run(
                p, {"lr": 0.02}, {"lr": 0.02}
            ),
        },
        rate=0.02,
    )
    yield case(
        "momentum 0.9, against iterations in bfloat16",
        {
            "torch.optim.Muon and AdamW": lambda p: torch_run(
                p, {"lr": 0.01, "momentum": 0.9}, {"lr": 0.01}, rounded=True
            ),
        },
        0.05,  # bfloat16 has 8 bits
        rate=0.01,
        momentum=0.9,
    )
    yield case(
        "like pytorch: matchRmsAdamw, momentum 0.8 without nesterov, 4 steps of other coefficients, rate that changes mid-run",
        {
            "torch.optim.Muon and AdamW, iterations in float64": lambda p: torch_run(
                p,
                {
                    "momentum": 0.8,
                    "nesterov": False,
                    "ns_coefficients": (3, -3.2, 1.2),
                    "ns_steps": 4,
                    "eps": 0.1,
                    "weight_decay": 0.2,
                    "adjust_lr_fn": "match_rms_adamw",
                },
                {"betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.3},
                DROPPING,
            )
        },
        rate=DROPPING,
        momentum=0.8,
        nesterov=False,
        nsA=3,
        nsB=-3.2,
        nsC=1.2,
        nsSteps=4,
        eps=0.1,
        weightDecay=0.2,
        adjustRate="matchRmsAdamw",
        adamBeta1=0.8,
        adamBeta2=0.95,
        adamEps=0.01,
        adamWeightDecay=0.3,
        like="pytorch",
    )
    yield case("spectralUnclamped", {}, rate=0.05, adjustRate="spectralUnclamped")
    yield case(
        "like optax: its defaults",
        {"optax.contrib.muon": optax_muon(learning_rate=0.02)},
        rate=0.02,
        like="optax",
    )
    yield case(
        "like optax: kernels, momentum 0.8, matchRmsAdamw, decay, rates that change mid-run",
        {
            "optax.contrib.muon": optax_muon(
                kernels=True,
                learning_rate=lambda k: at(DROPPING, k + 1),
                beta=0.8,
                eps=0.01,
                consistent_rms=0.3,
                weight_decay=0.2,
                adam_b1=0.8,
                adam_b2=0.95,
                adam_eps_root=0.1,
                adam_weight_decay=0.3,
                adam_learning_rate=lambda k: 0.5 * at(DROPPING, k + 1),
            )
        },
        rate=DROPPING,
        kernels=True,
        momentum=0.8,
        eps=0.01,
        adjustRate="matchRmsAdamw",
        rms=0.3,
        weightDecay=0.2,
        adamBeta1=0.8,
        adamBeta2=0.95,
        adamEps=0.01,
        adamEpsRoot=0.1,
        adamWeightDecay=0.3,
        adamRate={**DROPPING, "rate": DROPPING["rate"] / 2},
        like="optax",
    )
    for preconditioning in ("spectral", "aol", "schatten"):
        yield case(
            f"like optax: {preconditioning}, without nesterov",
            {
                "optax.contrib.muon": optax_muon(
                    kernels=True, learning_rate=0.02, nesterov=False, preconditioning=preconditioning
                )
            },
            rate=0.02,
            kernels=True,
            nesterov=False,
            preconditioning=preconditioning,
            like="optax",
        )
    yield case(
        "like optax: Dion's coefficients, adaptive",
        {
            "optax.contrib.muon": optax_muon(
                kernels=True, learning_rate=0.02, ns_coeffs="dion", adaptive=True
            )
        },
        rate=0.02,
        kernels=True,
        coefficients="dion",
        adaptive=True,
        like="optax",
    )
    yield case(
        "like keras: its defaults",
        {KERAS: lambda p: keras_muon(p, keras.optimizers.Muon(0.02))},
        rate=0.02,
        like="keras",
    )
    other = {
        "momentum": 0.8,
        "nesterov": False,
        "adam_beta_1": 0.8,
        "adam_beta_2": 0.95,
        "epsilon": 0.01,
        "weight_decay": 0.2,
        "adam_weight_decay": 0.3,
        "adam_lr_ratio": 0.5,
        "rms_rate": None,
        "ns_steps": 6,
    }
    yield case(
        "like keras: without scale and nesterov, momentum 0.8, decay, rate that changes mid-run",
        {
            KERAS: lambda p: keras_muon(
                p, keras.optimizers.Muon(0.1, **other), lambda t: {"learning_rate": at(DROPPING, t)}
            )
        },
        rate=DROPPING,
        momentum=0.8,
        nesterov=False,
        adjustRate="none",
        nsSteps=6,
        weightDecay=0.2,
        adamBeta1=0.8,
        adamBeta2=0.95,
        adamEps=0.01,
        adamWeightDecay=0.3,
        adamRateFactor=0.5,
        like="keras",
    )
