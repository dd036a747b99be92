"""
Values and gradients of layers and losses from PyTorch in double precision: writes nn.json beside this file.

    .venv/bin/python golden/nn/generate.py        (the environment of golden/README.md)

A layer's case: parameters and buffers under PyTorch's names, and for each step the input, the output y, and the gradients
of sum(y * cotangent). `second` is the gradient of sum(dx * direction) by x, where the case asks for it. Inputs are
multiples of 1/32, so that they print short, are exact in single precision, and tie now and then.
"""
import json
import os
import torch
from torch import nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(20240607)


def numbers(*shape, scale=1.0):
    return (torch.randn(shape, generator=generator) * scale * 32).round() / 32


def labels(classes, *shape):
    return torch.randint(0, classes, shape, generator=generator)


def pack(t):
    return {"shape": list(t.shape), "data": t.detach().flatten().tolist()}


layers = []
losses = []


def layer(name, config, module, inputs, training=False, second=False):
    """`inputs`: one tensor for each step. After the steps, batch norm is evaluated once more on the first input."""
    module = module.double()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(numbers(*p.shape, scale=0.5))
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
    plan = [(x, training) for x in inputs]
    if training and case["buffers"]:
        plan.append((inputs[0], False))
    for x, train in plan:
        module.train(train)
        x = x.clone().requires_grad_()
        y = module(x)
        cotangent = numbers(*y.shape)
        wanted = [x, *module.parameters()]
        grads = torch.autograd.grad((y * cotangent).sum(), wanted, create_graph=second)
        step = {
            "training": train,
            "x": pack(x),
            "y": pack(y),
            "cotangent": pack(cotangent),
            "dx": pack(grads[0]),
            "dparams": {path: pack(g) for (path, _), g in zip(module.named_parameters(), grads[1:])},
            "buffers": {path: pack(b) for path, b in module.named_buffers()},
        }
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


# Linear
layer("linear", {"kind": "linear", "outFeatures": 3}, nn.Linear(7, 3), [numbers(5, 7)])
layer("linear without bias", {"kind": "linear", "outFeatures": 4, "bias": False}, nn.Linear(3, 4, bias=False), [numbers(2, 3)])
layer("linear on rank 3", {"kind": "linear", "outFeatures": 5}, nn.Linear(4, 5), [numbers(2, 3, 4)])

# Convolution
def conv(name, config, inputs, out, kernel, shape, **options):
    layer(name, {"kind": "conv2d", "outChannels": out, "kernel": kernel, **config}, nn.Conv2d(inputs, out, kernel, **options), [numbers(*shape)])

conv("conv2d", {}, 3, 4, 3, (2, 3, 5, 6))
conv("conv2d with padding", {"padding": 1}, 1, 3, 3, (2, 1, 5, 4), padding=1)
conv("conv2d with stride, padding and dilation by axis", {"stride": [2, 1], "padding": [1, 2], "dilation": [1, 2]}, 2, 3, (3, 2), (2, 2, 7, 6), stride=(2, 1), padding=(1, 2), dilation=(1, 2))
conv("conv2d with stride that leaves a rest", {"stride": 3}, 2, 2, 2, (1, 2, 7, 9), stride=3)
conv("conv2d in groups", {"groups": 2, "padding": 1}, 4, 6, 3, (2, 4, 4, 5), groups=2, padding=1)
conv("depthwise conv2d", {"groups": 3, "bias": False}, 3, 6, (2, 3), (2, 3, 4, 5), groups=3, bias=False)
conv("conv2d with padding same, even kernel", {"padding": "same", "dilation": [1, 2]}, 2, 3, (2, 3), (1, 2, 5, 6), padding="same", dilation=(1, 2))
conv("pointwise conv2d", {"bias": False}, 5, 2, 1, (2, 5, 3, 3), bias=False)

# Pooling
for kind, make in (("maxPool2d", nn.MaxPool2d), ("avgPool2d", nn.AvgPool2d)):
    layer(f"{kind} 2", {"kind": kind, "window": 2}, make(2), [numbers(2, 3, 7, 5)])
    layer(f"{kind} with overlap and padding", {"kind": kind, "window": 3, "stride": 2, "padding": 1}, make(3, stride=2, padding=1), [numbers(2, 2, 7, 6)])
    layer(f"{kind} by axis", {"kind": kind, "window": [2, 3], "stride": [1, 2], "padding": [0, 1]}, make((2, 3), stride=(1, 2), padding=(0, 1)), [numbers(1, 2, 4, 7)])
