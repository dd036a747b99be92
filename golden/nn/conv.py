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

for mode in ("reflect", "replicate", "circular"):
    conv(f"conv2d with padding of mode {mode}", {"padding": [2, 1], "paddingMode": mode, "stride": 2}, 2, 2, 3, (2, 2, 5, 4), padding=(2, 1), padding_mode=mode, stride=2)
    conv(f"conv2d with padding same of mode {mode}, even kernel", {"padding": "same", "paddingMode": mode}, 1, 2, (2, 4), (1, 1, 4, 5), padding="same", padding_mode=mode)
conv("conv2d with padding valid", {"padding": "valid", "paddingMode": "reflect"}, 1, 2, 2, (1, 1, 3, 3), padding="valid", padding_mode="reflect")
conv("conv2d of size 1", {"padding": 1}, 1, 1, 3, (1, 1, 1, 1), padding=1)


def conv1(name, config, inputs, out, kernel, shape, **options):
    layer(name, {"kind": "conv1d", "outChannels": out, "kernel": kernel, **config}, nn.Conv1d(inputs, out, kernel, **options), [numbers(*shape)])

conv1("conv1d", {}, 3, 4, 3, (2, 3, 7))
conv1("conv1d with stride, padding and dilation", {"stride": 3, "padding": 2, "dilation": 2}, 2, 3, 3, (2, 2, 11), stride=3, padding=2, dilation=2)
conv1("conv1d in groups without bias", {"groups": 2, "bias": False}, 4, 2, 2, (1, 4, 5), groups=2, bias=False)
conv1("conv1d with padding same, even kernel, circular", {"padding": "same", "paddingMode": "circular"}, 2, 2, 4, (2, 2, 5), padding="same", padding_mode="circular")
conv1("conv1d pointwise of one step", {}, 3, 2, 1, (1, 3, 1))

layer("depthwiseConv2d", {"kind": "depthwiseConv2d", "kernel": 3, "padding": 1}, nn.Conv2d(3, 3, 3, padding=1, groups=3), [numbers(2, 3, 5, 4)])
layer("depthwiseConv2d with a multiplier and stride", {"kind": "depthwiseConv2d", "kernel": [2, 3], "multiplier": 2, "stride": 2, "bias": False}, nn.Conv2d(3, 6, (2, 3), stride=2, groups=3, bias=False), [numbers(2, 3, 6, 7)])


class Separable(nn.Module):
    def __init__(self, inputs, out, kernel, multiplier, **options):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs * multiplier, kernel, groups=inputs, bias=False, **options)
        self.pointwise = nn.Conv2d(inputs * multiplier, out, 1)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


layer("separableConv2d", {"kind": "separableConv2d", "outChannels": 4, "kernel": 3, "padding": 1, "multiplier": 2}, Separable(3, 4, 3, 2, padding=1), [numbers(2, 3, 4, 5)])


def transposed(name, config, inputs, out, kernel, shape, **options):
    axes = len(shape) - 2
    make = nn.ConvTranspose1d if axes == 1 else nn.ConvTranspose2d
    layer(name, {"kind": f"convTranspose{axes}d", "outChannels": out, "kernel": kernel, **config}, make(inputs, out, kernel, **options), [numbers(*shape)])

transposed("convTranspose2d", {}, 3, 2, 3, (2, 3, 4, 5))
transposed("convTranspose2d that doubles", {"stride": 2, "padding": 1}, 2, 3, 4, (2, 2, 3, 4), stride=2, padding=1)
transposed("convTranspose2d with output padding", {"stride": [3, 2], "padding": [1, 0], "outputPadding": [2, 1]}, 2, 2, 3, (1, 2, 3, 2), stride=(3, 2), padding=(1, 0), output_padding=(2, 1))
transposed("convTranspose2d with output padding beyond the stride", {"dilation": [3, 2], "padding": [1, 1], "outputPadding": [2, 1]}, 2, 2, 2, (1, 2, 3, 4), dilation=(3, 2), padding=(1, 1), output_padding=(2, 1))
transposed("convTranspose2d with output padding beyond stride and padding", {"dilation": 3, "outputPadding": 2}, 1, 2, 2, (1, 1, 2, 3), dilation=3, output_padding=2)
transposed("convTranspose2d in groups without bias", {"groups": 2, "bias": False, "dilation": 2}, 4, 6, 2, (2, 4, 3, 3), groups=2, bias=False, dilation=2)
transposed("convTranspose2d with a stride larger than the kernel", {"stride": 3}, 2, 2, 2, (1, 2, 3, 2), stride=3)
transposed("convTranspose2d of size 1 with more padding than reach", {"padding": 2, "stride": 2}, 1, 1, 3, (1, 1, 3, 3), padding=2, stride=2)
transposed("convTranspose1d", {"stride": 2, "padding": 1, "outputPadding": 1}, 3, 2, 3, (2, 3, 5), stride=2, padding=1, output_padding=1)
transposed("convTranspose1d in groups", {"groups": 2, "dilation": 2}, 2, 4, 3, (2, 2, 4), groups=2, dilation=2)

layer("conv1d and convTranspose1d with tanh between, twice differentiated", seq({"kind": "conv1d", "outChannels": 3, "kernel": 3, "stride": 2}, {"kind": "tanh"}, {"kind": "convTranspose1d", "outChannels": 2, "kernel": 3, "stride": 2}, {"kind": "tanh"}), nn.Sequential(nn.Conv1d(2, 3, 3, stride=2), nn.Tanh(), nn.ConvTranspose1d(3, 2, 3, stride=2), nn.Tanh()), [numbers(2, 2, 7)], second=True)

write()
