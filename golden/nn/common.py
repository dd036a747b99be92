"""
What the families share: cases of layers and losses from PyTorch in double precision.

A layer's case: parameters and buffers under PyTorch's names, and for each step the input, the output y, and the gradients
of sum(y * cotangent). Several inputs or outputs are records of arrays; integer inputs have no gradient. `second` is the
gradient of sum(dx * direction) by x, where the case asks for it. Inputs are multiples of 1/32, so that they print short,
are exact in single precision, and tie now and then.
"""
import json
import os
import sys
import zlib
import torch
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float64)
family = os.path.splitext(os.path.basename(sys.argv[0]))[0]
generator = torch.Generator().manual_seed(zlib.crc32(family.encode()))

layers = []
losses = []
inits = []


def numbers(*shape, scale=1.0):
    return (torch.randn(shape, generator=generator) * scale * 32).round() / 32


def labels(classes, *shape):
    return torch.randint(0, classes, shape, generator=generator)


def pack(t):
    packed = {"shape": list(t.shape), "data": t.detach().flatten().tolist()}
    if t.dtype == torch.bool:
        return {**packed, "data": [int(v) for v in packed["data"]], "dtype": "bool"}
    return packed if t.is_floating_point() else {**packed, "dtype": "i32"}


def each(f, tree):
    """`f` of a tensor, or of each tensor of a record."""
    return {name: f(t) for name, t in tree.items()} if isinstance(tree, dict) else f(tree)


def leaves(tree):
    return list(tree.values()) if isinstance(tree, dict) else [tree]


def layer(name, config, module, inputs, training=False, second=False, call=None, smooth=0.5):
    """
    `inputs`: for each step a tensor, or a record of them. `call(module, x)` gives a tensor or a record of them; by default
    `module(x)`, or `module(**x)`. `smooth` scales the random parameters. After training steps, a module with buffers is
    evaluated once more on the first input.
    """
    module = module.double()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(numbers(*p.shape, scale=smooth))
        for path, b in module.named_buffers():
            if path.endswith("running_mean"):
                b.copy_(numbers(*b.shape, scale=0.25))
            elif path.endswith("running_var"):
                b.copy_(numbers(*b.shape, scale=0.25).abs() + 0.5)
    case = {
        "name": name,
        "config": config,
        "params": {path: pack(p) for path, p in module.named_parameters()},
        "buffers": {path: pack(b) for path, b in module.named_buffers()},
        "steps": [],
    }
    if call is None:
        call = lambda module, x: module(**x) if isinstance(x, dict) else module(x)
    plan = [(x, training) for x in inputs]
    if training and case["buffers"]:
        plan.append((inputs[0], False))
    for x, train in plan:
        module.train(train)
        x = each(lambda t: t.clone().requires_grad_() if t.is_floating_point() else t, x)
        y = call(module, x)
        cotangent = each(lambda t: numbers(*t.shape), y)
        total = sum((a * b).sum() for a, b in zip(leaves(y), leaves(cotangent)))
        inner = [t for t in leaves(x) if t.is_floating_point()]
        wanted = [*inner, *module.parameters()]
        grads = torch.autograd.grad(total, wanted, create_graph=second, allow_unused=True)
        grads = [torch.zeros_like(t) if g is None else g for t, g in zip(wanted, grads)]
        found = iter(grads)
        step = {"training": train, "x": each(pack, x), "y": each(pack, y), "cotangent": each(pack, cotangent)}
        if isinstance(x, dict):
            step["dx"] = {path: pack(next(found)) for path, t in x.items() if t.is_floating_point()}
        elif x.is_floating_point():
            step["dx"] = pack(next(found))
        step["dparams"] = {path: pack(next(found)) for path, _ in module.named_parameters()}
        step["buffers"] = {path: pack(b) for path, b in module.named_buffers()}
        if second and train == training:
            direction = numbers(*x.shape)
            (again,) = torch.autograd.grad((grads[0] * direction).sum(), [x])
            step["direction"] = pack(direction)
            step["second"] = pack(again)
        case["steps"].append(step)
    layers.append(case)


def seq(*each):
    """A sequential's configuration."""
    return {"kind": "sequential", "layers": [{"name": str(i), "layer": e} for i, e in enumerate(each)]}


def write():
    """The family's cases, to the JSON file beside its script."""
    place = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{family}.json")
    parts = [(part, cases) for part, cases in (("layers", layers), ("losses", losses), ("inits", inits)) if cases]
    with open(place, "w") as file:
        lines = []
        for part, cases in parts:
            rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
            lines.append(f'"{part}":[\n{rows}\n]')
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    counts = ", ".join(f"{len(cases)} {part}" for part, cases in parts)
    print(f"{family}: {counts}, {os.path.getsize(place)} bytes")
