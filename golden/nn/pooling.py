"""Pooling."""
from common import *


for kind, make in (("maxPool2d", nn.MaxPool2d), ("avgPool2d", nn.AvgPool2d)):
    layer(f"{kind} 2", {"kind": kind, "window": 2}, make(2), [numbers(2, 3, 7, 5)])
    layer(f"{kind} with overlap and padding", {"kind": kind, "window": 3, "stride": 2, "padding": 1}, make(3, stride=2, padding=1), [numbers(2, 2, 7, 6)])
    layer(f"{kind} by axis", {"kind": kind, "window": [2, 3], "stride": [1, 2], "padding": [0, 1]}, make((2, 3), stride=(1, 2), padding=(0, 1)), [numbers(1, 2, 4, 7)])
layer("maxPool2d of ties", {"kind": "maxPool2d", "window": 3, "stride": 1}, nn.MaxPool2d(3, stride=1), [numbers(1, 2, 5, 5).round()])
layer("globalAvgPool2d", {"kind": "globalAvgPool2d"}, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), [numbers(3, 2, 5, 3)])
layer("globalAvgPool2d kept", {"kind": "globalAvgPool2d", "keepDims": True}, nn.AdaptiveAvgPool2d(1), [numbers(2, 3, 3, 4)])

write()
