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

write()
