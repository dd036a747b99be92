"""
Gradient x input and Grad-CAM of small convolutional networks, by PyTorch's autograd and `interpolate` in float64.

    .venv/bin/python golden/saliency/generate.py        (the environment of golden/README.md)
"""
import json
import os
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
MEAN, STD = 0.4, 0.25


def rounded(t):
    return torch.round(t * 64) / 64


def case(name, model, layer, pictures, classes):
    model.eval()
    with torch.no_grad():
        for p in list(model.parameters()) + [b for n, b in model.named_buffers() if "num" not in n]:
            p.copy_(rounded(p))
    x = ((pictures.double() / 255 - MEAN) / STD).requires_grad_(True)
    kept = {}
    hook = dict(model.named_modules())[layer].register_forward_hook(lambda _m, _i, out: kept.update(maps=out))
    scores = model(x)
    hook.remove()
    said = scores.argmax(1)
    wanted = said if classes is None else torch.tensor(classes)
    chosen = scores[torch.arange(len(x)), wanted]
    gradient, of_maps = torch.autograd.grad(chosen.sum(), [x, kept["maps"]])
    weights = of_maps.mean((2, 3), keepdim=True)
    coarse = F.relu((weights * kept["maps"]).sum(1))
    full = F.interpolate(coarse[:, None], size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    packed = {k: {"shape": list(v.shape), "data": v.flatten().tolist()} for k, v in model.state_dict().items()}
    return {
        "name": name,
        "weights": packed,
        "pictures": {"shape": list(pictures.shape), "data": pictures.flatten().tolist()},
        "given": classes,
        "layer": layer,
        "classes": wanted.tolist(),
        "scores": chosen.tolist(),
        "gradientTimesInput": (gradient * x).flatten().tolist(),
        "coarseShape": list(coarse.shape),
        "coarse": coarse.flatten().tolist(),
        "maps": full.flatten().tolist(),
    }


class Residual(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


def plain():
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 3))


def residual():
    block = Residual(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh()))
    return nn.Sequential(nn.Conv2d(2, 3, 2, stride=2), nn.BatchNorm2d(3), block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))


pictures = torch.randint(0, 256, (3, 2, 8, 8), dtype=torch.uint8)
net = residual()
net[1].running_mean.normal_(), net[1].running_var.uniform_(0.5, 2), net[2].inner[1].running_mean.normal_()
result = [
    case("a plain network", plain(), "4", pictures, None),
    case("a plain network, chosen classes", plain(), "4", pictures, [2, 0, 1]),
    case("a residual network", net, "2", pictures, None),
]
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "saliency.json"), "w") as f:
    json.dump({"mean": MEAN, "std": STD, "cases": result}, f, separators=(",", ":"))
    f.write("\n")
