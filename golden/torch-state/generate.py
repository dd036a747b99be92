"""Optimizer state of PyTorch's after 10 steps, as torch.save wrote it, and the weights after 10 and 20 steps.

ours.json, where it is there, holds the same of 10 steps here (written by the test beside the trainer, with
WRITE_TORCH_STATE=1): PyTorch goes on from it for 10 steps more.
"""
import base64
import io
import json
from pathlib import Path

import torch

here = Path(__file__).parent
torch.manual_seed(1)
x = torch.randn(8, 3)
y = torch.randn(8, 2)


def make():
    torch.manual_seed(2)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))


O = torch.optim
cases = {
    "sgd": (lambda p: O.SGD(p, lr=0.1, weight_decay=0.01), {"name": "sgd", "rate": 0.1, "weightDecay": 0.01}),
    "momentum": (lambda p: O.SGD(p, lr=0.05, momentum=0.9), {"name": "momentum", "rate": 0.05, "like": "pytorch"}),
    "dampening": (
        lambda p: O.SGD(p, lr=0.05, momentum=0.9, dampening=0.5),
        {"name": "momentum", "rate": 0.05, "like": "pytorch", "dampening": 0.5},
    ),
    "lecture": (lambda p: O.SGD(p, lr=0.05, momentum=0.9), {"name": "momentum", "rate": 0.05, "like": "lecture"}),
    "nesterov": (
        lambda p: O.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
        {"name": "momentum", "rate": 0.05, "like": "pytorch", "nesterov": True},
    ),
    "adam": (lambda p: O.Adam(p, lr=0.01, betas=(0.8, 0.99)), {"name": "adam", "rate": 0.01, "beta1": 0.8, "beta2": 0.99}),
    "amsgrad": (lambda p: O.Adam(p, lr=0.01, amsgrad=True), {"name": "adam", "rate": 0.01, "amsgrad": True}),
    "adamw": (lambda p: O.AdamW(p, lr=0.01, weight_decay=0.1), {"name": "adamw", "rate": 0.01, "weightDecay": 0.1}),
    "chain": (
        lambda p: O.AdamW(p, lr=0.01),
        {"name": "chain", "parts": [{"name": "clipByValue", "limit": 100}, {"name": "adamw", "rate": 0.01}]},
    ),
    "adagrad": (lambda p: O.Adagrad(p, lr=0.1), {"name": "adagrad", "rate": 0.1, "like": "pytorch"}),
    "rmsprop": (lambda p: O.RMSprop(p, lr=0.01), {"name": "rmsprop", "rate": 0.01, "like": "pytorch"}),
    "rmspropCentered": (
        lambda p: O.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
        {"name": "rmsprop", "rate": 0.01, "like": "pytorch", "centered": True, "momentum": 0.5},
    ),
    "adadelta": (lambda p: O.Adadelta(p, lr=1.0), {"name": "adadelta", "rate": 1}),
    "adamax": (lambda p: O.Adamax(p, lr=0.01), {"name": "adamax", "rate": 0.01, "like": "pytorch"}),
    "nadam": (lambda p: O.NAdam(p, lr=0.01), {"name": "nadam", "rate": 0.01}),
    "radam": (lambda p: O.RAdam(p, lr=0.01), {"name": "radam", "rate": 0.01}),
    "asgd": (lambda p: O.ASGD(p, lr=0.05, t0=5), {"name": "asgd", "rate": 0.05, "averageFrom": 5}),
    "rprop": (lambda p: O.Rprop(p, lr=0.01), {"name": "rprop", "rate": 0.01}),
}


def steps(model, optimizer, count):
    for _ in range(count):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


def weights(model):
    return {name: p.detach().reshape(-1).tolist() for name, p in model.named_parameters()}


def saved(value):
    out = io.BytesIO()
    torch.save(value, out)
    return base64.b64encode(out.getvalue()).decode()


def loaded(text):
    return torch.load(io.BytesIO(base64.b64decode(text)), weights_only=True)


ours_file = here / "ours.json"
ours = json.loads(ours_file.read_text()) if ours_file.exists() else {}
result = []
for name, (create, config) in cases.items():
    model = make()
    optimizer = create(model.named_parameters() if name == "adamw" else model.parameters())
    steps(model, optimizer, 10)
    case = {"name": name, "config": config, "at10": saved(model.state_dict()), "state": saved(optimizer.state_dict())}
    steps(model, optimizer, 10)
    case["at20"] = weights(model)
    if name in ours:
        model = make()
        model.load_state_dict(loaded(ours[name]["weights"]))
        optimizer = create(model.parameters())
        expected = {key: value for key, value in optimizer.state_dict()["param_groups"][0].items()}
        state = loaded(ours[name]["state"])
        got = state["param_groups"][0]
        for key, value in expected.items():
            same = list(got[key]) == list(value) if isinstance(value, tuple) else got[key] == value
            assert same, (name, key, got[key], value)
        optimizer.load_state_dict(state)
        steps(model, optimizer, 10)
        case["afterOurs"] = weights(model)
    result.append(case)

text = json.dumps({
    "torch": torch.__version__,
    "x": x.reshape(-1).tolist(),
    "y": y.reshape(-1).tolist(),
    "at0": weights(make()),
    "cases": result,
})
(here / "torch-state.json").write_text(text + "\n")
