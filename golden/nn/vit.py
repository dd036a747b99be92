"""Vision transformers: timm's, small ones. timm imports torchvision, which is not used."""
from common import *
from timm.models.vision_transformer import VisionTransformer


def case(name, config, x, **options):
    sizes = {"patch_size": config["patch"], "embed_dim": config["width"], "depth": config["layers"], "num_heads": config["heads"]}
    module = VisionTransformer(img_size=tuple(x.shape[2:]), in_chans=x.shape[1], num_classes=config["classes"], **sizes, **options)
    layer(name, {"kind": "vit", **config}, module, [x])


small = {"patch": 2, "width": 4, "layers": 2, "heads": 2, "classes": 3}
case("vit", small, numbers(2, 3, 4, 4))
case("vit of one patch", {**small, "patch": 3, "layers": 1, "heads": 1, "classes": 1}, numbers(1, 1, 3, 3))
case("vit of wide images, mean of patches", {**small, "pool": "avg", "layers": 1}, numbers(2, 1, 2, 6), global_pool="avg")
case("vit without the projection's bias", {**small, "qkvBias": False, "mlpRatio": 1.5, "layers": 1}, numbers(1, 2, 4, 2), qkv_bias=False, mlp_ratio=1.5)
case("vit in a loop, computed again", {**small, "scanLayers": True, "remat": True}, numbers(2, 1, 4, 4))

write()
