"""Pooling."""
from common import *


for kind, make in (("maxPool2d", nn.MaxPool2d), ("avgPool2d", nn.AvgPool2d)):
    layer(f"{kind} 2", {"kind": kind, "window": 2}, make(2), [numbers(2, 3, 7, 5)])
    layer(f"{kind} with overlap and padding", {"kind": kind, "window": 3, "stride": 2, "padding": 1}, make(3, stride=2, padding=1), [numbers(2, 2, 7, 6)])
    layer(f"{kind} by axis", {"kind": kind, "window": [2, 3], "stride": [1, 2], "padding": [0, 1]}, make((2, 3), stride=(1, 2), padding=(0, 1)), [numbers(1, 2, 4, 7)])
layer("maxPool2d of ties", {"kind": "maxPool2d", "window": 3, "stride": 1}, nn.MaxPool2d(3, stride=1), [numbers(1, 2, 5, 5).round()])
layer("globalAvgPool2d", {"kind": "globalAvgPool2d"}, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), [numbers(3, 2, 5, 3)])
layer("globalAvgPool2d kept", {"kind": "globalAvgPool2d", "keepDims": True}, nn.AdaptiveAvgPool2d(1), [numbers(2, 3, 3, 4)])


def pool(name, kind, make, given, shape, config=None, x=None, second=False):
    names = {"kernel_size": "window", "ceil_mode": "ceilMode", "count_include_pad": "countIncludePad", "divisor_override": "divisorOverride", "norm_type": "p", "output_size": "size"}
    layer(name, {"kind": kind, **{names.get(key, key): value for key, value in given.items()}}, make(**given), [numbers(*shape) if x is None else x], second=second)

pool("maxPool2d with dilation", "maxPool2d", nn.MaxPool2d, {"kernel_size": (2, 3), "stride": 1, "dilation": 2, "padding": (1, 1)}, (2, 2, 6, 7))
pool("maxPool2d with dilation and stride, of ties", "maxPool2d", nn.MaxPool2d, {"kernel_size": 3, "stride": 2, "dilation": (2, 1), "padding": 1}, (), x=numbers(1, 2, 7, 6).round())
pool("maxPool2d of ceil mode", "maxPool2d", nn.MaxPool2d, {"kernel_size": 3, "stride": 2, "ceil_mode": True}, (2, 2, 6, 8))
pool("maxPool2d of ceil mode, stride 3 and padding", "maxPool2d", nn.MaxPool2d, {"kernel_size": (3, 2), "stride": 3, "padding": 1, "ceil_mode": True}, (1, 2, 5, 5))
pool("maxPool2d of ceil mode with dilation", "maxPool2d", nn.MaxPool2d, {"kernel_size": 2, "stride": 2, "dilation": 2, "ceil_mode": True}, (1, 1, 6, 5))
pool("avgPool2d that does not count padding", "avgPool2d", nn.AvgPool2d, {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}, (2, 2, 6, 5))
pool("avgPool2d of ceil mode", "avgPool2d", nn.AvgPool2d, {"kernel_size": (3, 2), "stride": (2, 3), "padding": 1, "ceil_mode": True}, (1, 2, 6, 6))
pool("avgPool2d of ceil mode that does not count padding", "avgPool2d", nn.AvgPool2d, {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True, "count_include_pad": False}, (1, 2, 6, 7))
pool("avgPool2d with a divisor of its own", "avgPool2d", nn.AvgPool2d, {"kernel_size": 2, "divisor_override": 3}, (1, 2, 4, 5))
pool("maxPool1d", "maxPool1d", nn.MaxPool1d, {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 3, 7))
pool("maxPool1d with dilation of ceil mode", "maxPool1d", nn.MaxPool1d, {"kernel_size": 2, "stride": 2, "dilation": 3, "ceil_mode": True}, (1, 2, 8))
pool("avgPool1d", "avgPool1d", nn.AvgPool1d, {"kernel_size": 3}, (2, 3, 8))
pool("avgPool1d of ceil mode that does not count padding", "avgPool1d", nn.AvgPool1d, {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True, "count_include_pad": False}, (1, 2, 6))
positive = lambda *shape: numbers(*shape).abs() + 0.25
pool("lpPool2d of 2", "lpPool2d", nn.LPPool2d, {"norm_type": 2, "kernel_size": 2}, (1, 2, 4, 5), x=numbers(1, 2, 4, 5), second=True)
pool("lpPool2d of 3, ceil mode", "lpPool2d", nn.LPPool2d, {"norm_type": 3, "kernel_size": (2, 3), "stride": 2, "ceil_mode": True}, (), x=positive(1, 2, 4, 6))
pool("lpPool2d of 1", "lpPool2d", nn.LPPool2d, {"norm_type": 1, "kernel_size": 2, "stride": 1}, (1, 1, 3, 3))
pool("lpPool1d of 1.5", "lpPool1d", nn.LPPool1d, {"norm_type": 1.5, "kernel_size": 3, "stride": 2}, (), x=positive(2, 2, 6))
for axes, shape, size in ((2, (2, 2, 7, 5), (3, 2)), (2, (1, 2, 6, 8), (3, 4)), (2, (1, 1, 7, 9), (5, 4)), (2, (1, 2, 3, 2), (5, 3)), (2, (2, 1, 5, 7), 1), (1, (2, 3, 7), 3), (1, (1, 2, 1), 4)):
    for op, make in (("Avg", (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)), ("Max", (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d))):
        kind = f"adaptive{op}Pool{axes}d"
        pool(f"{kind} of {'x'.join(map(str, shape[2:]))} to {size}", kind, make[axes - 1], {"output_size": size}, shape)
pool("adaptiveMaxPool2d of ties", "adaptiveMaxPool2d", nn.AdaptiveMaxPool2d, {"output_size": (2, 3)}, (), x=numbers(1, 2, 5, 7).round())
layer("globalAvgPool1d", {"kind": "globalAvgPool1d"}, nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten()), [numbers(3, 2, 5)])
layer("globalMaxPool2d of ties", {"kind": "globalMaxPool2d"}, nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()), [numbers(3, 2, 5, 4).round()])
layer("globalMaxPool2d kept", {"kind": "globalMaxPool2d", "keepDims": True}, nn.AdaptiveMaxPool2d(1), [numbers(2, 3, 3, 4)])
layer("globalMaxPool1d", {"kind": "globalMaxPool1d"}, nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten()), [numbers(3, 2, 1)])

write()
