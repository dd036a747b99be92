"""torchvision's MobileNetV2 and EfficientNet-B0, and small ones of the same stages. Nothing is dropped."""
import copy
from torchvision.models import efficientnet as eff
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.mobilenetv2 import MobileNetV2
from common import case, images, labels, write


def mobilenet(name, width, x, classes, rate, small):
    config = {"kind": "mobilenetV2", "width": width, "dropout": 0, "classes": classes}
    make = lambda: MobileNetV2(num_classes=classes, width_mult=width, dropout=0.0)
    return case(name, config, make, x, labels(classes, x.shape[0]), classes, rate, small=small)


def efficientnet(name, width, depth, x, classes, rate, small):
    config = {"kind": "efficientnet", "dropout": 0, "stochasticDepth": 0, "width": width, "depth": depth, "classes": classes}
    settings, last = eff._efficientnet_conf("efficientnet_b0", width_mult=width, depth_mult=depth)
    make = lambda: EfficientNet(copy.deepcopy(settings), 0.0, 0.0, num_classes=classes, last_channel=last)
    return case(name, config, make, x, labels(classes, x.shape[0]), classes, rate, small=small)


write(
    "mobile",
    [
        mobilenet("mobilenetV2 at a tenth", 0.1, images(3, 3, 33, 40), 5, 1 / 256, True),
        efficientnet("efficientnet at a tenth", 0.1, 0.25, images(3, 3, 40, 33), 5, 1 / 256, True),
        mobilenet("mobilenetV2", 1.0, images(4, 3, 64, 64), 10, 1 / 4096, False),
        efficientnet("efficientnetB0", 1.0, 1.0, images(4, 3, 64, 64), 10, 1 / 4096, False),
    ],
)
