"""Layers that move elements: padding, upsampling, reshaping. Names that PyTorch has not are its functions."""
from common import *


def pads(name, config, module, *shape, **options):
    layer(f"pad, {name}", {"kind": "pad", **config}, module, [numbers(*shape)], **options)

one, two = [[2, 1]], [[1, 0], [2, 3]]
pads("one number", {"padding": 1}, nn.ZeroPad2d(1), 2, 1, 3, 2)
pads("one number of sequences", {"padding": 2}, nn.ZeroPad1d(2), 2, 3, 1)
pads("none", {"padding": 0}, nn.ZeroPad2d(0), 1, 2, 3, 2)
pads("zeros by side", {"padding": two}, nn.ZeroPad2d((2, 3, 1, 0)), 2, 2, 3, 4)
pads("a value", {"padding": two, "value": -1.5}, nn.ConstantPad2d((2, 3, 1, 0), -1.5), 1, 2, 1, 4)
pads("a value in sequences", {"padding": one, "value": 0.5}, nn.ConstantPad1d((2, 1), 0.5), 2, 2, 3)
pads("reflect", {"padding": two, "mode": "reflect"}, nn.ReflectionPad2d((2, 3, 1, 0)), 2, 2, 3, 4)
pads("reflect as far as it goes", {"padding": 2, "mode": "reflect"}, nn.ReflectionPad2d(2), 1, 1, 3, 3)
pads("reflect in sequences", {"padding": one, "mode": "reflect"}, nn.ReflectionPad1d((2, 1)), 2, 3, 3)
pads("replicate", {"padding": two, "mode": "replicate"}, nn.ReplicationPad2d((2, 3, 1, 0)), 2, 2, 3, 4)
pads("replicate one pixel", {"padding": 2, "mode": "replicate"}, nn.ReplicationPad2d(2), 1, 2, 1, 1)
pads("replicate in sequences", {"padding": one, "mode": "replicate"}, nn.ReplicationPad1d((2, 1)), 2, 3, 2)
pads("circular", {"padding": two, "mode": "circular"}, nn.CircularPad2d((2, 3, 1, 0)), 2, 2, 3, 4)
pads("circular once around", {"padding": 3, "mode": "circular"}, nn.CircularPad1d(3), 1, 2, 3)


def up(name, config, module, *shape):
    layer(f"upsample, {name}", {"kind": "upsample", **config}, module, [numbers(*shape)])

for mode, shape in (("nearest", (2, 2, 3, 2)), ("nearest", (1, 2, 5)), ("bilinear", (2, 2, 3, 2)), ("linear", (1, 2, 5))):
    name = f"{mode} of rank {len(shape)}"
    up(f"{name} by 2", {"scaleFactor": 2, "mode": mode}, nn.Upsample(scale_factor=2, mode=mode), *shape)
    up(f"{name} by 1.7", {"scaleFactor": 1.7, "mode": mode}, nn.Upsample(scale_factor=1.7, mode=mode), *shape)
    up(f"{name} by 0.6", {"scaleFactor": 0.6, "mode": mode}, nn.Upsample(scale_factor=0.6, mode=mode), *shape)
    up(f"{name} to 7", {"size": 7, "mode": mode}, nn.Upsample(size=7, mode=mode), *shape)
    up(f"{name} to 1", {"size": 1, "mode": mode}, nn.Upsample(size=1, mode=mode), *shape)
    if mode != "nearest":
        up(f"{name} by 3, corners aligned", {"scaleFactor": 3, "mode": mode, "alignCorners": True}, nn.Upsample(scale_factor=3, mode=mode, align_corners=True), *shape)
        up(f"{name} to 1, corners aligned", {"size": 1, "mode": mode, "alignCorners": True}, nn.Upsample(size=1, mode=mode, align_corners=True), *shape)
up("nearest by axis", {"scaleFactor": [2, 3]}, nn.Upsample(scale_factor=(2, 3)), 1, 2, 2, 3)
up("bilinear to sizes", {"size": [5, 2], "mode": "bilinear"}, nn.Upsample(size=(5, 2), mode="bilinear"), 1, 2, 2, 3)
up("bilinear of one pixel", {"scaleFactor": 3, "mode": "bilinear"}, nn.Upsample(scale_factor=3, mode="bilinear"), 1, 2, 1, 1)
up("bilinear of one pixel, corners aligned", {"scaleFactor": 3, "mode": "bilinear", "alignCorners": True}, nn.Upsample(scale_factor=3, mode="bilinear", align_corners=True), 1, 2, 1, 1)
up("by the size it has", {"size": 3, "mode": "linear"}, nn.Upsample(size=3, mode="linear"), 2, 1, 3)

layer("reshape", {"kind": "reshape", "shape": [3, -1, 2]}, nn.Identity(), [numbers(2, 4, 3)], call=lambda _, x: x.reshape(2, 3, 2, 2))
layer("reshape to scalars", {"kind": "reshape", "shape": []}, nn.Identity(), [numbers(3, 1)], call=lambda _, x: x.reshape(3))
layer("unflatten", {"kind": "unflatten", "axis": 1, "sizes": [2, 3]}, nn.Unflatten(1, (2, 3)), [numbers(2, 6, 2)])
layer("unflatten the last axis, one size open", {"kind": "unflatten", "axis": -1, "sizes": [-1, 2]}, nn.Unflatten(-1, (-1, 2)), [numbers(3, 4)])
layer("permute", {"kind": "permute", "order": [0, 2, 3, 1]}, nn.Identity(), [numbers(2, 3, 2, 5)], call=lambda _, x: x.permute(0, 2, 3, 1))
layer("pixelShuffle", {"kind": "pixelShuffle", "upscaleFactor": 2}, nn.PixelShuffle(2), [numbers(2, 8, 1, 3)])
layer("pixelShuffle by 3", {"kind": "pixelShuffle", "upscaleFactor": 3}, nn.PixelShuffle(3), [numbers(1, 9, 2, 2)])
layer("pixelUnshuffle", {"kind": "pixelUnshuffle", "downscaleFactor": 2}, nn.PixelUnshuffle(2), [numbers(2, 2, 2, 6)])

write()
