"""
Losses: value, gradients of sum(value * cotangent) by every real array, and `second`, the gradients of
sum(gradient of the outputs * direction) by the outputs. Several outputs or targets are records. Infinities and NaN are
text.
"""
import math
from common import *


def exact(tree):
    """`pack`, with text for what JSON has no numbers for."""
    def one(t):
        packed = pack(t)
        data = [v if math.isfinite(v) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(v, "NaN") for v in packed["data"]]
        return {"dtype": "f32", **packed, "data": data}
    return each(one, tree)


def loss(name, config, f, output, target=None, second=True, through=None, targets=True):
    """`through`: what the output goes through before the loss. `targets`: whether the target's gradient is wanted."""
    leaf = lambda t: t.clone().requires_grad_() if t.is_floating_point() else t
    output = each(leaf, output)
    target = each(leaf, target) if targets and target is not None else target
    given = {"logSoftmax": lambda x: F.log_softmax(x, -1), "sigmoid": torch.sigmoid, None: lambda x: x}[through](output)
    value = f(given) if target is None else f(given, target)
    cotangent = numbers(*value.shape)
    outputs = leaves(output)
    wanted = [t for t in leaves(target) if t.is_floating_point()] if target is not None and targets else []
    total = (value * cotangent).sum()
    grads = torch.autograd.grad(total, [*outputs, *wanted], create_graph=second)
    found = iter(grads)
    like = lambda tree: {k: next(found) for k, t in tree.items() if t.is_floating_point()} if isinstance(tree, dict) else next(found)
    case = {
        "name": name,
        "config": config,
        **({"through": through} if through else {}),
        "output": exact(output),
        **({} if target is None else {"target": exact(target)}),
        "value": exact(value),
        "cotangent": exact(cotangent),
        "doutput": exact(like(output)),
    }
    if wanted:
        case["dtarget"] = exact(like(target))
    if second:
        direction = each(lambda t: numbers(*t.shape), output)
        again = torch.autograd.grad(sum((g * d).sum() for g, d in zip(grads, leaves(direction))), outputs, materialize_grads=True)
        found = iter(again)
        case["direction"] = exact(direction)
        case["second"] = exact(like(output))
    losses.append(case)


def signs(*shape):
    return torch.randint(0, 2, shape, generator=generator) * 2.0 - 1


def shares(*shape):
    """Multiples of 1/32 strictly between 0 and 1."""
    return torch.randint(1, 32, shape, generator=generator) / 32.0


def cross(name, config, output, target, second=True, **options):
    if "weight" in config:
        options["weight"] = torch.tensor(config["weight"])
    options.setdefault("reduction", config.get("reduction", "mean"))
    options["label_smoothing"] = config.get("labelSmoothing", 0.0)
    loss(name, {"kind": "crossEntropy", **config}, lambda z, t: F.cross_entropy(z, t, **options), output, target, second)

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

# Ignored labels, and the axis of classes.
def ignoring(n, classes, label=-100):
    y = labels(classes, n)
    y[0] = label
    return y

cross("crossEntropy, ignoring", {}, numbers(4, 5), ignoring(4, 5))
cross("crossEntropy, ignoring a class", {"ignoreIndex": 2}, numbers(4, 3), ignoring(4, 3, 2), ignore_index=2)
cross("crossEntropy, ignoring, weights", {"weight": w5}, numbers(4, 5), ignoring(4, 5))
cross("crossEntropy, ignoring, weights and smoothing", {"weight": w5, "labelSmoothing": 0.2}, numbers(4, 5), ignoring(4, 5))
cross("crossEntropy, ignoring, smoothing", {"labelSmoothing": 0.2}, numbers(4, 5), ignoring(4, 5))
cross("crossEntropy, ignoring, none, smoothing", {"labelSmoothing": 0.2, "reduction": "none"}, numbers(3, 5), ignoring(3, 5))
cross("crossEntropy, ignoring all", {}, numbers(1, 3), ignoring(1, 3), second=False)
cross("crossEntropy of one class", {}, numbers(3, 1), labels(1, 3))
last = lambda f: lambda x, y: f(x.movedim(-1, 1), y)
loss("crossEntropy along the last axis", {"kind": "crossEntropy", "classAxis": -1, "labelSmoothing": 0.1}, last(lambda z, t: F.cross_entropy(z, t, label_smoothing=0.1)), numbers(2, 3, 5), labels(5, 2, 3))
infinite = torch.tensor([[0.5, -math.inf, 1.0], [-math.inf, 2.0, -1.0], [1e30, 0.0, -1e30]])
cross("crossEntropy of infinite logits", {"reduction": "none"}, infinite, torch.tensor([0, 0, 2]), second=False)

