"""
Writes edges.json: what PyTorch computes at ties, kinks, infinities, NaN, repeated indices and axes of size 1, in double
precision: the value, and the gradients of sum(value * cotangent). Names are those of test/golden/ops.test.ts, which holds
our side of each. Values that JSON lacks are the texts "Infinity", "-Infinity" and "NaN".
"""
import json
import math
import os
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
INF, NAN = math.inf, math.nan
cases = []


def text(v):
    if isinstance(v, bool):
        return int(v)
    if isinstance(v, float) and not math.isfinite(v):
        return "NaN" if math.isnan(v) else "Infinity" if v > 0 else "-Infinity"
    return float(f"{v:.13g}") if isinstance(v, float) else v


def pack(t):
    dtype = "f32" if t.is_floating_point() else "bool" if t.dtype == torch.bool else "i32"
    return {"dtype": dtype, "shape": list(t.shape), "data": [text(v) for v in t.detach().flatten().tolist()]}


def case(name, f, *inputs, gradients=True):
    xs = [x.clone().requires_grad_(True) if x.is_floating_point() else x for x in inputs]
    y = f(*xs)
    entry = {"name": name, "inputs": [pack(x) for x in xs], "value": pack(y)}
    if gradients and y.is_floating_point() and y.requires_grad:
        # Cotangents differ from place to place, so that a gradient at the wrong place shows.
        cotangent = (torch.arange(y.numel(), dtype=torch.float64) * 0.5 + 1).reshape(y.shape)
        floats = [x for x in xs if x.is_floating_point()]
        found = torch.autograd.grad(y, floats, cotangent, allow_unused=True)
        entry["cotangent"] = pack(cotangent)
        entry["gradients"] = [pack(torch.zeros_like(x) if g is None else g) for x, g in zip(floats, found)]
    cases.append(entry)


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


def i(*values):
    return torch.tensor(values, dtype=torch.int64)


# What flows back through a NaN is nobody's promise: where frameworks differ there, the case has the value alone.
line = t(-INF, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.5, INF, NAN)
for name in ["abs", "sign", "relu"]:
    case(name, getattr(torch, name), line[:-1])
case("relu of NaN", torch.relu, t(NAN, -NAN), gradients=False)
for name in ["floor", "ceil", "round", "tanh", "sigmoid", "erf", "exp", "expm1"]:
    case(name, getattr(torch, name), line)
case("neg", torch.neg, line)
case("sqrt", torch.sqrt, t(0.0, 0.25, 4.0, INF, -1.0, NAN))
case("rsqrt", torch.rsqrt, t(0.25, 4.0, INF, NAN))
case("reciprocal", torch.reciprocal, t(0.25, -4.0, INF, -INF, NAN))
case("log", torch.log, t(0.0, 0.5, 1.0, INF, NAN))
case("log1p", torch.log1p, t(-1.0, -0.5, 0.0, 1e-9, INF, NAN))
case("sin", torch.sin, t(0.0, 1.0, NAN))
case("cos", torch.cos, t(0.0, 1.0, NAN))
case("square", torch.square, line)

left = t(1.0, -2.0, 0.0, INF, -INF, NAN, 1.0, INF)
right = t(1.0, -2.0, 0.0, INF, INF, 1.0, NAN, -INF)
known = ~(left.isnan() | right.isnan())
case("maximum", torch.maximum, left[known], right[known])
case("minimum", torch.minimum, left[known], right[known])
case("maximum with NaN", torch.maximum, left, right, gradients=False)
case("minimum with NaN", torch.minimum, left, right, gradients=False)
case("maximum of finite values", torch.maximum, t(1.0, 2.0, 3.0), t(3.0, 2.0, 1.0))
case("clip", lambda x: x.clamp(-1.0, 1.0), line)
case("add", torch.add, left, right)
case("mul", torch.mul, left, right)
case("div", torch.div, t(1.0, -1.0, 4.0, INF, 0.5), t(2.0, 0.5, INF, 2.0, -INF))
case("rem", torch.fmod, t(5.25, -5.25, 5.25, -5.25, 0.75), t(2.0, 2.0, -2.0, -2.0, 2.0))
case("pow", torch.pow, t(0.0, 0.0, 0.0, 2.0, 1.0, INF), t(0.0, 1.0, 2.0, 0.0, 5.0, 2.0))
# The exponent's gradient is NaN in PyTorch, and 0 here.
case("pow of negative values", torch.pow, t(-2.0, -2.0, -2.0), t(2.0, 3.0, 0.5), gradients=False)
case("greater", torch.gt, left, right)
case("equal", torch.eq, left, right)
case("notEqual", torch.ne, left, right)
case("select", lambda a, b: torch.where(torch.tensor([True, False, True, False]), a, b), t(1.0, 2.0, INF, NAN), t(NAN, INF, 3.0, 4.0))

ties = torch.tensor([[3.0, 1.0, 3.0, 2.0], [1.0, 1.0, 1.0, 1.0], [-INF, 0.0, -INF, 0.0], [INF, 1.0, INF, 2.0]])
unknown = torch.tensor([[1.0, NAN, 3.0], [2.0, 2.0, 0.0]])
for axis in [0, 1]:
    case(f"max over axis {axis}", lambda x: x.amax(axis), ties)
    case(f"min over axis {axis}", lambda x: x.amin(axis), ties)
    case(f"argmax over axis {axis}", lambda x: x.argmax(axis), ties)
    case(f"argmin over axis {axis}", lambda x: x.argmin(axis), ties)
