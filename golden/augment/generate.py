"""Pictures after torchvision's transforms with given parameters, into augment.json: PYTHONPATH with torchvision 0.28."""

import json
from pathlib import Path

import torch
import torchvision.transforms.functional as F
from torchvision.transforms.autoaugment import RandAugment, TrivialAugmentWide, _apply_op
from torchvision.transforms import InterpolationMode

BILINEAR = InterpolationMode.BILINEAR
torch.manual_seed(7)
# Far from 0 and 1, where torchvision cuts numbers off.
pictures = (0.35 + 0.3 * torch.rand(2, 3, 6, 7)).to(torch.float32)
N = len(pictures)


def each(values, change):
    return torch.stack([change(pictures[n], values[n]) for n in range(N)])


cases = {
    "rotate": ([20.0, -75.0], lambda x, angle: F.rotate(x, angle, BILINEAR)),
    "affine": (
        [[10.0, 1, -1, 0.8, 12.0], [-40.0, -2, 1, 1.3, -20.0]],
        lambda x, v: F.affine(x, v[0], [int(v[1]), int(v[2])], v[3], [v[4], 0.0], BILINEAR),
    ),
    # left, top, width, height
    "resizedCrop": (
        [[1, 2, 4, 3], [0, 0, 7, 6]],
        lambda x, v: F.resized_crop(x, v[1], v[0], v[3], v[2], [6, 7], BILINEAR, antialias=True),
    ),
    "brightness": ([0.7, 1.2], F.adjust_brightness),
    "contrast": ([0.5, 1.4], F.adjust_contrast),
    "saturation": ([0.4, 1.5], F.adjust_saturation),
    "hue": ([0.21, -0.43], F.adjust_hue),
    "grayscale": ([0.0, 0.0], lambda x, _: F.rgb_to_grayscale(x, 3)),
}

# The changes of TrivialAugmentWide and RandAugment, of bytes: one picture at four levels, two of them of each sign.
rng = torch.Generator().manual_seed(11)
draw = lambda *shape: (40 + 180 * torch.rand(shape, generator=rng) ** 2).to(torch.uint8)
picture = draw(3, 9, 8)
# Equalize needs many pixels to do anything; one channel has a single number.
large = draw(3, 24, 20)
large[1] = 77
spaces = {
    "trivialAugment": TrivialAugmentWide()._augmentation_space(31),
    "randAugment": RandAugment()._augmentation_space(31, (9, 8)),
}


def changed(space, name):
    magnitudes, signed = space[name]
    given = []
    for level, sign in ((4, 1), (11, -1), (19, 1), (28, -1)):
        amount = float(magnitudes[level]) if magnitudes.ndim > 0 else 0.0
        given.append((level, sign if signed else 1, amount * (sign if signed else 1)))
    after = [_apply_op(picture, name, amount, InterpolationMode.NEAREST, None) for _, _, amount in given]
    return {
        "given": [{"level": level, "sign": sign, "amount": round(amount, 6)} for level, sign, amount in given],
        "after": torch.stack(after).flatten().tolist(),
    }


numbers = lambda t: [round(v, 7) for v in t.flatten().tolist()]
out = {
    "shape": list(pictures.shape),
    "pictures": numbers(pictures),
    "cases": {kind: {"given": given, "after": numbers(each(given, f))} for kind, (given, f) in cases.items()},
    "bytes": {"shape": list(picture.shape), "picture": picture.flatten().tolist()},
    "equalized": {
        "shape": list(large.shape),
        "picture": large.flatten().tolist(),
        "after": F.equalize(large).flatten().tolist(),
    },
    "policies": {policy: {name: changed(space, name) for name in space} for policy, space in spaces.items()},
}
Path(__file__).with_name("augment.json").write_text(json.dumps(out) + "\n")