layer("maxPool2d of ties", {"kind": "maxPool2d", "window": 3, "stride": 1}, nn.MaxPool2d(3, stride=1), [numbers(1, 2, 5, 5).round()])
layer("globalAvgPool2d", {"kind": "globalAvgPool2d"}, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), [numbers(3, 2, 5, 3)])
layer("globalAvgPool2d kept", {"kind": "globalAvgPool2d", "keepDims": True}, nn.AdaptiveAvgPool2d(1), [numbers(2, 3, 3, 4)])

# Batch norm: three steps, then evaluation
def norm(name, config, module, *shapes, second=False):
    layer(name, {"kind": "batchNorm", **config}, module, [numbers(*shape) + i for i, shape in enumerate(shapes)], training=True, second=second)

norm("batchNorm of vectors", {}, nn.BatchNorm1d(3), (6, 3), (4, 3), (5, 3), second=True)
norm("batchNorm of sequences", {"momentum": 0.3, "eps": 1e-3}, nn.BatchNorm1d(2, momentum=0.3, eps=1e-3), (3, 2, 5), (2, 2, 4), (1, 2, 3))
norm("batchNorm of images", {}, nn.BatchNorm2d(3), (4, 3, 3, 2), (2, 3, 2, 2), (3, 3, 1, 2), second=True)
norm("batchNorm with a cumulative mean", {"momentum": None}, nn.BatchNorm2d(2, momentum=None), (2, 2, 3, 3), (2, 2, 2, 3), (3, 2, 2, 2))
norm("batchNorm without affine", {"affine": False}, nn.BatchNorm2d(2, affine=False), (2, 2, 3, 3), (2, 2, 2, 3), (3, 2, 2, 2), second=True)
layer("batchNorm without running statistics", {"kind": "batchNorm", "trackRunningStats": False}, nn.BatchNorm1d(4, track_running_stats=False), [numbers(5, 4)])

# Activations
far = torch.tensor([-1000.0, -100.0, -20.0, -5.0, -1.0, -0.03125, 0.0, 0.03125, 1.0, 5.0, 20.0, 100.0, 1000.0])
def act(name, config, module, second=True):
    layer(name, config, module, [torch.cat([far, numbers(7)]).reshape(4, 5)], second=second)

act("relu", {"kind": "relu"}, nn.ReLU(), second=False)
act("leakyRelu", {"kind": "leakyRelu", "slope": 0.01}, nn.LeakyReLU(), second=False)
act("leakyRelu 0.2", {"kind": "leakyRelu", "slope": 0.2}, nn.LeakyReLU(0.2), second=False)
act("elu", {"kind": "elu", "alpha": 1}, nn.ELU(), second=False)
act("elu 1.5", {"kind": "elu", "alpha": 1.5}, nn.ELU(1.5), second=False)
# Its second derivative is not defined at 0, so not on the multiples of 1/32.
layer("elu off zero", {"kind": "elu", "alpha": 1.5}, nn.ELU(1.5), [numbers(4, 5) + 1 / 64], second=True)
act("gelu", {"kind": "gelu"}, nn.GELU())
act("gelu by tanh", {"kind": "gelu", "approximate": "tanh"}, nn.GELU(approximate="tanh"))
act("sigmoid", {"kind": "sigmoid"}, nn.Sigmoid())
act("tanh", {"kind": "tanh"}, nn.Tanh())
layer("softmax", {"kind": "softmax", "axis": -1}, nn.Softmax(-1), [torch.cat([numbers(3, 5), numbers(2, 5, scale=300)])], second=True)
layer("softmax over channels", {"kind": "softmax", "axis": 1}, nn.Softmax(1), [numbers(2, 4, 2, 3)])
layer("flatten", {"kind": "flatten", "start": 1}, nn.Flatten(), [numbers(2, 3, 2, 2)])
layer("dropout in evaluation", {"kind": "dropout", "p": 0.5}, nn.Dropout(0.5), [numbers(2, 3)])
layer("identity", {"kind": "identity"}, nn.Identity(), [numbers(2, 3)])

# Containers
class Residual(nn.Module):
    def __init__(self, inner, shortcut=None):
        super().__init__()
        self.inner = inner
        self.shortcut = shortcut

    def forward(self, x):
        return self.inner(x) + (x if self.shortcut is None else self.shortcut(x))