for name, config, options in [
    ("nll", {}, {}),
    ("nll, sum", {"reduction": "sum"}, {"reduction": "sum"}),
    ("nll, none", {"reduction": "none"}, {"reduction": "none"}),
    ("nll with weights", {"weight": w5}, {"weight": torch.tensor(w5)}),
]:
    loss(name, {"kind": "nll", **config}, lambda x, y: F.nll_loss(x, y, **options), numbers(4, 5), ignoring(4, 5), second=False)
loss("nll of images, ignoring a class", {"kind": "nll", "ignoreIndex": 1}, lambda x, y: F.nll_loss(x, y, ignore_index=1), numbers(2, 3, 2, 2), labels(3, 2, 2, 2), second=False)
loss("nll of infinite", {"kind": "nll", "reduction": "none"}, lambda x, y: F.nll_loss(x, y, reduction="none"), torch.tensor([[0.0, -math.inf], [-math.inf, 0.0]]), torch.tensor([0, 0]), second=False)

bce = F.binary_cross_entropy_with_logits
with_logits = {"kind": "binaryCrossEntropyWithLogits"}
loss("binaryCrossEntropyWithLogits", with_logits, bce, numbers(4, 3, scale=3), shares(4, 3))
for reduction in ("sum", "none"):
    loss(f"binaryCrossEntropyWithLogits, {reduction}", {**with_logits, "reduction": reduction}, lambda z, y: bce(z, y, reduction=reduction), numbers(5), shares(5))
loss("binaryCrossEntropyWithLogits of one number", with_logits, bce, numbers(1, 1), shares(1, 1))
loss("binaryCrossEntropyWithLogits of labels, large logits", with_logits, bce, numbers(7, scale=3000), labels(2, 7).double(), second=False, targets=False)
w3 = [0.5, 2.0, 3.0]
loss("binaryCrossEntropyWithLogits, posWeight", {**with_logits, "posWeight": w3}, lambda z, y: bce(z, y, pos_weight=torch.tensor(w3)), numbers(4, 3), shares(4, 3))
loss("binaryCrossEntropyWithLogits, one posWeight and weight", {**with_logits, "posWeight": 2.5, "weight": [[1.0], [0.0]]}, lambda z, y: bce(z, y, weight=torch.tensor([[1.0], [0.0]]), pos_weight=torch.tensor(2.5)), numbers(2, 3), shares(2, 3))

plain = F.binary_cross_entropy
loss("binaryCrossEntropy", {"kind": "binaryCrossEntropy"}, plain, shares(4, 3), shares(4, 3))
loss("binaryCrossEntropy, weight, none", {"kind": "binaryCrossEntropy", "weight": w3, "reduction": "none"}, lambda x, y: plain(x, y, weight=torch.tensor(w3), reduction="none"), shares(2, 3), shares(2, 3))
loss("binaryCrossEntropy of certainty", {"kind": "binaryCrossEntropy", "reduction": "none"}, lambda x, y: plain(x, y, reduction="none"), torch.tensor([0.0, 0.0, 1.0, 1.0, 0.5]), torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0]), second=False, targets=False)
loss("binaryCrossEntropy after a sigmoid, sum", {"kind": "binaryCrossEntropy", "reduction": "sum"}, lambda x, y: plain(x, y, reduction="sum"), numbers(6), shares(6), through="sigmoid")


def sigmoid_focal_loss(inputs, targets, alpha=0.25, gamma=2.0, reduction="none"):
    """torchvision.ops.sigmoid_focal_loss, of its 0.28 (BSD-3-Clause)."""
    p = torch.sigmoid(inputs)
    ce_loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    value = ce_loss * ((1 - p_t) ** gamma)
    if alpha >= 0:
        value = (alpha * targets + (1 - alpha) * (1 - targets)) * value
    return {"none": value, "mean": value.mean(), "sum": value.sum()}[reduction]

