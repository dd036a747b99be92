import numpy as np
import torch

from adam import adam
from common import STEPS, Case, Mlp, at, decayed

DROPPING = {"kind": "stepDecay", "rate": 0.05, "everySteps": 5, "factor": 0.7}
PATHS = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")


def grouped(rule, hypers):
    """`hypers` by parameter; where `freeze` is above 0 the parameter and its memory stay."""

    def update(gs, xs, states, t, h):
        us = []
        for path, g, x, s in zip(PATHS, gs, xs, states):
            own = {name: at(value, t) for name, value in hypers[path].items()}
            own["rate"] *= own.pop("rateFactor", 1)
            if own.pop("freeze", 0) > 0:
                us.append(np.zeros_like(g))
                continue
            n = s["n"] = s.get("n", 0) + 1
            us += decayed(rule)([g], [x], [s.setdefault("inner", {})], n, own)
        return us

    return update


def torch_groups(make, problem, hypers):
    """One group of torch.optim for each parameter; a frozen one has no gradient."""
    params = [torch.tensor(p, requires_grad=True) for p in problem.start()]
    optimizer = make([{"params": [p]} for p in params])
    kept = {}
    for t in range(1, STEPS[-1] + 1):
        gradients = problem.gradient([p.detach().numpy() for p in params])
        for path, p, g, group in zip(PATHS, params, gradients, optimizer.param_groups):
            own = {name: at(value, t) for name, value in hypers[path].items()}
            group.update(lr=own["rate"] * own.get("rateFactor", 1), weight_decay=own["weightDecay"])
            p.grad = None if own.get("freeze", 0) > 0 else torch.tensor(g)
        optimizer.step()
        if t in STEPS:
            kept[t] = [p.detach().numpy().copy() for p in params]
    return kept


def cases():
    def case(title, rule, name, base, groups, make):
        """`groups`: (pattern, the paths that it matches, what differs)"""
        hypers = {path: dict(base) for path in PATHS}
        for _, paths, changes in groups:
            for path in paths:
                own = {**hypers[path], **changes}
                own["rateFactor"] = hypers[path].get("rateFactor", 1) * changes.get("rateFactor", 1)
                hypers[path] = own
        config = {
            "name": "groups",
            "rule": {"name": name, **base},
            "groups": [{"params": pattern, **changes} for pattern, _, changes in groups],
        }
        label = {"torch.optim, parameter groups": lambda p: torch_groups(make, p, hypers)}
        return Case(title, config, [(grouped(rule, hypers), {})], label, problems=(Mlp(),))

    biases, output = ("hidden.bias", "output.bias"), ("output.weight", "output.bias")
    yield case(
        "no decay for biases, half the rate for a layer, a rate of its own for a tensor",
        adam,
        "adamw",
        {"rate": DROPPING, "beta1": 0.8, "beta2": 0.95, "eps": 0.01, "weightDecay": 0.3, "decoupled": True},
        [
            ("bias", biases, {"weightDecay": 0}),
            ("output", output, {"rateFactor": 0.5}),
            ("hidden.weight", ("hidden.weight",), {"rate": 0.02}),
        ],
        lambda groups: torch.optim.AdamW(groups, betas=(0.8, 0.95), eps=0.01),
    )
    yield case(
        "a layer frozen for 12 steps",
        adam,
        "adam",
        {"rate": 0.05, "beta1": 0.8, "beta2": 0.95, "eps": 0.01, "weightDecay": 0.1, "decoupled": False},
        [("output", output, {"freeze": {"kind": "warmup", "rate": 0, "from": 1, "steps": 12}})],
        lambda groups: torch.optim.Adam(groups, betas=(0.8, 0.95), eps=0.01),
    )