conv3 = {"kind": "conv2d", "outChannels": 3, "kernel": 3, "padding": 1, "bias": False}
bn, relu = {"kind": "batchNorm"}, {"kind": "relu"}
layer(
    "residual",
    {"kind": "residual", "inner": seq(conv3, bn, relu)},
    Residual(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU())),
    [numbers(2, 3, 3, 4), numbers(2, 3, 3, 4)],
    training=True,
)
layer(
    "residual with a shortcut",
    {"kind": "residual", "inner": seq({**conv3, "stride": 2}, relu), "shortcut": {"kind": "conv2d", "outChannels": 3, "kernel": 1, "stride": 2}},
    Residual(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, stride=2, bias=False), nn.ReLU()), nn.Conv2d(2, 3, 1, stride=2)),
    [numbers(2, 2, 5, 5)],
)
pool = {"kind": "maxPool2d", "window": 2}
layer(
    "a small convolutional network",
    seq({"kind": "conv2d", "outChannels": 3, "kernel": 3, "padding": 1}, relu, pool, {"kind": "conv2d", "outChannels": 4, "kernel": 3, "padding": 1}, bn, relu, pool, {"kind": "flatten", "start": 1}, {"kind": "linear", "outFeatures": 5}, relu, {"kind": "linear", "outFeatures": 3}),
    nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3)),
    [numbers(3, 1, 8, 9), numbers(2, 1, 8, 9)],
    training=True,
)
from collections import OrderedDict
layer(
    "a named sequential",
    {"kind": "sequential", "layers": [{"name": "hidden", "layer": {"kind": "linear", "outFeatures": 4}}, {"name": "act", "layer": {"kind": "tanh"}}, {"name": "head", "layer": {"kind": "linear", "outFeatures": 2}}]},
    nn.Sequential(OrderedDict(hidden=nn.Linear(3, 4), act=nn.Tanh(), head=nn.Linear(4, 2))),
    [numbers(3, 3)],
    second=True,
)


def loss(name, config, f, output, target, second=True):
    """`dtarget` stands where the target is differentiable (probabilities, values)."""
    output = output.clone().requires_grad_()
    soft = target.is_floating_point()
    target = target.clone().requires_grad_() if soft else target
    value = f(output, target)
    cotangent = numbers(*value.shape)
    grads = torch.autograd.grad((value * cotangent).sum(), [output, target] if soft else [output], create_graph=True)
    case = {
        "name": name,
        "config": config,
        "output": pack(output),
        "target": {**pack(target), "dtype": "f32" if soft else "i32"},
        "value": pack(value),
        "cotangent": pack(cotangent),
        "doutput": pack(grads[0]),
    }
    if soft:
        case["dtarget"] = pack(grads[1])
    if second:
        direction = numbers(*output.shape)
        (again,) = torch.autograd.grad((grads[0] * direction).sum(), [output])
        case["direction"] = pack(direction)
        case["second"] = pack(again)
    losses.append(case)


def cross(name, config, output, target, **options):
    if "weight" in config:
        options["weight"] = torch.tensor(config["weight"])
    options.setdefault("reduction", config.get("reduction", "mean"))
    options["label_smoothing"] = config.get("labelSmoothing", 0.0)
    loss(name, {"kind": "crossEntropy", **config}, lambda z, t: F.cross_entropy(z, t, **options), output, target)