loss("sigmoidFocal", {"kind": "sigmoidFocal"}, lambda z, y: sigmoid_focal_loss(z, y, reduction="mean"), numbers(4, 3), labels(2, 4, 3).double())
loss("sigmoidFocal, soft targets, gamma 1.5", {"kind": "sigmoidFocal", "gamma": 1.5, "alpha": 0.75, "reduction": "sum"}, lambda z, y: sigmoid_focal_loss(z, y, 0.75, 1.5, "sum"), numbers(5), shares(5))
loss("sigmoidFocal, no alpha, gamma 1, none", {"kind": "sigmoidFocal", "gamma": 1, "alpha": None, "reduction": "none"}, lambda z, y: sigmoid_focal_loss(z, y, -1, 1), numbers(5), labels(2, 5).double(), targets=False)
loss("sigmoidFocal, gamma 0", {"kind": "sigmoidFocal", "gamma": 0}, lambda z, y: sigmoid_focal_loss(z, y, gamma=0, reduction="mean"), numbers(5), labels(2, 5).double())


def softmax_focal(z, y, gamma=2.0, alpha=None, ignore=-100, reduction="mean"):
    counted = y != ignore
    logp = F.log_softmax(z, 1)
    safe = torch.where(counted, y, 0)
    own = logp.gather(1, safe.unsqueeze(1)).squeeze(1)
    value = -((1 - own.exp()) ** gamma) * own
    if alpha is not None:
        value = value * torch.tensor(alpha)[safe]
    value = torch.where(counted, value, 0.0)
    return {"none": value, "sum": value.sum(), "mean": value.sum() / counted.sum()}[reduction]

loss("softmaxFocal", {"kind": "softmaxFocal"}, softmax_focal, numbers(4, 5), ignoring(4, 5))
loss("softmaxFocal with alpha, gamma 0.5", {"kind": "softmaxFocal", "alpha": w5, "gamma": 0.5}, lambda z, y: softmax_focal(z, y, 0.5, w5), numbers(4, 5), labels(5, 4))
loss("softmaxFocal of images, none", {"kind": "softmaxFocal", "gamma": 3, "reduction": "none"}, lambda z, y: softmax_focal(z, y, 3, reduction="none"), numbers(1, 3, 2, 2), labels(3, 1, 2, 2))

kl = {"kind": "klDivergence"}
for reduction in ("mean", "batchmean", "sum", "none"):
    loss(f"klDivergence, {reduction}", {**kl, "reduction": reduction}, lambda x, t: F.kl_div(x, t, reduction=reduction), numbers(3, 4), shares(3, 4))
loss("klDivergence of logarithms", {**kl, "logTarget": True}, lambda x, t: F.kl_div(x, t, log_target=True), numbers(3, 4), numbers(3, 4))
loss("klDivergence of zeros", {**kl, "reduction": "none"}, lambda x, t: F.kl_div(x, t, reduction="none"), numbers(4), torch.tensor([0.0, 0.5, 0.0, 1.0]), second=False, targets=False)
loss("klDivergence through a log softmax", {**kl, "reduction": "batchmean"}, lambda x, t: F.kl_div(x, t, reduction="batchmean"), numbers(3, 4), shares(3, 4), through="logSoftmax")

values = torch.tensor([0.0, 0.5, 1.0, -1.0, 2.0, -3.0, 0.25])
for name, f, option in (("huber", F.huber_loss, "delta"), ("smoothL1", F.smooth_l1_loss, "beta")):
    loss(name, {"kind": name}, f, numbers(3, 4, scale=2), numbers(3, 4))
    loss(f"{name}, ties", {"kind": name, "reduction": "none"}, lambda x, y: f(x, y, reduction="none"), values, torch.zeros(7), second=False)
    loss(f"{name}, {option} 0.5, sum", {"kind": name, option: 0.5, "reduction": "sum"}, lambda x, y: f(x, y, reduction="sum", **{option: 0.5}), values, torch.zeros(7), second=False)
    loss(f"{name}, {option} 2.5", {"kind": name, option: 2.5}, lambda x, y: f(x, y, **{option: 2.5}), numbers(1, 7), numbers(1, 7))
    loss(f"{name} of infinite errors", {"kind": name, "reduction": "none"}, lambda x, y: f(x, y, reduction="none"), torch.tensor([math.inf, -math.inf]), torch.zeros(2), second=False)
