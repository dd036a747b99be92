"""torchvision's VGGs made small, and the one of kuangliu/pytorch-cifar."""
from torch import nn
from torchvision.models import vgg as tv
from common import case, images, labels, write

CONFIGURATIONS = {11: "A", 13: "B", 16: "D", 19: "E"}


def features(depth, width, batch_norm):
    return tv.make_layers([v if v == "M" else v * width // 64 for v in tv.cfgs[CONFIGURATIONS[depth]]], batch_norm)


class Small(tv.VGG):
    def __init__(self, depth, width, hidden, classes, batch_norm):
        super().__init__(features(depth, width, batch_norm), num_classes=classes, dropout=0.0)
        last = width * 8 * 7 * 7
        self.classifier[0], self.classifier[3] = nn.Linear(last, hidden), nn.Linear(hidden, hidden)
        self.classifier[6] = nn.Linear(hidden, classes)


class Cifar(nn.Module):
    """kuangliu/pytorch-cifar's VGG: its AvgPool2d(1) does nothing."""

    def __init__(self, depth, width=64, classes=10):
        super().__init__()
        self.features = features(depth, width, True)
        self.classifier = nn.Linear(width * 8, classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def hidden(name, depth, batch_norm, x, rate, classes=5):
    config = {"kind": "vgg", "depth": depth, "batchNorm": batch_norm, "width": 4, "hidden": 12, "classes": classes, "dropout": 0}
    make = lambda: Small(depth, 4, 12, classes, batch_norm)
    return case(name, config, make, x, labels(classes, x.shape[0]), classes, rate, small=True)


cifar = {"kind": "vgg", "depth": 11, "batchNorm": True, "head": "linear", "classes": 10}
write(
    "vgg",
    [
        hidden("vgg11, 4 channels", 11, False, images(2, 3, 34, 67), 1 / 64),
        hidden("vgg13 with norms, 4 channels", 13, True, images(3, 3, 32, 32), 1 / 1024),
        case("vggSmall", cifar, lambda: Cifar(11), images(8, 3, 32, 32), labels(10, 8), 10, 1 / 1024),
    ],
)
