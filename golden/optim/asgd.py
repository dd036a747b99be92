import torch

from common import STEPS, Case, decayed, per_leaf


@per_leaf
def asgd(g, x, s, t, h):
    lam = h.get("lambda", 1e-4)
    e = h["rate"] / (1 + lam * h["rate"] * (t - 1)) ** h.get("alpha", 0.75)
    u = -e * (g + lam * x)
    part = 1 / max(1, t - 1 - h.get("averageFrom", 1e6))
    average = s.get("average", x)
    s["average"] = average + part * (x + u - average)
    return u


def torch_asgd(**options):
    """The parameters, then the averages that torch.optim.ASGD keeps in its state."""

    def run(problem):
        params = [torch.tensor(p, requires_grad=True) for p in problem.start()]
        optimizer = torch.optim.ASGD(params, **options)
        kept = {}
        for t in range(1, STEPS[-1] + 1):
            for p, g in zip(params, problem.gradient([p.detach().numpy() for p in params])):
                p.grad = torch.tensor(g)
            optimizer.step()
            if t in STEPS:
                averages = [optimizer.state[p]["ax"] for p in params]
                kept[t] = [p.detach().numpy().copy() for p in (*params, *averages)]
        return kept

    return run


def case(name, options, agrees):
    averages = lambda xs, states: [s["average"] for s in states]
    return Case(name, {"name": "asgd", **options}, [(decayed(asgd), options)], agrees, evaluate=averages)


def cases():
    yield case("defaults", {"rate": 0.05}, {"torch.optim.ASGD": torch_asgd(lr=0.05)})
    other = {"lambda": 0.5, "alpha": 0.9, "averageFrom": 10, "weightDecay": 0.1}
    yield case(
        "other numbers, L2, an average from the tenth step",
        {"rate": 0.05, **other},
        {"torch.optim.ASGD": torch_asgd(lr=0.05, lambd=0.5, alpha=0.9, t0=10, weight_decay=0.1)},
    )
    yield case("decoupled decay", {"rate": 0.05, **other, "decoupled": True}, {})