loss("smoothL1, beta 0", {"kind": "smoothL1", "beta": 0}, lambda x, y: F.smooth_l1_loss(x, y, beta=0), values, torch.zeros(7), second=False)
for reduction in ("mean", "sum", "none"):
    loss(f"meanAbsoluteError, {reduction}", {"kind": "meanAbsoluteError", "reduction": reduction}, lambda x, y: F.l1_loss(x, y, reduction=reduction), values, torch.zeros(7), second=False)

loss("poissonNll", {"kind": "poissonNll"}, lambda x, y: F.poisson_nll_loss(x, y), numbers(3, 4), shares(3, 4) * 8)
loss("poissonNll, full", {"kind": "poissonNll", "full": True}, lambda x, y: F.poisson_nll_loss(x, y, full=True), numbers(5), torch.tensor([0.25, 1.0, 2.0, 5.0, 0.5]))
loss("poissonNll of rates, full, none", {"kind": "poissonNll", "logInput": False, "full": True, "reduction": "none"}, lambda x, y: F.poisson_nll_loss(x, y, log_input=False, full=True, reduction="none"), shares(4), torch.tensor([0.0, 1.0, 3.0, 7.0]), targets=False)
loss("poissonNll of rates, eps, sum", {"kind": "poissonNll", "logInput": False, "eps": 0.125, "reduction": "sum"}, lambda x, y: F.poisson_nll_loss(x, y, log_input=False, eps=0.125, reduction="sum"), torch.tensor([0.0, 0.5, 2.0]), torch.tensor([1.0, 0.0, 3.0]))

gauss = lambda **options: lambda o, y: F.gaussian_nll_loss(o["mean"], y, o["variance"], **options)
loss("gaussianNll", {"kind": "gaussianNll"}, gauss(), {"mean": numbers(3, 4), "variance": shares(3, 4) + 0.5}, numbers(3, 4))
loss("gaussianNll, full, a variance each row, sum", {"kind": "gaussianNll", "full": True, "reduction": "sum"}, gauss(full=True, reduction="sum"), {"mean": numbers(3, 4), "variance": shares(3, 1)}, numbers(3, 4))
loss("gaussianNll, none, variances without the last axis", {"kind": "gaussianNll", "reduction": "none"}, gauss(reduction="none"), {"mean": numbers(3, 4), "variance": shares(3)}, numbers(3, 4))
loss("gaussianNll of small variances", {"kind": "gaussianNll", "eps": 0.25}, gauss(eps=0.25), {"mean": numbers(5), "variance": torch.tensor([0.0, 0.125, 0.25, 0.5, 1.0])}, numbers(5), second=False)

margin = lambda p=1, m=1.0, w=None, reduction="mean": lambda s, y: F.multi_margin_loss(s, y, p=p, margin=m, weight=None if w is None else torch.tensor(w), reduction=reduction)
loss("multiMargin", {"kind": "multiMargin"}, margin(), numbers(5, 4), labels(4, 5), second=False)
loss("multiMargin, ties", {"kind": "multiMargin", "reduction": "none"}, margin(reduction="none"), torch.tensor([[1.0, 0.0, 2.0], [0.5, 0.5, -0.5]]), torch.tensor([0, 1]), second=False)
loss("multiMargin, squares, weights", {"kind": "multiMargin", "p": 2, "margin": 0.5, "weight": [0.5, 2.0, 1.0, 0.25]}, margin(2, 0.5, [0.5, 2.0, 1.0, 0.25]), numbers(5, 4), labels(4, 5), second=False)
loss("multiMargin of one example, sum", {"kind": "multiMargin", "reduction": "sum"}, margin(reduction="sum"), numbers(4), labels(4), second=False)

