"""Layer, RMS, group, instance and local response norm."""
from common import *


f32_eps = torch.finfo(torch.float32).eps

layer("layerNorm", {"kind": "layerNorm"}, nn.LayerNorm(5), [numbers(3, 5) + 2], second=True)
layer("layerNorm of a sequence", {"kind": "layerNorm", "eps": 1e-2}, nn.LayerNorm(7, eps=1e-2), [numbers(2, 3, 7)])
layer("layerNorm of two axes", {"kind": "layerNorm", "normalizedShape": [2, 3]}, nn.LayerNorm([2, 3]), [numbers(2, 3, 2, 3)], second=True)
layer("layerNorm of a sample", {"kind": "layerNorm", "normalizedShape": [3, 1, 5]}, nn.LayerNorm([3, 1, 5]), [numbers(2, 3, 1, 5)])
layer("layerNorm without bias", {"kind": "layerNorm", "normalizedShape": 4, "bias": False}, nn.LayerNorm(4, bias=False), [numbers(3, 4)])
layer("layerNorm without affine", {"kind": "layerNorm", "elementwiseAffine": False}, nn.LayerNorm(4, elementwise_affine=False), [numbers(3, 2, 4)], second=True)
layer("layerNorm of one value", {"kind": "layerNorm"}, nn.LayerNorm(1), [numbers(3, 1)])
layer("layerNorm of equal and of large values", {"kind": "layerNorm"}, nn.LayerNorm(4), [torch.tensor([[0.5, 0.5, 0.5, 0.5], [1e4, 1e4 + 1, 1e4 - 2, 1e4], [0, 0, 0, 0]])])

layer("rmsNorm", {"kind": "rmsNorm"}, nn.RMSNorm(5, eps=f32_eps), [numbers(3, 5)], second=True)
layer("rmsNorm of a sequence", {"kind": "rmsNorm", "eps": 1e-2}, nn.RMSNorm(7, eps=1e-2), [numbers(2, 3, 7)])
layer("rmsNorm of two axes", {"kind": "rmsNorm", "normalizedShape": [2, 3]}, nn.RMSNorm([2, 3], eps=f32_eps), [numbers(2, 3, 2, 3)])
layer("rmsNorm without affine", {"kind": "rmsNorm", "elementwiseAffine": False}, nn.RMSNorm(4, eps=f32_eps, elementwise_affine=False), [numbers(3, 2, 4)], second=True)
layer("rmsNorm of one value", {"kind": "rmsNorm"}, nn.RMSNorm(1, eps=f32_eps), [numbers(3, 1) + 1])

layer("groupNorm", {"kind": "groupNorm", "numGroups": 2}, nn.GroupNorm(2, 4), [numbers(2, 4, 3, 2)], second=True)
layer("groupNorm of vectors", {"kind": "groupNorm", "numGroups": 3}, nn.GroupNorm(3, 6), [numbers(3, 6)])
layer("groupNorm of sequences, one group", {"kind": "groupNorm", "numGroups": 1, "eps": 1e-2}, nn.GroupNorm(1, 3, eps=1e-2), [numbers(2, 3, 5)])
layer("groupNorm of each channel", {"kind": "groupNorm", "numGroups": 3}, nn.GroupNorm(3, 3), [numbers(2, 3, 2, 2)])
layer("groupNorm of volumes", {"kind": "groupNorm", "numGroups": 2}, nn.GroupNorm(2, 4), [numbers(1, 4, 2, 1, 3)])
layer("groupNorm without affine", {"kind": "groupNorm", "numGroups": 2, "affine": False}, nn.GroupNorm(2, 4, affine=False), [numbers(2, 4, 3)], second=True)

layer("instanceNorm of sequences", {"kind": "instanceNorm"}, nn.InstanceNorm1d(3), [numbers(2, 3, 5)], second=True)
layer("instanceNorm of images", {"kind": "instanceNorm", "affine": True, "eps": 1e-3}, nn.InstanceNorm2d(2, affine=True, eps=1e-3), [numbers(3, 2, 3, 2)], second=True)
layer("instanceNorm of volumes", {"kind": "instanceNorm", "affine": True}, nn.InstanceNorm3d(2, affine=True), [numbers(1, 2, 2, 1, 3)])
layer("instanceNorm with running statistics", {"kind": "instanceNorm", "affine": True, "trackRunningStats": True, "momentum": 0.3}, nn.InstanceNorm2d(2, affine=True, track_running_stats=True, momentum=0.3), [numbers(3, 2, 3, 2) + 1, numbers(2, 2, 2, 2), numbers(1, 2, 3, 1)], training=True, second=True)
layer("instanceNorm of sequences with running statistics", {"kind": "instanceNorm", "trackRunningStats": True}, nn.InstanceNorm1d(3, track_running_stats=True), [numbers(2, 3, 4), numbers(2, 3, 2)], training=True)

layer("localResponseNorm", {"kind": "localResponseNorm", "size": 3}, nn.LocalResponseNorm(3), [numbers(2, 5, 2, 2)], second=True)
layer("localResponseNorm of an even size", {"kind": "localResponseNorm", "size": 4, "alpha": 0.5, "beta": 0.5, "k": 2}, nn.LocalResponseNorm(4, alpha=0.5, beta=0.5, k=2), [numbers(1, 6, 3)])
layer("localResponseNorm past all channels", {"kind": "localResponseNorm", "size": 7, "alpha": 1}, nn.LocalResponseNorm(7, alpha=1), [numbers(2, 3, 2, 1)])

write()
