"""Activations."""
from common import *


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

# Kinks stand on multiples of 1/32 too: what PyTorch takes for their derivative is checked; the second one, off them.
def bent(name, config, module):
    act(name, config, module, second=False)
    if config["kind"] in ("selu", "celu", "softsign", "hardSwish"):
        layer(f"{name} off its kinks", config, module, [numbers(4, 5, scale=3) + 1 / 64], second=True)

act("silu", {"kind": "silu"}, nn.SiLU())
# Its second derivative at 1000 is NaN in PyTorch.
act("mish", {"kind": "mish"}, nn.Mish(), second=False)
layer("mish near zero", {"kind": "mish"}, nn.Mish(), [numbers(4, 5, scale=3)], second=True)
act("softplus", {"kind": "softplus"}, nn.Softplus())
act("softplus, beta 2.5 and threshold 1", {"kind": "softplus", "beta": 2.5, "threshold": 1}, nn.Softplus(2.5, 1))
act("softplus, beta 0.5 and threshold 200", {"kind": "softplus", "beta": 0.5, "threshold": 200}, nn.Softplus(0.5, 200))
act("logSigmoid", {"kind": "logSigmoid"}, nn.LogSigmoid())
act("tanhshrink", {"kind": "tanhshrink"}, nn.Tanhshrink())
bent("softsign", {"kind": "softsign"}, nn.Softsign())


class HardSigmoid(nn.Module):
    """PyTorch's own divides by 6 in single precision in its backward pass, here too."""

    def forward(self, x):
        return F.relu6(x + 3) / 6


kinks = torch.tensor([-3.0, -2.96875, -1.0, -0.5, 0.0, 0.5, 1.0, 2.96875, 3.0, 6.0])
for kind, config, module in (
    ("relu6", {}, nn.ReLU6()),
    ("hardSigmoid", {}, HardSigmoid()),
    ("hardSwish", {}, nn.Hardswish()),
    ("hardTanh", {}, nn.Hardtanh()),
    ("hardTanh", {"minVal": -0.5, "maxVal": 3}, nn.Hardtanh(-0.5, 3)),
    ("selu", {}, nn.SELU()),
    ("celu", {"alpha": 1}, nn.CELU()),
    ("celu", {"alpha": 2.5}, nn.CELU(2.5)),
    ("softshrink", {"lambda": 0.5}, nn.Softshrink()),
    ("softshrink", {"lambda": 0}, nn.Softshrink(0)),
    ("hardshrink", {"lambda": 0.5}, nn.Hardshrink()),
    ("hardshrink", {"lambda": 1}, nn.Hardshrink(1)),
    ("threshold", {"threshold": 0.5, "value": 20}, nn.Threshold(0.5, 20)),
    ("rrelu", {}, nn.RReLU()),
    ("rrelu", {"lower": 0.5, "upper": 2}, nn.RReLU(0.5, 2)),
):
    name = " ".join([kind, *(str(v) for v in config.values())])
    bent(name, {"kind": kind, **config}, module)
    layer(f"{name} on kinks", {"kind": kind, **config}, module, [kinks])

# The gradient of the weight too.
layer("prelu", {"kind": "prelu"}, nn.PReLU(), [torch.cat([far, numbers(7)]).reshape(2, 5, 2)], second=True)
layer("prelu of channels", {"kind": "prelu", "numParameters": 3}, nn.PReLU(3), [numbers(2, 3, 2, 3)])
layer("prelu of a vector's channels", {"kind": "prelu", "numParameters": 5}, nn.PReLU(5), [numbers(2, 5)])

spread = torch.cat([numbers(3, 5), numbers(2, 5, scale=300)])
layer("logSoftmax", {"kind": "logSoftmax", "axis": -1}, nn.LogSoftmax(-1), [spread], second=True)
layer("logSoftmax over channels", {"kind": "logSoftmax", "axis": 1}, nn.LogSoftmax(1), [numbers(2, 4, 2, 3)])
layer("logSoftmax of one class", {"kind": "logSoftmax", "axis": 1}, nn.LogSoftmax(1), [numbers(3, 1)])
layer("softmin", {"kind": "softmin", "axis": -1}, nn.Softmin(-1), [spread], second=True)

layer("glu", {"kind": "glu"}, nn.GLU(), [numbers(3, 6)], second=True)
layer("glu over channels", {"kind": "glu", "axis": 1}, nn.GLU(1), [numbers(2, 2, 3, 1)])
layer("glu of the first axis but one, by tanh", {"kind": "glu", "axis": -2, "activation": "tanh"}, nn.Identity(), [numbers(3, 4, 2)], call=lambda _, x: x[:, :2] * x[:, 2:].tanh(), second=True)


class Gated(nn.Module):
    def __init__(self, gate, *sizes, **options):
        super().__init__()
        self.proj = nn.Linear(*sizes, **options)
        self.gate = gate

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, -1)
        return value * self.gate(gate)


layer("swiglu", {"kind": "swiglu", "outFeatures": 3, "bias": False}, Gated(F.silu, 5, 6, bias=False), [numbers(2, 3, 5)], second=True)
layer("geglu", {"kind": "geglu", "outFeatures": 4}, Gated(F.gelu, 3, 8), [numbers(4, 3)], second=True)
layer("reglu", {"kind": "reglu", "outFeatures": 1}, Gated(F.relu, 3, 2), [numbers(4, 3)])

write()
