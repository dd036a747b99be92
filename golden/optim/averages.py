import jax
import keras
import numpy as np
import optax
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from adam import adam
from common import STEPS, Case, at
from momentum import lecture, pytorch

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.7}


def averaged(part, average):
    """A rule whose weights after each step `average(m, x, u, s, t, h)` changes, leaf by leaf; it keeps s["average"]."""
    rule, hypers = part

    def update(gs, xs, states, t, h):
        own = [s.setdefault("inner", {}) for s in states]
        since = (t - 1) % h["syncEvery"] + 1 if h.get("resetState") else t
        us = rule(gs, xs, own, since, {k: at(v, t) for k, v in hypers.items()})
        return [average(x, u, s, t, h) for x, u, s in zip(xs, us, states)]

    return update


def the_average(xs, states):
    return [s["average"] for s in states]


def lookahead(x, u, s, t, h):
    slow = s.setdefault("average", x)
    if t % h.get("syncEvery", 5):
        return u
    s["average"] = slow + h.get("slowRate", 0.5) * (x + u - slow)
    if h.get("resetState"):
        s["inner"].clear()
    return s["average"] - x


def ema(x, u, s, t, h):
    like = h.get("like")
    d = h.get("decay", 0.99 if like == "keras" else 0.999)
    if like == "optax":
        s["sum"] = d * s.get("sum", np.zeros_like(x)) + (1 - d) * (x + u)
        s["average"] = s["sum"] / (1 - d**t)
    else:
        s["average"] = x + u if t == 1 else d * s["average"] + (1 - d) * (x + u)
    return s["average"] - x if t % h.get("overwriteEvery", t + 1) == 0 else u


#: The length of the tests' runs.
EPOCH, RUN = 5, 50


def swa(x, u, s, t, h):
    """Averages after the steps start + 1, ... that `every` divides."""
    n = s.setdefault("n", 0)
    start = h.get("startSteps", h["startEpochs"] * EPOCH if "startEpochs" in h else h.get("startFraction", 0.75) * RUN)
    if t > start and t % h.get("everySteps", h.get("everyEpochs", 1) * EPOCH) == 0:
        s["average"] = s["average"] + (x + u - s["average"]) / (n + 1) if n else x + u
        s["n"] = n + 1
    elif n == 0:
        s["average"] = x + u
    return u


class Parameters(torch.nn.Module):
    def __init__(self, arrays):
        super().__init__()
        self.all = torch.nn.ParameterList([torch.tensor(a) for a in arrays])


def torch_averaged(make, problem, avg_fn=None, takes=lambda t: True, hypers=lambda t: {}):
    model = Parameters(problem.start())
    average = AveragedModel(model, multi_avg_fn=avg_fn)
    optimizer = make(model.parameters())
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        optimizer.param_groups[0].update(hypers(t))
        for p, g in zip(model.parameters(), problem.gradient([p.detach().numpy() for p in model.parameters()])):
            p.grad = torch.tensor(g)
        optimizer.step()
        if takes(t):
            average.update_parameters(model)
        if t in STEPS:
            shown = average if average.n_averaged > 0 else model
            kept[t] = [p.detach().numpy().copy() for p in (*model.parameters(), *shown.parameters())]
    return kept


def keras_averaged(make, problem):
    variables = [keras.Variable(p, dtype="float64") for p in problem.start()]
    optimizer = make()
    optimizer.build(variables)
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        optimizer.apply(problem.gradient([np.array(v) for v in variables]), variables)
        if t in STEPS:
            kept[t] = [np.array(v) for v in (*variables, *optimizer._model_variables_moving_average)]
    return kept


def optax_averaged(make, problem, decay):
    """optax.ema over the parameters."""
    params = [jax.numpy.array(p) for p in problem.start()]
    optimizer, average = make(), optax.ema(decay)
    state, averages = optimizer.init(params), average.init(params)
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        us, state = optimizer.update([jax.numpy.array(g) for g in problem.gradient([np.array(p) for p in params])], state)
        params = optax.apply_updates(params, us)
        mean, averages = average.update(params, averages)
        if t in STEPS:
            kept[t] = [np.array(p) for p in (*params, *mean)]
    return kept


