"""
What the models share: values from an integer hash, which the tests compute again instead of reading, and what PyTorch makes
of them in double precision.

    word(name, i)  = fmix32(fnv1a32(name) + i * 0x9E3779B9)            (MurmurHash3's finaliser), 32 bits
    value(name, i) = (word >> 16) / 32768 - 1                          in [-1, 1), exact in single precision

A parameter or buffer of PyTorch's name p has at its flat index i

    two axes or more        s value(p, i), s the largest power of two with s^2 fanIn <= 6, and at most 1
    one axis, "weight"      1/4 + value / 8                              (norms)
    one axis otherwise      value / 8
    running_mean            value / 4
    running_var             1 + value / 2
    num_batches_tracked     3

Images are 2 value("x", i), tokens word("x", i) % vocabulary, labels (word("y", i) >> 8) % classes. An array too large to
keep is written as its norm and its projection, the sum of a_i value("project." + p, i).
"""
import json
import os
import sys
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
STEPS = 5


def words(name, count):
    h = 0x811C9DC5
    for byte in name.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + h) & 0xFFFFFFFF
    x ^= x >> 16
    x = (x * 0x85EBCA6B) & 0xFFFFFFFF
    x ^= x >> 13
    x = (x * 0xC2B2AE35) & 0xFFFFFFFF
    return x ^ (x >> 16)


def values(name, shape):
    count = int(np.prod(shape, dtype=np.int64))
    return torch.from_numpy((words(name, count) >> 16).astype(np.float64) / 32768 - 1).reshape(list(shape))


def first_value(name, shape):
    last = name.split(".")[-1]
    if last == "num_batches_tracked":
        return torch.tensor(3)
    v = values(name, shape)
    if last == "running_mean":
        return v / 4
    if last == "running_var":
        return 1 + v / 2
    if len(shape) < 2:
        return 0.25 + v / 8 if last == "weight" else v / 8
    scale = 1.0
    while scale * scale * int(np.prod(shape[1:])) > 6:
        scale /= 2
    return scale * v


def images(*shape):
    return 2 * values("x", shape)


def tokens(vocabulary, *shape):
    return torch.from_numpy((words("x", int(np.prod(shape))) % vocabulary).astype(np.int64)).reshape(list(shape))


def labels(classes, *shape):
    return torch.from_numpy(((words("y", int(np.prod(shape))) >> 8) % classes).astype(np.int64)).reshape(list(shape))


def cross_entropy(scores, y):
    """Classes on the last axis, or on axis 1 of a matrix: the same."""
    return F.cross_entropy(scores.reshape(-1, scores.shape[-1]), y.reshape(-1))


def pack(t):
    return {"shape": list(t.shape), "data": rounded(t.detach().flatten().tolist())}


def rounded(numbers):
    return [float(f"{x:.13g}") for x in numbers]


def summary(name, t):
    t = t.detach().double()
    return rounded([float(t.norm()), float((t * values(f"project.{name}", t.shape)).sum())])


def trajectory(module, x, y, loss, rate, momentum, dtype):
    module = module.to(dtype)
    with torch.no_grad():
        for name, t in [*module.named_parameters(), *module.named_buffers()]:
            t.copy_(first_value(name, t.shape))
    x = x.to(dtype) if x.is_floating_point() else x
    module.eval()
    with torch.no_grad():
        out = {"evaluation": module(x)}
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=rate, momentum=momentum)
    start = {name: p.detach().clone() for name, p in module.named_parameters()}
    out["losses"] = []
    for step in range(STEPS):
        optimizer.zero_grad()
        scores = module(x)
        value = loss(scores, y)
        value.backward()
        if step == 0:
            out["scores"] = scores.detach().clone()
            out["gradients"] = {name: p.grad.clone() for name, p in module.named_parameters()}
            out["buffers"] = {name: b.clone() for name, b in module.named_buffers() if b.is_floating_point()}
        out["losses"].append(float(value.detach()))
        optimizer.step()
    out["changes"] = {name: p.detach() - start[name] for name, p in module.named_parameters()}
    out["buffersAfter"] = {name: b.clone() for name, b in module.named_buffers() if b.is_floating_point()}
    return out


def distances(exact, single):
    """
    How far single precision ends from double, the yardstick for ours: of each array's norm the largest for what one pass
    gives, and of all together for what five steps give, where an array that hardly moved is all rounding.
    """
    far = lambda a, b: float((a - b.double()).norm() / a.norm()) if float(a.norm()) > 0 else 0.0
    most = {part: far(exact[part], single[part]) for part in ("evaluation", "scores")}
    most["losses"] = max(abs(a - b) / abs(a) for a, b in zip(exact["losses"], single["losses"]))
    for part in ("gradients", "buffers"):
        total = max([float(a.norm()) for a in exact[part].values()], default=0.0)
        each = [far(a, single[part][name]) for name, a in exact[part].items() if float(a.norm()) > 1e-6 * total]
        most[part] = max(each, default=0.0)
    for part in ("changes", "buffersAfter"):
        if not exact[part]:
            continue
        join = lambda all: torch.cat([all[name].double().flatten() for name in exact[part]])
        most[part] = far(join(exact[part]), join(single[part]))
    return {part: float(f"{value:.1e}") for part, value in most.items()}


def case(name, config, make, x, y, classes, rate, momentum=0.5, loss=None, loss_config=None, small=False):
    """
    `make()` gives the module, `y` labels of `classes`. `small`: a model that the tests also run in double precision on the
    reference.
    """
    run = lambda dtype: trajectory(make(), x, y, loss or cross_entropy, rate, momentum, dtype)
    exact, single = run(torch.float64), run(torch.float32)
    whole = {
        "name": name,
        "config": config,
        "loss": loss_config or {"kind": "crossEntropy"},
        "small": small,
        "input": {"shape": list(x.shape), **({} if x.is_floating_point() else {"vocabulary": classes})},
        "labels": {"shape": list(y.shape), "classes": classes},
        "rate": rate,
        "momentum": momentum,
        "evaluation": pack(exact["evaluation"]),
        "scores": pack(exact["scores"]),
        "losses": rounded(exact["losses"]),
        **{
            part: {path: summary(path, t) for path, t in exact[part].items()}
            for part in ("gradients", "buffers", "changes", "buffersAfter")
        },
        "rounding": distances(exact, single),
    }
    print(name, whole["losses"], whole["rounding"], file=sys.stderr)
    return whole


def write(family, cases):
    place = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{family}.json")
    with open(place, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(each, separators=(",", ":")) for each in cases) + "\n]\n")
    print(f"{family}: {len(cases)} models, {os.path.getsize(place)} bytes")
