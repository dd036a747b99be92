"""timm's vision transformers."""
import timm
from timm.models.vision_transformer import VisionTransformer
from common import case, images, labels, write


def small(name, x, classes=5, **config):
    sizes = {"patch_size": config["patch"], "embed_dim": config["width"], "depth": config["layers"], "num_heads": config["heads"]}
    make = lambda: VisionTransformer(img_size=tuple(x.shape[2:]), in_chans=x.shape[1], num_classes=classes, global_pool=config.get("pool", "token"), **sizes)
    return case(name, {"kind": "vit", "classes": classes, **config}, make, x, labels(classes, x.shape[0]), classes, 1 / 64, small=True)


def full(name, x, width, heads, rate):
    config = {"kind": "vit", "classes": 10, "width": width, "layers": 12, "heads": heads}
    make = lambda: timm.create_model(name, img_size=x.shape[-1], num_classes=10)
    return case(name, config, make, x, labels(10, x.shape[0]), 10, rate)


write(
    "vit",
    [
        small("vit of width 12", images(3, 3, 8, 8), patch=4, width=12, layers=2, heads=3),
        small("vit of width 12, mean of patches", images(3, 1, 6, 9), patch=3, width=12, layers=2, heads=2, pool="avg"),
        full("vit_tiny_patch16_224", images(2, 3, 64, 64), 192, 3, 1 / 256),
    ],
)