pair = lambda f, **options: lambda o, y: f(o["x1"], o["x2"], y, **options)
loss("marginRanking", {"kind": "marginRanking"}, pair(F.margin_ranking_loss), {"x1": numbers(7), "x2": numbers(7)}, signs(7), second=False, targets=False)
loss("marginRanking, ties, none", {"kind": "marginRanking", "margin": 0.5, "reduction": "none"}, pair(F.margin_ranking_loss, margin=0.5, reduction="none"), {"x1": torch.tensor([0.5, 0.0, 1.0, 0.0]), "x2": torch.tensor([0.0, 0.5, 0.5, 0.0])}, torch.tensor([1.0, -1.0, -1.0, 1.0]), second=False, targets=False)
loss("marginRanking of whole signs", {"kind": "marginRanking", "margin": 1, "reduction": "sum"}, pair(F.margin_ranking_loss, margin=1, reduction="sum"), {"x1": numbers(3, 2), "x2": numbers(3, 2)}, signs(3, 2).long(), second=False)
for reduction in ("mean", "sum", "none"):
    loss(f"hingeEmbedding, {reduction}", {"kind": "hingeEmbedding", "reduction": reduction}, lambda x, y: F.hinge_embedding_loss(x, y, reduction=reduction), numbers(3, 4), signs(3, 4), second=False, targets=False)
loss("hingeEmbedding, ties", {"kind": "hingeEmbedding", "margin": 0.5}, lambda x, y: F.hinge_embedding_loss(x, y, margin=0.5), torch.tensor([0.5, 0.5, 0.25, 0.0]), torch.tensor([1.0, -1.0, -1.0, -1.0]), second=False, targets=False)
for reduction in ("mean", "sum", "none"):
    loss(f"softMargin, {reduction}", {"kind": "softMargin", "reduction": reduction}, lambda x, y: F.soft_margin_loss(x, y, reduction=reduction), numbers(3, 2), signs(3, 2), targets=False)
ends = torch.tensor([[3, 0, -1, 1], [2, -1, 3, 0], [-1, 0, 1, 2], [0, 1, 2, 3], [1, 1, -1, -1]])
loss("multiLabelMargin", {"kind": "multiLabelMargin"}, F.multilabel_margin_loss, numbers(5, 4), ends, second=False)
loss("multiLabelMargin, none", {"kind": "multiLabelMargin", "reduction": "none"}, lambda x, y: F.multilabel_margin_loss(x, y, reduction="none"), numbers(5, 4), ends, second=False)
loss("multiLabelMargin of one example, ties", {"kind": "multiLabelMargin"}, F.multilabel_margin_loss, torch.tensor([0.0, 1.0, 0.0, 2.0]), torch.tensor([1, -1, 0, 0]), second=False)
for reduction in ("mean", "sum", "none"):
    loss(f"multiLabelSoftMargin, {reduction}", {"kind": "multiLabelSoftMargin", "reduction": reduction}, lambda x, y: F.multilabel_soft_margin_loss(x, y, reduction=reduction), numbers(3, 4), shares(3, 4))
loss("multiLabelSoftMargin with weights", {"kind": "multiLabelSoftMargin", "weight": w3}, lambda x, y: F.multilabel_soft_margin_loss(x, y, weight=torch.tensor(w3)), numbers(4, 3), labels(2, 4, 3).double())

loss("cosineEmbedding", {"kind": "cosineEmbedding"}, pair(F.cosine_embedding_loss), {"x1": numbers(5, 3), "x2": numbers(5, 3)}, signs(5), targets=False)
loss("cosineEmbedding, margin, none", {"kind": "cosineEmbedding", "margin": 0.25, "reduction": "none"}, pair(F.cosine_embedding_loss, margin=0.25, reduction="none"), {"x1": numbers(5, 3), "x2": numbers(5, 3)}, signs(5).long())
loss("cosineEmbedding of one example", {"kind": "cosineEmbedding"}, pair(F.cosine_embedding_loss), {"x1": numbers(7), "x2": numbers(7)}, torch.tensor(1))
loss("cosineEmbedding of zeros and at the kink", {"kind": "cosineEmbedding", "reduction": "none"}, pair(F.cosine_embedding_loss, reduction="none"), {"x1": torch.tensor([[0.0, 0.0], [1.0, 0.0]]), "x2": torch.tensor([[1.0, 2.0], [0.0, 2.0]])}, torch.tensor([1, -1]), second=False)

