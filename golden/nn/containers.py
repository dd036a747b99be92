"""Containers, and layers without arithmetic."""
from collections import OrderedDict
from common import *


layer("flatten", {"kind": "flatten", "start": 1}, nn.Flatten(), [numbers(2, 3, 2, 2)])
layer("dropout in evaluation", {"kind": "dropout", "p": 0.5}, nn.Dropout(0.5), [numbers(2, 3)])
layer("identity", {"kind": "identity"}, nn.Identity(), [numbers(2, 3)])

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
layer(
    "a named sequential",
    {"kind": "sequential", "layers": [{"name": "hidden", "layer": {"kind": "linear", "outFeatures": 4}}, {"name": "act", "layer": {"kind": "tanh"}}, {"name": "head", "layer": {"kind": "linear", "outFeatures": 2}}]},
    nn.Sequential(OrderedDict(hidden=nn.Linear(3, 4), act=nn.Tanh(), head=nn.Linear(4, 2))),
    [numbers(3, 3)],
    second=True,
)

write()
