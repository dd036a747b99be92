import torch

from common import STEPS, Case, at, per_leaf

DROPPING = {"kind": "stepDecay", "rate": 0.1, "everySteps": 5, "factor": 0.4}


@per_leaf
def asgd(g, x, s, t, h):
    a, lam = h["rate"], h.get("lambda", 1e-4)
    eta = s.get("eta", a)
    u = -eta * (g + h.get("weightDecay", 0) * x + lam * x)
    part = 1 / max(1, t - 1 - h.get("averageFrom", 1e6))
    average = s.get("average", x)
    s["average"] = average + part * (x + u - average)
    s["eta"] = a / (1 + lam * a * t) ** h.get("alpha", 0.75)
    return u


def torch_asgd(hypers=lambda t: {}, **options):
    """The parameters, then the averages that torch.optim.ASGD keeps in its state."""

    def run(problem):
        params = [torch.tensor(p, requires_grad=True) for p in problem.start()]
        optimizer = torch.optim.ASGD(params, **options)
        kept = {}
        for t in range(1, STEPS[-1] + 1):
            optimizer.param_groups[0].update(hypers(t))
            for p, g in zip(params, problem.gradient([p.detach().numpy() for p in params])):
                p.grad = torch.tensor(g)
            optimizer.step()
            if t in STEPS:
                averages = [optimizer.state[p]["ax"] for p in params]
                kept[t] = [p.detach().numpy().copy() for p in (*params, *averages)]
        return kept

    return run


def case(name, options, run):
    averages = lambda xs, states: [s["average"] for s in states]
    return Case(name, {"name": "asgd", **options}, [(asgd, options)], {"torch.optim.ASGD": run}, evaluate=averages)


def cases():
    yield case("defaults", {"rate": 0.05}, torch_asgd(lr=0.05))
    torch_other = {"lambd": 0.5, "alpha": 0.9, "t0": 10, "weight_decay": 0.1}
    yield case(
        "other numbers, L2, an average from the tenth step, rate that changes mid-run",
        {"rate": DROPPING, "lambda": 0.5, "alpha": 0.9, "averageFrom": 10, "weightDecay": 0.1},
        torch_asgd(lambda t: {"lr": at(DROPPING, t)}, lr=0.1, **torch_other),
    )
