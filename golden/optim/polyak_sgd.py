import optax

from common import Case, optax_run, single


def polyak(gs, xs, states, t, h):
    below = sum((g * g).sum() for g in gs) + h.get("eps", 0)
    gap = h["loss"] - h.get("minLoss", 0)
    if h.get("variant") == "sps+":
        gap = max(gap, 0)
    step = 0 if below <= 2**-52 else min(gap / below, h["maxRate"])
    return [gs[0].dtype.type(-h.get("scaling", 1) * step) * g for g in gs]


def case(name, options, make, label="optax.polyak_sgd"):
    return Case(
        name,
        *single(polyak, "polyakSgd", **options),
        {label: lambda p: optax_run(make, p, lambda xs: {"value": p.loss(xs)})},
    )


def cases():
    yield case("defaults but for a largest rate", {"maxRate": 0.1}, lambda: optax.polyak_sgd(0.1))
    # optax.polyak_sgd scales before it takes the norm, so that a scaling of 2 halves its steps; this is what it documents.
    yield case(
        "other numbers, a scaling that changes mid-run",
        {"maxRate": 0.08, "scaling": {"kind": "stepDecay", "rate": 0.5, "everySteps": 5, "factor": 0.6}, "minLoss": 0.01, "eps": 0.1},
        lambda: optax.chain(
            optax.scale_by_polyak(f_min=0.01, max_learning_rate=0.08, eps=0.1),
            optax.sgd(lambda count: 0.5 * 0.6 ** (count // 5)),
        ),
        "optax.scale_by_polyak",
    )
    yield case(
        "sps+, a least loss that is not reached",
        {"maxRate": 0.05, "minLoss": 0.2, "variant": "sps+"},
        lambda: optax.polyak_sgd(0.05, f_min=0.2, variant="sps+"),
    )
