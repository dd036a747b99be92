"""Batch norm: three steps, then evaluation."""
from common import *


def norm(name, config, module, *shapes, second=False):
    layer(name, {"kind": "batchNorm", **config}, module, [numbers(*shape) + i for i, shape in enumerate(shapes)], training=True, second=second)

norm("batchNorm of vectors", {}, nn.BatchNorm1d(3), (6, 3), (4, 3), (5, 3), second=True)
norm("batchNorm of sequences", {"momentum": 0.3, "eps": 1e-3}, nn.BatchNorm1d(2, momentum=0.3, eps=1e-3), (3, 2, 5), (2, 2, 4), (1, 2, 3))
norm("batchNorm of images", {}, nn.BatchNorm2d(3), (4, 3, 3, 2), (2, 3, 2, 2), (3, 3, 1, 2), second=True)
norm("batchNorm with a cumulative mean", {"momentum": None}, nn.BatchNorm2d(2, momentum=None), (2, 2, 3, 3), (2, 2, 2, 3), (3, 2, 2, 2))
norm("batchNorm without affine", {"affine": False}, nn.BatchNorm2d(2, affine=False), (2, 2, 3, 3), (2, 2, 2, 3), (3, 2, 2, 2), second=True)
layer("batchNorm without running statistics", {"kind": "batchNorm", "trackRunningStats": False}, nn.BatchNorm1d(4, track_running_stats=False), [numbers(5, 4)])

write()
