"""torchvision's ResNets, and small ones from its blocks."""
from torch import nn
from torchvision.models import resnet as tv
from common import case, images, labels, write


class Small(nn.Module):
    """torchvision's ResNet with stages of `width` channels, and optionally the stem for small images."""

    def __init__(self, block, layers, width, classes, stem, channels=3):
        super().__init__()
        self.inplanes = width
        large = stem == "7x7"
        self.conv1 = nn.Conv2d(channels, width, 7 if large else 3, 2 if large else 1, 3 if large else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
        self._norm_layer, self.dilation, self.groups, self.base_width = nn.BatchNorm2d, 1, 1, 64
        for i, count in enumerate(layers):
            stage = tv.ResNet._make_layer(self, block, width * 2**i, count, stride=1 if i == 0 else 2)
            setattr(self, f"layer{i + 1}", stage)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width * 8 * block.expansion, classes)

    forward = tv.ResNet._forward_impl


def small(name, block, layers, stem, x, classes=5, channels=3, rate=1 / 64):
    kind = "basic" if block is tv.BasicBlock else "bottleneck"
    config = {"kind": "resnet", "block": kind, "layers": layers, "width": 4, "classes": classes, "stem": stem}
    make = lambda: Small(block, layers, 4, classes, stem, channels)
    return case(name, config, make, x, labels(classes, x.shape[0]), classes, rate, small=True)


def full(name, make, block, layers, x, rate):
    config = {"kind": "resnet", "block": block, "layers": layers, "classes": 10}
    return case(name, config, lambda: make(num_classes=10), x, labels(10, x.shape[0]), 10, rate)


write(
    "resnet",
    [
        small("basic blocks, 4 channels", tv.BasicBlock, [1, 2, 1, 1], "7x7", images(3, 3, 33, 40)),
        small("bottlenecks, 4 channels", tv.Bottleneck, [2, 1, 1, 1], "3x3", images(3, 1, 16, 17), channels=1),
        full("resnet18", tv.resnet18, "basic", [2, 2, 2, 2], images(4, 3, 64, 64), 1 / 256),
        full("resnet50", tv.resnet50, "bottleneck", [3, 4, 6, 3], images(4, 3, 64, 64), 1 / 65536),
    ],
)