w5 = [0.5, 2.0, 1.0, 0.25, 1.5]
cross("crossEntropy", {}, numbers(4, 5), labels(5, 4))
cross("crossEntropy, sum", {"reduction": "sum"}, numbers(3, 5), labels(5, 3))
cross("crossEntropy, none", {"reduction": "none"}, numbers(3, 5), labels(5, 3))
cross("crossEntropy of large logits", {}, numbers(4, 3, scale=3000), labels(3, 4))
cross("crossEntropy of one example", {}, numbers(5), labels(5))
cross("crossEntropy of images", {}, numbers(2, 3, 2, 3), labels(3, 2, 2, 3))
cross("crossEntropy with smoothing", {"labelSmoothing": 0.1}, numbers(4, 5), labels(5, 4))
cross("crossEntropy with weights", {"weight": w5}, numbers(4, 5), labels(5, 4))
cross("crossEntropy with weights, sum", {"weight": w5, "reduction": "sum"}, numbers(3, 5), labels(5, 3))
cross("crossEntropy with weights, none", {"weight": w5, "reduction": "none"}, numbers(3, 5), labels(5, 3))
cross("crossEntropy with weights and smoothing", {"weight": w5, "labelSmoothing": 0.2}, numbers(4, 5), labels(5, 4))
cross("crossEntropy of images with weights and smoothing", {"weight": [1.0, 0.5, 2.0], "labelSmoothing": 0.2}, numbers(2, 3, 2, 2), labels(3, 2, 2, 2))
cross("crossEntropy with probabilities", {}, numbers(4, 5), torch.softmax(numbers(4, 5), -1))
cross("crossEntropy with probabilities, smoothing and weights", {"weight": w5, "labelSmoothing": 0.1}, numbers(3, 5), torch.softmax(numbers(3, 5), -1))
cross("crossEntropy of images with probabilities", {}, numbers(2, 3, 2, 2), torch.softmax(numbers(2, 3, 2, 2), 1))


def svm(p, delta, reduction):
    # PyTorch divides by the number of classes; the lecture's form does not.
    return lambda s, y: F.multi_margin_loss(s, y, p=p, margin=delta, reduction=reduction) * s.shape[-1]

loss("hinge", {"kind": "hinge"}, svm(1, 1.0, "mean"), numbers(5, 4), labels(4, 5), second=False)
loss("hinge with delta, sum", {"kind": "hinge", "delta": 2.5, "reduction": "sum"}, svm(1, 2.5, "sum"), numbers(3, 4), labels(4, 3), second=False)
loss("hinge, none", {"kind": "hinge", "reduction": "none"}, svm(1, 1.0, "none"), numbers(3, 4), labels(4, 3), second=False)
loss("hinge squared", {"kind": "hinge", "squared": True}, svm(2, 1.0, "mean"), numbers(5, 4), labels(4, 5), second=False)
loss("meanSquaredError", {"kind": "meanSquaredError"}, lambda y, t: F.mse_loss(y, t), numbers(3, 4), numbers(3, 4))
loss("meanSquaredError, sum", {"kind": "meanSquaredError", "reduction": "sum"}, lambda y, t: F.mse_loss(y, t, reduction="sum"), numbers(2, 3), numbers(2, 3))
loss("meanSquaredError, none", {"kind": "meanSquaredError", "reduction": "none"}, lambda y, t: F.mse_loss(y, t, reduction="none"), numbers(2, 3), numbers(2, 3))


# Initialisers: the standard deviation, and the bound of the uniform ones.
inits = []
for shape in ([64, 48], [32, 16, 3, 3], [24, 1, 5, 2]):
    t = torch.empty(*shape)
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(t)
    xavier = (2.0 / (fan_in + fan_out)) ** 0.5
    leaky = nn.init.calculate_gain("leaky_relu", 0.1)
    for config, std, form in (
        ({"kind": "heNormal"}, nn.init.calculate_gain("relu") / fan_in**0.5, "normal"),
        ({"kind": "heNormal", "mode": "fanOut", "slope": 0.1}, leaky / fan_out**0.5, "normal"),
        ({"kind": "heUniform"}, nn.init.calculate_gain("relu") / fan_in**0.5, "uniform"),
        ({"kind": "heUniform", "mode": "fanOut", "slope": 0.1}, leaky / fan_out**0.5, "uniform"),
        ({"kind": "xavierNormal"}, xavier, "normal"),
        ({"kind": "xavierUniform", "gain": nn.init.calculate_gain("tanh")}, xavier * nn.init.calculate_gain("tanh"), "uniform"),
        ({"kind": "lecunNormal"}, 1 / fan_in**0.5, "normal"),
        ({"kind": "lecunUniform"}, 1 / fan_in**0.5, "uniform"),
    ):
        inits.append({"config": config, "shape": shape, "fans": [fan_in, fan_out], "std": std, "form": form})

place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nn.json")
with open(place, "w") as file:
    lines = []
    for part, cases in (("layers", layers), ("losses", losses), ("inits", inits)):
        rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        lines.append(f'"{part}":[\n{rows}\n]')
    file.write("{\n" + ",\n".join(lines) + "\n}\n")
print(f"{len(layers)} layers, {len(losses)} losses, {len(inits)} initialisers, {os.path.getsize(place)} bytes")