case("max over both axes", lambda x: x.amax((0, 1)), torch.tensor([[1.0, 2.0], [2.0, 2.0]]))
case("max with NaN", lambda x: x.amax(1), unknown, gradients=False)
case("min with NaN", lambda x: x.amin(1), unknown, gradients=False)
case("argmax with NaN", lambda x: x.argmax(1), unknown)
case("argmin with NaN", lambda x: x.argmin(1), unknown)
case("sum with infinities", lambda x: x.sum(1), torch.tensor([[INF, 1.0], [INF, -INF], [NAN, 1.0], [-INF, -1.0]]))
case("max of equal infinities", lambda x: x.amax(0), t(-INF, -INF, -INF))

one = torch.tensor([[[2.0]]])
for name, f in {
    "sum": lambda x: x.sum(1), "mean": lambda x: x.mean((0, 2)), "max": lambda x: x.amax(1),
    "variance": lambda x: x.var(1, correction=0), "softmax": lambda x: x.softmax(1),
    "logSoftmax": lambda x: x.log_softmax(1), "logSumExp": lambda x: x.logsumexp(1), "argmax": lambda x: x.argmax(1),
}.items():
    case(f"{name} of one element", f, one)
prime = (torch.arange(7 * 11 * 3) % 13 - 6).double().reshape(7, 11, 3) / 8
for name, f in {
    "sum": lambda x: x.sum(1), "mean": lambda x: x.mean((0, 2)), "max": lambda x: x.amax((0, 1)),
    "variance": lambda x: x.var((0, 1), correction=0), "softmax": lambda x: x.softmax(1),
    "logSoftmax": lambda x: x.log_softmax(0), "logSumExp": lambda x: x.logsumexp(1), "argmax": lambda x: x.argmax(1),
}.items():
    case(f"{name} of prime sizes", f, prime)

masked = torch.tensor([[0.0, -INF, 1.0], [-INF, -INF, 2.0]])
case("softmax of masked scores", lambda x: x.softmax(1), masked)
case("logSumExp of masked scores", lambda x: x.logsumexp(1), masked)
large = torch.tensor([[1000.0, 1000.0, 999.0], [-1000.0, -1001.0, -1000.0]])
case("softmax of large scores", lambda x: x.softmax(1), large)
case("logSoftmax of large scores", lambda x: x.log_softmax(1), large)
case("logSumExp of large scores", lambda x: x.logsumexp(1), large)

rows = torch.arange(15.0).reshape(5, 3) / 4
again = i(4, 0, 4, 4, 2)
case("gather of repeated indices", lambda x, k: x[k], rows, again)
case("gather of repeated columns", lambda x, k: x[:, k], rows, i(2, 2, 0, 2))
case("gather by a matrix", lambda x, k: x[k], rows, torch.tensor([[1, 1], [0, 4]]))
case("gather from one row", lambda x, k: x[k], rows[:1], i(0, 0, 0))
case("scatterAdd of repeated indices", lambda x, k: torch.zeros(5, 3).index_add(0, k, x), rows, again)
case("scatterAdd onto one row", lambda x, k: torch.zeros(1, 3).index_add(0, k, x), rows, i(0, 0, 0, 0, 0))
case("oneHot", lambda k: F.one_hot(k, 5).double(), again)

flat = torch.tensor([[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 2.0, 2.0], [-INF, -INF, 5.0, INF], [-INF, -INF, INF, 0.0]])[None, None]
case("maxPool2d of ties", lambda x: F.max_pool2d(x, 2), flat)
case("maxPool2d with overlap", lambda x: F.max_pool2d(x, 3, 1, 1), torch.zeros(1, 1, 3, 3))
case("maxPool2d of one pixel", lambda x: F.max_pool2d(x, 1), one[None])
case("maxPool2d padded, of negative values", lambda x: F.max_pool2d(x, 2, 2, 1), -torch.ones(1, 1, 3, 3))
case("avgPool2d padded", lambda x: F.avg_pool2d(x, 3, 2, 1), prime[None, :5, :7])
case("conv2d of one pixel", F.conv2d, one[None], torch.full((1, 1, 1, 1), 3.0))
case("conv2d of primes", lambda x, w: F.conv2d(x, w, None, (2, 1), (1, 2), (1, 2)), prime[None, :3], (prime[:5, :3, :3] - 0.25).reshape(5, 3, 3, 1))
case("conv2d, grouped", lambda x, w: F.conv2d(x, w, None, 1, 0, 1, 3), prime[None, :3], prime[:3, :1, :2].reshape(3, 1, 1, 2))
case("matmul of primes", torch.matmul, prime, prime[:3, :5, :1].reshape(3, 5))
case("matmul of vectors", torch.matmul, prime[0, 0], prime[1, 0])
case("matmul of one element", torch.matmul, one[0], one[0])
case("matmul broadcast over batches", torch.matmul, prime[:, None, :1], prime[0].reshape(1, 1, 3, 11)[:, 0])

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "edges.json")
with open(path, "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(entry) for entry in cases) + "\n]\n")
print(len(cases), "cases")