three = lambda n, d: {name: numbers(n, d) for name in ("anchor", "positive", "negative")}
triplet = lambda **options: lambda o: F.triplet_margin_loss(o["anchor"], o["positive"], o["negative"], **options)
loss("tripletMargin", {"kind": "tripletMargin"}, triplet(), three(5, 3))
loss("tripletMargin, swap, none", {"kind": "tripletMargin", "swap": True, "margin": 2, "reduction": "none"}, triplet(swap=True, margin=2, reduction="none"), three(7, 3), second=False)
loss("tripletMargin, p 1, sum", {"kind": "tripletMargin", "p": 1, "reduction": "sum"}, triplet(p=1, reduction="sum"), three(3, 5), second=False)
loss("tripletMargin, p 3", {"kind": "tripletMargin", "p": 3, "eps": 0.0009765625}, triplet(p=3, eps=0.0009765625), three(3, 5))
loss("tripletMargin of equal vectors, p 1.5", {"kind": "tripletMargin", "p": 1.5, "eps": 0}, triplet(p=1.5, eps=0), {"anchor": torch.ones(2, 3), "positive": torch.ones(2, 3), "negative": torch.ones(2, 3) * torch.tensor([1.0, 1.5, 1.0])}, second=False)
loss("tripletMargin, the largest difference", {"kind": "tripletMargin", "p": None}, triplet(p=math.inf), three(3, 5), second=False)


def sequences(steps, n, classes, width, inputs, targets, **more):
    x = numbers(steps, n, classes)
    return x, {"targets": more.get("labels", labels(classes - 1, n, width) + 1), "inputLengths": torch.tensor(inputs), "targetLengths": torch.tensor(targets)}

ctc = lambda **options: lambda x, t: F.ctc_loss(x, t["targets"], t["inputLengths"], t["targetLengths"], **options)
for name, config, options, given in [
    ("ctc", {}, {}, sequences(6, 3, 4, 2, [6, 5, 4], [2, 1, 2])),
    ("ctc, sum", {"reduction": "sum"}, {"reduction": "sum"}, sequences(7, 2, 3, 3, [7, 7], [3, 2])),
    ("ctc, none, repeated labels", {"reduction": "none"}, {"reduction": "none"}, sequences(7, 2, 3, 3, [7, 5], [3, 3], labels=torch.tensor([[1, 1, 1], [2, 2, 1]]))),
    ("ctc, another blank", {"blank": 3}, {"blank": 3}, sequences(5, 2, 4, 2, [5, 3], [2, 1], labels=torch.tensor([[0, 2], [1, 0]]))),
    ("ctc, no labels", {}, {}, sequences(4, 2, 3, 2, [4, 3], [0, 1])),
    ("ctc of one step", {}, {}, sequences(1, 1, 3, 1, [1], [1])),
    ("ctc, the least steps, of repetitions", {"reduction": "none"}, {"reduction": "none"}, sequences(5, 1, 3, 3, [5], [3], labels=torch.tensor([[1, 1, 1]]))),
    ("ctc, too short, zeroInfinity", {"zeroInfinity": True, "reduction": "none"}, {"zero_infinity": True, "reduction": "none"}, sequences(4, 2, 3, 3, [4, 4], [3, 2], labels=torch.tensor([[1, 1, 1], [1, 2, 0]]))),
    ("ctc, too short, zeroInfinity, mean", {"zeroInfinity": True}, {"zero_infinity": True}, sequences(3, 2, 3, 3, [2, 3], [3, 2])),
]:
    loss(name, {"kind": "ctc", **config}, ctc(**options), *given, second=False, through="logSoftmax")
loss("ctc of sharp outputs", {"kind": "ctc"}, ctc(), *(lambda x, t: (x * 32, t))(*sequences(6, 2, 4, 2, [6, 6], [2, 2])), second=False, through="logSoftmax")

write()
