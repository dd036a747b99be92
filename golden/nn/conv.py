"""Convolutions."""
from common import *


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

write()
