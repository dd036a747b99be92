"""Losses."""
from common import *


def cross(name, config, output, target, **options):
    if "weight" in config:
        options["weight"] = torch.tensor(config["weight"])
    options.setdefault("reduction", config.get("reduction", "mean"))
    options["label_smoothing"] = config.get("labelSmoothing", 0.0)
    loss(name, {"kind": "crossEntropy", **config}, lambda z, t: F.cross_entropy(z, t, **options), output, target)

w5 = [0.5, 2.0, 1.0, 0.25, 1.5]
cross("crossEntropy", {}, numbers(4, 5), labels(5, 4))
cross("crossEntropy, sum", {"reduction": "sum"}, numbers(3, 5), labels(5, 3))
cross("crossEntropy, none", {"reduction": "none"}, numbers(3, 5), labels(5, 3))
cross("crossEntropy of large logits", {}, numbers(4, 3, scale=3000), labels(3, 4))
cross("crossEntropy of one example", {}, numbers(5), labels(5))
cross("crossEntropy of images", {}, numbers(2, 3, 2, 3), labels(3, 2, 2, 3))
cross("crossEntropy with smoothing", {"labelSmoothing": 0.1}, numbers(4, 5), labels(5, 4))
cross("crossEntropy with weights", {"weight": w5}, numbers(4, 5), labels(5, 4))
cross("crossEntropy with weights, sum", {"weight": w5, "reduction": "sum"}, numbers(3, 5), labels(5, 3))
cross("crossEntropy with weights, none", {"weight": w5, "reduction": "none"}, numbers(3, 5), labels(5, 3))
cross("crossEntropy with weights and smoothing", {"weight": w5, "labelSmoothing": 0.2}, numbers(4, 5), labels(5, 4))
cross("crossEntropy of images with weights and smoothing", {"weight": [1.0, 0.5, 2.0], "labelSmoothing": 0.2}, numbers(2, 3, 2, 2), labels(3, 2, 2, 2))
cross("crossEntropy with probabilities", {}, numbers(4, 5), torch.softmax(numbers(4, 5), -1))
cross("crossEntropy with probabilities, smoothing and weights", {"weight": w5, "labelSmoothing": 0.1}, numbers(3, 5), torch.softmax(numbers(3, 5), -1))
cross("crossEntropy of images with probabilities", {}, numbers(2, 3, 2, 2), torch.softmax(numbers(2, 3, 2, 2), 1))


def svm(p, delta, reduction):
    # PyTorch divides by the number of classes; the lecture's form does not.
    return lambda s, y: F.multi_margin_loss(s, y, p=p, margin=delta, reduction=reduction) * s.shape[-1]

loss("hinge", {"kind": "hinge"}, svm(1, 1.0, "mean"), numbers(5, 4), labels(4, 5), second=False)
loss("hinge with delta, sum", {"kind": "hinge", "delta": 2.5, "reduction": "sum"}, svm(1, 2.5, "sum"), numbers(3, 4), labels(4, 3), second=False)
loss("hinge, none", {"kind": "hinge", "reduction": "none"}, svm(1, 1.0, "none"), numbers(3, 4), labels(4, 3), second=False)
loss("hinge squared", {"kind": "hinge", "squared": True}, svm(2, 1.0, "mean"), numbers(5, 4), labels(4, 5), second=False)
loss("meanSquaredError", {"kind": "meanSquaredError"}, lambda y, t: F.mse_loss(y, t), numbers(3, 4), numbers(3, 4))
loss("meanSquaredError, sum", {"kind": "meanSquaredError", "reduction": "sum"}, lambda y, t: F.mse_loss(y, t, reduction="sum"), numbers(2, 3), numbers(2, 3))
loss("meanSquaredError, none", {"kind": "meanSquaredError", "reduction": "none"}, lambda y, t: F.mse_loss(y, t, reduction="none"), numbers(2, 3), numbers(2, 3))

write()