def optax_lookahead(make, problem, *options):
    params = optax.LookaheadParams.init_synced([jax.numpy.array(p) for p in problem.start()])
    optimizer = optax.lookahead(make(), *options)
    state = optimizer.init(params)
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        us, state = optimizer.update([jax.numpy.array(g) for g in problem.gradient([np.array(p) for p in params.fast])], state, params)
        params = optax.apply_updates(params, us)
        if t in STEPS:
            kept[t] = [np.array(p) for p in (*params.fast, *params.slow)]
    return kept


def cases():
    hypers = {"rate": 0.05, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3}
    optax_adam = lambda: optax.adam(0.05, b1=0.9, b2=0.99, eps=1e-3)

    def case(title, name, average, own, agrees={}, inner=("adam", adam, hypers)):
        rule_name, rule, rule_hypers = inner
        config = {"name": name, "transform": {"name": rule_name, **rule_hypers}, **own}
        part = averaged((rule, rule_hypers), average)
        return Case(f"{name}: {title}", config, [(part, own)], agrees, evaluate=the_average)

    yield case(
        "every five by default",
        "lookahead",
        lookahead,
        {},
        {"optax.lookahead": lambda p: optax_lookahead(optax_adam, p, 5, 0.5)},
    )
    yield case(
        "every three, a rule that starts anew",
        "lookahead",
        lookahead,
        {"syncEvery": 3, "slowRate": 0.8, "resetState": True},
        {"optax.lookahead": lambda p: optax_lookahead(optax_adam, p, 3, 0.8, True)},
    )
    momentum = {"rate": DROPPING, "momentum": 0.8, "nesterov": False, "like": "pytorch"}
    torch_sgd = lambda params: torch.optim.SGD(params, lr=0.05, momentum=0.8)
    dropping = lambda t: {"lr": at(DROPPING, t)}
    with_momentum = ("momentum", pytorch, momentum)
    yield case(
        "defaults, PyTorch's",
        "ema",
        ema,
        {},
        {"torch.optim.swa_utils": lambda p: torch_averaged(torch_sgd, p, get_ema_multi_avg_fn(), hypers=dropping)},
        with_momentum,
    )
    yield case(
        "like pytorch, decay 0.8",
        "ema",
        ema,
        {"decay": 0.8, "like": "pytorch"},
        {"torch.optim.swa_utils": lambda p: torch_averaged(torch_sgd, p, get_ema_multi_avg_fn(0.8), hypers=dropping)},
        with_momentum,
    )
    lectures = ("momentum", lecture, {"rate": 0.02, "momentum": 0.8})
    keras_sgd = lambda **options: lambda: keras.optimizers.SGD(0.02, momentum=0.8, use_ema=True, **options)
    yield case(
        "like keras: its defaults",
        "ema",
        ema,
        {"like": "keras"},
        {"keras.optimizers.SGD(use_ema)": lambda p: keras_averaged(keras_sgd(), p)},
        lectures,
    )
    yield case(
        "like keras: decay 0.7, the parameters overwritten every 4 steps",
        "ema",
        ema,
        {"decay": 0.7, "overwriteEvery": 4, "like": "keras"},
        {
            "keras.optimizers.SGD(use_ema)": lambda p: keras_averaged(
                keras_sgd(ema_momentum=0.7, ema_overwrite_frequency=4), p
            )
        },
        lectures,
    )
    yield case(
        "like optax",
        "ema",
        ema,
        {"like": "optax"},
        {"optax.ema": lambda p: optax_averaged(optax_adam, p, 0.999)},
    )
    yield case(
        "like optax, decay 0.6",
        "ema",
        ema,
        {"decay": 0.6, "like": "optax"},
        {"optax.ema": lambda p: optax_averaged(optax_adam, p, 0.6)},
    )
    takes = {
        "its defaults": ({}, lambda t: t > 37.5 and t % 5 == 0),
        "after 8 steps, every third": ({"startSteps": 8, "everySteps": 3}, lambda t: t > 8 and t % 3 == 0),
        "after 2 epochs, every second": ({"startEpochs": 2, "everyEpochs": 2}, lambda t: t > 10 and t % 10 == 0),
        "after a tenth of the run": ({"startFraction": 0.1}, lambda t: t > 5 and t % 5 == 0),
    }
    for title, (own, taking) in takes.items():
        label = {"torch.optim.swa_utils": lambda p, takes=taking: torch_averaged(torch_sgd, p, takes=takes, hypers=dropping)}
        yield case(title, "swa", swa, own, label, with_momentum)
